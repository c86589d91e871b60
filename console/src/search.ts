import type { Schemas } from './api/client';

type Raw = Record<string, unknown>;

// A part of an address that cannot be read is dropped, so that no address can break its page for ever.
const text = (raw: Raw, key: string) => {
  const value = raw[key];
  const read = typeof value === 'number' || typeof value === 'boolean' ? String(value) : value;
  return typeof read === 'string' && read !== '' && read.length <= 200 ? read : undefined;
};
const oneOf = <T extends string>(raw: Raw, key: string, values: readonly T[]) => values.find((value) => value === raw[key]);
const flag = (raw: Raw, key: string) => (raw[key] === true || raw[key] === 'true' ? true : undefined);

export const STATUSES = ['pending', 'invited', 'active', 'suspended', 'removed'] as const satisfies readonly Schemas['MemberStatus'][];
export const ROLES = ['owner', 'admin', 'auditor', 'member'] as const satisfies readonly Schemas['Role'][];
export const RUN_STATES = [
  'held',
  'planned',
  'planning',
  'approved',
  'applied',
  'rejected',
  'withdrawn',
  'promoted',
  'rewound',
  'partly_rewound',
] as const satisfies readonly Schemas['RunState'][];
export const SOURCE_TABS = ['status', 'tokens', 'speaks', 'rejected', 'requests', 'promote'] as const;
export type SourceTab = (typeof SOURCE_TABS)[number];

export type MembersSearch = {
  q?: string | undefined;
  status?: Schemas['MemberStatus'] | undefined;
  role?: Schemas['Role'] | undefined;
  source?: string | undefined;
  waiting?: Schemas['WaitingFor'] | undefined;
  blocked?: boolean | undefined;
};
export const members = (raw: Raw): MembersSearch => ({
  q: text(raw, 'q'),
  status: oneOf(raw, 'status', STATUSES),
  role: oneOf(raw, 'role', ROLES),
  source: text(raw, 'source'),
  waiting: oneOf(raw, 'waiting', ['seat', 'approval'] as const),
  blocked: flag(raw, 'blocked'),
});
export const why = (raw: Raw): { q?: string | undefined } => ({ q: text(raw, 'q') });
export const runs = (raw: Raw): { state?: Schemas['RunState'] | undefined } => ({ state: oneOf(raw, 'state', RUN_STATES) });
export const run = (raw: Raw): { find?: string | undefined; open?: boolean | undefined } => ({
  find: text(raw, 'find'),
  open: flag(raw, 'open'),
});
export const attention = (raw: Raw): { ignored?: boolean | undefined } => ({ ignored: flag(raw, 'ignored') });
export const source = (raw: Raw): { tab?: SourceTab | undefined } => {
  const tab = oneOf(raw, 'tab', SOURCE_TABS);
  // The first tab is the address without one.
  return { tab: tab === 'status' ? undefined : tab };
};
export type SetUpSearch = { idp?: string | undefined; step?: number | undefined };
export const setUp = (raw: Raw): SetUpSearch => {
  const step = Number(raw.step);
  return { idp: text(raw, 'idp'), step: Number.isInteger(step) && step >= 2 && step <= 5 ? step : undefined };
};
export type AuditSearch = {
  kind?: string | undefined;
  subject?: string | undefined;
  request?: string | undefined;
  since?: string | undefined;
  until?: string | undefined;
};
const day = (raw: Raw, key: string) => {
  const value = text(raw, key);
  return value && /^\d{4}-\d{2}-\d{2}$/.test(value) && !Number.isNaN(Date.parse(value)) ? value : undefined;
};
export const audit = (raw: Raw): AuditSearch => ({
  kind: text(raw, 'kind'),
  subject: text(raw, 'subject'),
  request: text(raw, 'request'),
  since: day(raw, 'since'),
  until: day(raw, 'until'),
});
