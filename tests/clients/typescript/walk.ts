// A program of an integrator in TypeScript: every type is generated from the hub's OpenAPI document, and no cast helps it.
// node walk.js ADDRESS KEY SOURCE, prints a JSON list of problems.
import createClient from 'openapi-fetch';
import type { components, paths } from './api.js';

declare const process: { argv: [string, string, string, string, string] };
const [, , baseUrl, key, source] = process.argv;
const hub = createClient<paths>({ baseUrl, headers: { Authorization: `Bearer ${key}` } });
const problems: string[] = [];

function expect(what: string, said: unknown, wanted: unknown) {
  if (JSON.stringify(said) !== JSON.stringify(wanted)) problems.push(`${what}: ${JSON.stringify(said)} instead of ${JSON.stringify(wanted)}`);
}

// The statuses are a closed list: a new one does not compile here before it has a word.
function word(status: components['schemas']['Member']['status']): string {
  switch (status) {
    case 'pending': return 'waits';
    case 'invited': return 'invited';
    case 'active': return 'in';
    case 'suspended': return 'out';
    case 'removed': return 'gone';
  }
}

// Every member, page by page.
async function members(status?: components['schemas']['Member']['status']) {
  const all: components['schemas']['Member'][] = [];
  let cursor: string | null | undefined;
  do {
    const query = { limit: 2, ...(cursor ? { cursor } : {}), ...(status ? { status } : {}) };
    const { data, error } = await hub.GET('/api/v1/members', { params: { query } });
    if (!data) throw new Error(error.detail ?? error.title);
    all.push(...data.items);
    cursor = data.next_cursor;
  } while (cursor);
  return all;
}

const caller = await hub.GET('/api/v1/session');
expect('the caller of a key', [caller.data?.role, caller.data?.member], ['owner', null]);

const everybody = await members();
expect('everybody', everybody.map((one) => one.email).sort(), ['ann', 'bea', 'cem'].map((name) => `${name}@types.example`));
expect('their states', new Set(everybody.map((one) => word(one.status))).size, 1);

const ann = everybody.find((one) => one.email.startsWith('ann@'));
if (!ann) throw new Error('no ann');
const one = { params: { path: { id: ann.id } } };
const named = await hub.PATCH('/api/v1/members/{id}', { ...one, body: { role: 'admin' } });
expect('a role', named.data?.role, 'admin');
const explained = await hub.GET('/api/v1/members/{id}/explain', one);
expect('an explanation', [explained.data?.access, explained.data?.gates.every((gate) => typeof gate.gate === 'string')], [true, true]);

const unknown = await hub.GET('/api/v1/members/{id}', { params: { path: { id: source } } });
expect('a problem has a title', [unknown.response.status, typeof unknown.error?.title], [404, 'string']);
const before = await hub.GET('/api/v1/policy');
const stale = { policy: { removal_limit: { count: 5 } }, version: (before.data?.version ?? 0) + 7 };
expect('another version', (await hub.PATCH('/api/v1/policy', { body: stale })).response.status, 409);
const changed = await hub.PATCH('/api/v1/policy', { body: { ...stale, version: before.data?.version ?? 0 } });
expect('the policy', changed.data?.policy.removal_limit?.count, 5);

const header = { 'Idempotency-Key': `types-${source}` };
const rotated = await hub.POST('/api/v1/sources/{id}/tokens', { params: { path: { id: source }, header }, body: { name: 'types' } });
const again = await hub.POST('/api/v1/sources/{id}/tokens', { params: { path: { id: source }, header }, body: { name: 'types' } });
expect('a token is shown once', [rotated.data?.token?.slice(0, 4), again.data?.token], ['rcs_', null]);
expect('and made once', rotated.data?.id, again.data?.id);

const blocked = await hub.POST('/api/v1/members/block', { body: { member_ids: everybody.map((member) => member.id) } });
const results = new Map(blocked.data?.items.map((item) => [item.member_id, item.reason ?? item.result]));
expect('each with a result', everybody.map((member) => results.get(member.id)), everybody.map((member) => member === ann ? 'last_active_admin' : 'done'));
expect('two are out', (await members('suspended')).length, 2);
console.log(JSON.stringify(problems));
