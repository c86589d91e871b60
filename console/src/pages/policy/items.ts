import type { Schemas } from '../../api/client';

type Policy = Schemas['Policy'];
export type Group = 'in' | 'out' | 'limits' | 'attributes';
export const GROUPS: Group[] = ['in', 'out', 'limits', 'attributes'];

type Control = { kind: 'switch' } | { kind: 'choice'; values: string[] } | { kind: 'number'; min: number; max: number } | { kind: 'limit' };
export type Item = { key: keyof Policy; group: Group; control: Control; byDefault: unknown; replans?: true; ownersOnly?: true };
export type Draft = { [K in keyof Policy]?: unknown };

const onOff: Control = { kind: 'switch' };
const choice = (...values: string[]): Control => ({ kind: 'choice', values });

export const ITEMS: Item[] = [
  { key: 'auto_provision', group: 'in', control: onOff, byDefault: true },
  { key: 'approval', group: 'in', control: onOff, byDefault: false },
  { key: 'adopt_existing', group: 'in', control: onOff, byDefault: true, ownersOnly: true },
  { key: 'onboarding', group: 'in', control: choice('invite', 'federated'), byDefault: 'invite' },
  { key: 'seat_order', group: 'in', control: choice('announced', 'email'), byDefault: 'announced' },
  { key: 'auto_deprovision', group: 'out', control: onOff, byDefault: true },
  { key: 'on_disabled', group: 'out', control: choice('suspend', 'remove'), byDefault: 'suspend' },
  { key: 'on_deleted', group: 'out', control: choice('suspend', 'remove'), byDefault: 'suspend' },
  { key: 'on_out_of_scope', group: 'out', control: choice('suspend', 'remove'), byDefault: 'suspend', replans: true },
  { key: 'wipe_on_suspend', group: 'out', control: onOff, byDefault: false },
  { key: 'removal_limit', group: 'limits', control: { kind: 'limit' }, byDefault: '10 or 5 % in 24 hours' },
  { key: 'over_limit', group: 'limits', control: choice('suspend_only', 'hold'), byDefault: 'suspend_only' },
  { key: 'quarantine_after', group: 'limits', control: { kind: 'number', min: 1, max: 1000 }, byDefault: null },
  { key: 'seat_cap', group: 'limits', control: { kind: 'number', min: 1, max: 10_000_000 }, byDefault: null, ownersOnly: true },
  { key: 'group_sync', group: 'attributes', control: onOff, byDefault: true, replans: true },
  { key: 'put_without_members', group: 'attributes', control: choice('keep', 'empty'), byDefault: 'keep' },
  { key: 'pre_create_sharing_keys', group: 'attributes', control: onOff, byDefault: false },
];

/** The keys whose value is another than in the policy. */
export function changedKeys(policy: Policy, draft: Draft): (keyof Policy)[] {
  return (Object.keys(draft) as (keyof Policy)[]).filter(
    (key) => JSON.stringify(draft[key] ?? null) !== JSON.stringify(policy[key] ?? null),
  );
}
/** The body of the request: the changed keys alone. */
export function changesOf(policy: Policy, draft: Draft): Schemas['PolicyChanges'] {
  return Object.fromEntries(changedKeys(policy, draft).map((key) => [key, draft[key] ?? null]));
}
