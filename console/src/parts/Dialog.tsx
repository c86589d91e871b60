import { type ReactNode, useEffect, useId, useRef } from 'react';

/** A modal dialog. One with input stays open on Esc and on a click beside it, so that nothing typed is lost. */
export function Dialog(props: { title: string; onClose: () => void; holdsInput?: boolean; className?: string; children: ReactNode }) {
  const box = useRef<HTMLDialogElement>(null);
  const title = useId();
  useEffect(() => {
    const dialog = box.current;
    dialog?.showModal();
    return () => dialog?.close();
  }, []);
  return (
    <dialog
      ref={box}
      aria-labelledby={title}
      className={props.className}
      onCancel={(event) => {
        event.preventDefault();
        if (!props.holdsInput) props.onClose();
      }}
    >
      <div className="stack">
        <h2 id={title}>{props.title}</h2>
        {props.children}
      </div>
    </dialog>
  );
}
