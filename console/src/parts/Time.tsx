import { w } from '../words';

const relative = new Intl.RelativeTimeFormat(w.locale, { numeric: 'auto', style: 'short' });
const local = new Intl.DateTimeFormat(w.locale, { dateStyle: 'medium', timeStyle: 'medium' });
const day = new Intl.DateTimeFormat(w.locale, { dateStyle: 'medium' });
const UNITS: [Intl.RelativeTimeFormatUnit, number][] = [
  ['day', 86_400],
  ['hour', 3600],
  ['minute', 60],
  ['second', 1],
];

export function ago(at: string, now = Date.now()) {
  const seconds = Math.round((new Date(at).getTime() - now) / 1000);
  const [unit, size] = UNITS.find(([, size]) => Math.abs(seconds) >= size) ?? ['second', 1];
  return Math.abs(seconds) > 30 * 86_400 ? day.format(new Date(at)) : relative.format(Math.trunc(seconds / size), unit);
}
export const utc = (at: string) => `${at.slice(0, 19).replace('T', ' ')} UTC`;
export const localTime = (at: string) => local.format(new Date(at));

/** A moment as people say it; both exact times are its title. */
export function Time({ at, exact = false }: { at: string; exact?: boolean }) {
  return (
    <time dateTime={at} title={`${localTime(at)} · ${utc(at)}`}>
      {exact ? localTime(at) : ago(at)}
    </time>
  );
}
