import { expect, test } from 'vitest';
import { pieces } from '../../src/guides';
import { difference, effect, effectOf, hunkOf, openOf } from '../../src/pages/runs/items';
import { steps } from '../../src/parts/scale';
import { spans } from '../../src/parts/spans';
import { isTyped } from '../../src/parts/typed';
import * as search from '../../src/search';

test('an address that cannot be read is dropped part by part', () => {
  expect(search.members({ q: 12, status: 'nonsense', role: 'owner', blocked: 'true', waiting: {} })).toEqual({
    q: '12',
    status: undefined,
    role: 'owner',
    source: undefined,
    waiting: undefined,
    blocked: true,
  });
  expect(search.setUp({ step: 9, idp: ['okta'] })).toEqual({ idp: undefined, step: undefined });
  expect(search.audit({ since: '2026-13-40', until: '2026-12-01' })).toMatchObject({ since: undefined, until: '2026-12-01' });
});

test('actions fall into hunks, and what is impossible is no effect', () => {
  expect([hunkOf('suspend'), hunkOf('update_profile'), hunkOf('provision'), hunkOf('a_new_one')]).toEqual([
    'lose',
    'change',
    'come',
    'change',
  ]);
  expect(effectOf({ suspend: 3, release_seat: 2, provision: 1, impossible: 9 })).toEqual({ lose: 5, change: 0, come: 1 });
  expect(openOf({ counts: { take_seat: 5, impossible: 2 } })).toBe(5);
});

test('an effect is told in words, before and after', () => {
  const suspend = {
    action: 'suspend' as const,
    before: { seated: true, status: 'active' },
    after: { seated: false, status: 'suspended' },
  } as never;
  expect(effect(suspend)).toEqual({ before: 'seat kept, active', after: 'no seat, suspended' });
  const come = { action: 'provision' as const, before: null, after: { status: 'invited', seated: true, email: 'a@b.c' } } as never;
  expect(effect(come)).toEqual({ before: 'not there', after: 'invited, seat kept' });
});

test('two plans differ by their open items', () => {
  const item = (subject_id: string, decision: string) =>
    ({ subject_kind: 'directory_user', subject_id, action: 'suspend', group_id: null, decision }) as never;
  const { gone, came } = difference([item('a', 'held'), item('b', 'held'), item('c', 'applied')], [item('b', 'held'), item('d', 'held')]);
  expect([gone, came].map((all) => all.map((one) => one.subject_id))).toEqual([['a'], ['d']]);
});

test('axes have round steps from nought', () => {
  expect(steps(0)).toEqual([0, 1]);
  expect(steps(37)).toEqual([0, 10, 20, 30, 40]);
  expect(steps(8960).at(-1)).toBeGreaterThanOrEqual(8960);
});

test('requests fall into spans of equal length, none is lost', () => {
  const at = (minute: number) => new Date(Date.UTC(2026, 10, 29, 12, minute)).toISOString();
  const { counts } = spans([at(50), at(49), at(0)], Date.UTC(2026, 10, 29, 13));
  expect(counts.reduce((sum, n) => sum + n, 0)).toBe(3);
  expect(counts[0]).toBe(1);
});

test('a step of a guide is cut at its names and values', () => {
  expect(pieces('*Tenant URL*: {flagged}. *Secret token*: {token}')).toEqual([
    { kind: 'name', text: 'Tenant URL' },
    { kind: 'text', text: ': ' },
    { kind: 'flagged' },
    { kind: 'text', text: '. ' },
    { kind: 'name', text: 'Secret token' },
    { kind: 'text', text: ': ' },
    { kind: 'token' },
  ]);
});

test('an approval is typed as it is asked, but for capitals and spaces around', () => {
  expect([isTyped(' Approve 12 ', 'approve 12'), isTyped('approve 1', 'approve 12'), isTyped('', 'approve 0')]).toEqual([
    true,
    false,
    false,
  ]);
});
