import type { Run, RunItem } from '../../api/client';
import { w } from '../../words';

export type Hunk = 'lose' | 'change' | 'come';
export const HUNKS: Hunk[] = ['lose', 'change', 'come'];

const LOSE = new Set<string>([
  'suspend',
  'release_seat',
  'remove',
  'remove_from_group',
  'remove_group',
  'stop_waiting',
  'unlink',
  'detach',
]);
const COME = new Set<string>(['provision', 'restore', 'add_to_group', 'create_group', 'take_seat', 'restore_group']);
export const hunkOf = (action: string): Hunk => (LOSE.has(action) ? 'lose' : COME.has(action) ? 'come' : 'change');

/** How many items lose, change and come in. What cannot be taken back is no effect. */
export function effectOf(counts: Run['counts']): Record<Hunk, number> {
  const sum = { lose: 0, change: 0, come: 0 };
  for (const [action, n] of Object.entries(counts)) if (action !== 'impossible') sum[hunkOf(action)] += n;
  return sum;
}
/** The open items that an approval lets happen. */
export const openOf = (run: Pick<Run, 'counts'>) => Object.values(effectOf(run.counts)).reduce((sum, n) => sum + n, 0);

export const actionText = (action: string) => w.runs.action[action] ?? action.replaceAll('_', ' ');

type Fields = Record<string, unknown>;
const text = (fields: RunItem['who'], key: string) => {
  const value = (fields as Fields | null | undefined)?.[key];
  return typeof value === 'string' ? value : '';
};
export function whoOf(item: Pick<RunItem, 'who' | 'subject_id'>) {
  const email = text(item.who, 'email');
  const name = text(item.who, 'display_name') || text(item.who, 'name') || email || item.subject_id;
  return { name, email: email === name ? '' : email, group: text(item.who, 'group') };
}

/** Fields that say nothing to people, or that the sentence says already. */
const SILENT = new Set([
  'held',
  'suspended_from',
  'inside',
  'managed_by',
  'directory_user',
  'directory_group',
  'removed',
  'waiting_for',
  'external_id',
]);
function say(key: string, value: unknown): string {
  if (key === 'status') return (w.status[value as keyof typeof w.status] ?? String(value)).toLowerCase();
  if (key === 'seated') return value ? w.runs.seat : w.runs.noSeat;
  if (value === null || value === undefined || value === '') return '–';
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}

/** The fields that an item changes, before and after, in words. */
export function effect(item: Pick<RunItem, 'before' | 'after' | 'action'>): { before: string; after: string } {
  const [before, after] = [(item.before ?? null) as Fields | null, (item.after ?? {}) as Fields];
  const keys = before
    ? Object.keys(after).filter((key) => !SILENT.has(key) && before[key] !== after[key])
    : ['status', 'seated'].filter((key) => key in after);
  return {
    before: before ? keys.map((key) => say(key, before[key])).join(', ') : w.runs.notThere,
    after: keys.map((key) => say(key, after[key])).join(', '),
  };
}

export function matches(item: RunItem, find: string) {
  const { name, email, group } = whoOf(item);
  return `${name} ${email} ${group}`.toLowerCase().includes(find.toLowerCase());
}
export const isOpen = (item: Pick<RunItem, 'decision'>) =>
  item.decision === 'held' || item.decision === 'planned' || item.decision === 'approved';

/** The name of an item in two plans of one run. */
const nameOf = (item: RunItem) => [item.subject_kind, item.subject_id, item.action, item.group_id].join(' ');
export function difference(seen: RunItem[], now: RunItem[]) {
  const open = { seen: seen.filter(isOpen), now: now.filter(isOpen) };
  const names = { seen: new Set(open.seen.map(nameOf)), now: new Set(open.now.map(nameOf)) };
  return {
    gone: open.seen.filter((item) => !names.now.has(nameOf(item))),
    came: open.now.filter((item) => !names.seen.has(nameOf(item))),
  };
}
