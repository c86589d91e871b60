import type { RunItem } from '../../api/client';
import { DecisionChip } from '../../parts/Chip';
import { useNarrow } from '../../parts/useNarrow';
import { useWindow } from '../../parts/useWindow';
import { w } from '../../words';
import { actionText, effect, type Hunk, hunkOf, whoOf } from './items';

// The heights of a row in plan.css.
const [WIDE, NARROW] = [56, 92];
const styleOf = (hunk: Hunk) => (hunk === 'come' ? 'gain' : hunk);

type Props = { items: RunItem[]; hunks: Hunk[]; seen: ReadonlySet<string>; chosen: string | null; onLook: (item: RunItem) => void };

/** The items in hunks. Those in sight alone are in the document, so that thousands are as quick as ten. */
export function Plan({ items, hunks, seen, chosen, onLook }: Props) {
  const shown = hunks.map((hunk) => ({ hunk, of: items.filter((item) => hunkOf(item.action) === hunk) })).filter(({ of }) => of.length > 0);
  // One row is a stop of the Tab key: the chosen one, or the first.
  const stop = items.some(({ id }) => id === chosen) ? chosen : (shown[0]?.of[0]?.id ?? null);
  if (shown.length === 0) return null;
  return (
    <div className="plan">
      {shown.map(({ hunk, of }) => (
        <section key={hunk} aria-label={w.runs.hunk[hunk]}>
          <div className="plan-head">
            <h2 className={styleOf(hunk)}>
              {w.runs.sign[hunk]} {w.runs.hunk[hunk]}
            </h2>
            <span className="muted small">{of.length.toLocaleString(w.locale)}</span>
          </div>
          <Rows hunk={hunk} items={of} seen={seen} chosen={chosen} stop={stop} onLook={onLook} />
        </section>
      ))}
    </div>
  );
}

type RowsProps = {
  hunk: Hunk;
  items: RunItem[];
  seen: ReadonlySet<string>;
  chosen: string | null;
  stop: string | null;
  onLook: (item: RunItem) => void;
};

function Rows({ hunk, items, seen, chosen, stop, onLook }: RowsProps) {
  const narrow = useNarrow();
  const { box, from, to, before, after } = useWindow<HTMLUListElement>(items.length, narrow ? NARROW : WIDE);
  return (
    <ul ref={box}>
      {before > 0 && <li style={{ height: before }} aria-hidden="true" />}
      {items.slice(from, to).map((item) => (
        <li key={item.id}>
          <PlanRow
            item={item}
            hunk={hunk}
            isSeen={seen.has(item.id)}
            isChosen={item.id === chosen}
            isStop={item.id === stop}
            onLook={onLook}
          />
        </li>
      ))}
      {after > 0 && <li style={{ height: after }} aria-hidden="true" />}
    </ul>
  );
}

function PlanRow(props: {
  item: RunItem;
  hunk: Hunk;
  isSeen: boolean;
  isChosen: boolean;
  isStop: boolean;
  onLook: (item: RunItem) => void;
}) {
  const { item, hunk } = props;
  const { name, email, group } = whoOf(item);
  const change = effect(item);
  return (
    <button
      type="button"
      className="plan-row"
      data-seen={props.isSeen}
      aria-pressed={props.isChosen}
      tabIndex={props.isStop ? 0 : -1}
      onClick={() => props.onLook(item)}
      onKeyDown={moves}
    >
      <span className={`sign ${styleOf(hunk)}`} aria-hidden="true">
        {w.runs.sign[hunk]}
      </span>
      <span className="who">
        <b title={name}>{name}</b>
        <span className="muted small" title={email}>
          {email}
        </span>
      </span>
      <span className="effect">
        {actionText(item.action)}
        {group && ` ${group}`}
        {change.after && (
          <>
            : <del>{change.before}</del> <ins>{change.after}</ins>
          </>
        )}
      </span>
      <span className="end">
        <DecisionChip decision={item.decision} />
      </span>
    </button>
  );
}

/** Arrow keys, `j` and `k` go through the items of all hunks, and look at each. */
function moves(event: React.KeyboardEvent<HTMLButtonElement>) {
  const down = event.key === 'ArrowDown' || event.key === 'j';
  if (!down && event.key !== 'ArrowUp' && event.key !== 'k') return;
  event.preventDefault();
  const rows = [...(event.currentTarget.closest('.plan')?.querySelectorAll<HTMLButtonElement>('.plan-row') ?? [])];
  const next = rows[rows.indexOf(event.currentTarget) + (down ? 1 : -1)];
  next?.focus();
  next?.click();
}
