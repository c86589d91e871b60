import type { Run } from '../../api/client';
import { w } from '../../words';
import { effectOf, HUNKS } from './items';

/** The effect of a run as signs, numbers and words. */
export function Totals({ counts }: { counts: Run['counts'] }) {
  const sums = effectOf(counts);
  const shown = HUNKS.filter((hunk) => sums[hunk] > 0);
  return (
    <span className="totals">
      {shown.map((hunk) => (
        <span key={hunk}>
          <b className={hunk === 'come' ? 'gain' : hunk}>
            {w.runs.sign[hunk]}
            {sums[hunk].toLocaleString(w.locale)}
          </b>{' '}
          {w.runs[hunk]}
        </span>
      ))}
      {shown.length === 0 && '–'}
    </span>
  );
}
