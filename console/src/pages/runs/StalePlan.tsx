import type { Run, RunItem } from '../../api/client';
import { ProblemBox } from '../../parts/states';
import { w } from '../../words';
import { actionText, difference, whoOf } from './items';
import { useItems } from './useItems';

const words = w.runs.stale;

/** The plan moved while it was read: the difference of the two plans, in the place of an error. */
export function StalePlan({ seen, now, onMove }: { seen: RunItem[]; now: Run; onMove: () => void }) {
  const items = useItems(now);
  const { gone, came } = difference(seen, items.rows);
  return (
    <section className="note problem stack tight" role="alert">
      <h2>{words.title}</h2>
      <p>{words.text}</p>
      {items.error && <ProblemBox error={items.error} retry={items.retry} />}
      {items.isComplete && (
        <>
          <Some title={words.gone} sign="−" items={gone} />
          <Some title={words.came} sign="+" items={came} />
          {gone.length + came.length === 0 && <p>{words.moved}</p>}
        </>
      )}
      <div>
        <button type="button" className="button primary" onClick={onMove} disabled={!items.isComplete}>
          {words.look}
        </button>
      </div>
    </section>
  );
}

const SHOWN = 20;
function Some({ title, sign, items }: { title: string; sign: string; items: RunItem[] }) {
  if (items.length === 0) return null;
  return (
    <div>
      <h3>
        {title}: {items.length}
      </h3>
      <ul>
        {items.slice(0, SHOWN).map((item) => (
          <li key={item.id}>
            {sign} <b>{whoOf(item).name}</b> {actionText(item.action)} {whoOf(item).group}
          </li>
        ))}
        {items.length > SHOWN && <li>… {items.length - SHOWN}</li>}
      </ul>
    </div>
  );
}
