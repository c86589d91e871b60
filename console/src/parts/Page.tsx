import { type ReactNode, useEffect, useRef } from 'react';

/** The head of a page. On arrival the focus is on its heading, and the window has its title. */
export function Page(props: {
  title: string;
  lead?: ReactNode;
  crumbs?: ReactNode;
  actions?: ReactNode;
  focusKey?: string;
  children: ReactNode;
}) {
  const heading = useRef<HTMLHeadingElement>(null);
  const { title, focusKey = title } = props;
  useEffect(() => {
    document.title = `${title} · Rollcall`;
  }, [title]);
  // The key, and not the title, which may change under the reader.
  // biome-ignore lint/correctness/useExhaustiveDependencies: the focus moves when another page is shown
  useEffect(() => {
    heading.current?.focus({ preventScroll: true });
  }, [focusKey]);
  return (
    <>
      <header className="page-head">
        <div>
          {props.crumbs && <p className="crumbs">{props.crumbs}</p>}
          <h1 tabIndex={-1} ref={heading}>
            {title}
          </h1>
          {props.lead && <div className="lead">{props.lead}</div>}
        </div>
        {props.actions && <div className="buttons no-print">{props.actions}</div>}
      </header>
      {props.children}
    </>
  );
}
