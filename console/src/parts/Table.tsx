import { type ReactNode, useEffect, useRef } from 'react';
import { w } from '../words';
import { Loading, ProblemBox } from './states';
import { useNarrow } from './useNarrow';
import { useWindow } from './useWindow';

export type Column<T> = { head: string; width?: string; wideOnly?: boolean; cell: (row: T) => ReactNode };
type More = {
  hasNextPage: boolean;
  isFetchingNextPage: boolean;
  fetchNextPage: () => unknown;
  isFetchNextPageError: boolean;
  error: unknown;
};
type Pick<T> = { picked: ReadonlySet<string>; onPick: (rows: T[], on: boolean) => void };

const ROW = 40;

/** A long table: rows in sight alone are in the document, and the next page is read before the reader comes to it. */
export function Table<T extends { id: string }>(props: {
  label: string;
  rows: T[];
  columns: Column<T>[];
  more?: More;
  pick?: Pick<T>;
  nameOf?: (row: T) => string;
}) {
  const { rows, more, pick } = props;
  const narrow = useNarrow();
  const columns = props.columns.filter((column) => !narrow || !column.wideOnly);
  const { box, from, to, before, after } = useWindow<HTMLTableSectionElement>(rows.length, ROW);
  const last = useRef<string | null>(null);
  const nearEnd = to >= rows.length - 40;
  useEffect(() => {
    if (nearEnd && more?.hasNextPage && !more.isFetchingNextPage && !more.isFetchNextPageError) more.fetchNextPage();
  }, [nearEnd, more]);
  function picks(row: T, on: boolean, range: boolean) {
    const [a, b] = [rows.findIndex(({ id }) => id === last.current), rows.indexOf(row)];
    last.current = row.id;
    pick?.onPick(range && a >= 0 ? rows.slice(Math.min(a, b), Math.max(a, b) + 1) : [row], on);
  }
  return (
    <>
      <div className="table-box">
        <table className="table" aria-label={props.label} aria-rowcount={more?.hasNextPage ? -1 : rows.length + 1}>
          <thead>
            <tr>
              {pick && (
                <th className="pick">
                  <span className="hidden">{w.pick}</span>
                </th>
              )}
              {columns.map(({ head, width }) => (
                <th key={head} style={{ width }}>
                  {head}
                </th>
              ))}
            </tr>
          </thead>
          <tbody ref={box} onKeyDown={moves}>
            {before > 0 && <tr className="spacer" style={{ height: before }} />}
            {rows.slice(from, to).map((row, at) => (
              <tr key={row.id} aria-rowindex={from + at + 2} data-picked={pick?.picked.has(row.id)}>
                {pick && (
                  <td className="pick">
                    <input
                      type="checkbox"
                      aria-label={`${w.pick}: ${props.nameOf?.(row) ?? row.id}`}
                      checked={pick.picked.has(row.id)}
                      onChange={(event) => picks(row, event.target.checked, (event.nativeEvent as MouseEvent).shiftKey)}
                    />
                  </td>
                )}
                {columns.map((column) => (
                  <td key={column.head}>{column.cell(row)}</td>
                ))}
              </tr>
            ))}
            {after > 0 && <tr className="spacer" style={{ height: after }} />}
          </tbody>
        </table>
      </div>
      {more?.isFetchNextPageError && <ProblemBox error={more.error} retry={() => more.fetchNextPage()} />}
      {more?.isFetchingNextPage && <Loading what={w.loadingMore} />}
    </>
  );
}

/** `j` and `k` go from row to row, `x` picks. */
function moves(event: React.KeyboardEvent<HTMLTableSectionElement>) {
  if (event.altKey || event.ctrlKey || event.metaKey || !['j', 'k', 'x'].includes(event.key)) return;
  const row = (event.target as HTMLElement).closest('tr');
  const next = event.key === 'j' ? row?.nextElementSibling : row?.previousElementSibling;
  if (event.key === 'x') row?.querySelector<HTMLInputElement>('input[type=checkbox]')?.click();
  else next?.querySelector<HTMLElement>('a, input')?.focus();
}
