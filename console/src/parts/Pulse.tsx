import { w } from '../words';
import { spans } from './spans';
import { localTime } from './Time';

/** The requests of a source as bars, with the same in words. */
export function Pulse({ times, whole }: { times: string[]; whole: boolean }) {
  const { counts, from, to } = spans(times);
  const top = Math.max(1, ...counts);
  const last = times[0];
  const [first, end] = [localTime(new Date(from).toISOString()), localTime(new Date(to).toISOString())];
  return (
    <figure style={{ margin: 0 }}>
      <div className="pulse" aria-hidden="true">
        {counts.map((n, at) => (
          <span key={at} style={{ height: `${(n / top) * 100}%`, opacity: n === 0 ? 0.25 : 1 }} />
        ))}
      </div>
      <figcaption className="small muted">{w.sources.pulse(times.length, whole, first, end, last ? localTime(last) : '')}</figcaption>
    </figure>
  );
}
