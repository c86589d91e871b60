import { w } from '../words';
import { localTime } from './Time';

const BARS = 48;

/** How many requests fell into each of 48 equal spans between the first and the last. */
export function spans(times: string[], now = Date.now()): { counts: number[]; from: number; to: number } {
  const all = times.map((at) => new Date(at).getTime()).filter((at) => Number.isFinite(at));
  const from = Math.min(...all);
  const to = Math.max(now, from + 60_000);
  const counts = new Array<number>(BARS).fill(0);
  for (const at of all) {
    const bar = Math.min(BARS - 1, Math.floor(((at - from) / (to - from)) * BARS));
    counts[bar] = (counts[bar] ?? 0) + 1;
  }
  return { counts, from, to };
}

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
