import { beforeAll, describe, expect, test } from 'vitest';
import { api, axe, eventually, scim, settled, signedIn, tenant, visit } from './console';

const console_ = signedIn();
type Known = { id: string; userName: string };
let people: Known[] = [];

/** Enables or disables people as an identity provider does. */
async function enable(some: Known[], active: boolean) {
  const value = { schemas: ['urn:ietf:params:scim:api:messages:2.0:PatchOp'], Operations: [{ op: 'replace', value: { active } }] };
  for (const { id } of some) expect((await scim('PATCH', `/Users/${id}`, value)).status).toBe(200);
}
/** The held run, once the worker has looked at every change: its plan stays as it is. */
const held = () =>
  eventually(async () => {
    const { backlog } = (await api('overview')) as unknown as { backlog: { changes: number } };
    return backlog.changes === 0 && (await api('runs?state=held')).items[0];
  });
const openCount = (run: { [key: string]: unknown }) => Object.values(run.counts as Record<string, number>).reduce((sum, n) => sum + n, 0);

beforeAll(async () => {
  const { body } = await scim('GET', '/Users?count=200');
  people = (body.Resources ?? []).filter(({ userName }) => userName.endsWith('@example.test'));
  expect(people.length).toBeGreaterThan(30);
});

describe('overview', () => {
  test('a held run shows within 5 s without a reload, and counts in the menu', async () => {
    const { page } = console_;
    await visit(page, 'overview');
    await page
      .getByText('Nothing needs you')
      .or(page.getByText('records are skipped').or(page.getByText('record is skipped')))
      .first()
      .waitFor();
    await eventually(async () =>
      page.evaluate(() => performance.getEntriesByType('resource').some(({ name }) => name.includes('/api/v1/overview'))),
    );
    // Over the removal limit: access ends, and the seats of what is over it are held.
    await enable(people.slice(0, 16), false);
    await held();
    const before = Date.now();
    await page.getByRole('link', { name: 'Review the plan' }).waitFor({ timeout: 5000 });
    await page
      .getByRole('navigation', { name: 'Menu' })
      .getByRole('link', { name: /Runs 1/ })
      .waitFor({ timeout: 5000 });
    expect(Date.now() - before).toBeLessThan(5000);
  });
});

describe('run review', () => {
  test('RC18: approving takes the typed count of open items, and is usable at 360 px', async () => {
    const { page } = console_;
    const run = await held();
    await visit(page, `runs/${run.id}`);
    const open = openCount(run);
    const approve = page.getByRole('button', { name: `Approve ${open}` });
    expect(await approve.isDisabled()).toBe(true);
    await page.setViewportSize({ width: 360, height: 780 });
    await page.getByLabel(/to approve/).fill('approve 1234');
    expect(await approve.isDisabled()).toBe(true);
    await page.getByLabel(/to approve/).fill(`approve ${open}`);
    expect(await approve.isEnabled()).toBe(true);
    expect(await approve.isVisible()).toBe(true);
    await page.getByLabel(/to approve/).fill('');
    expect(await axe(page)).toEqual([]);
  });

  test('DA11: items are looked at by keyboard, filtered by name, and by what waits', async () => {
    const { page } = console_;
    const run = await held();
    await visit(page, `runs/${run.id}`);
    await page.locator('.plan-row').first().focus();
    await page.keyboard.press('Enter');
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('j');
    await page.getByText(`3 of ${openCount(run)} looked at`).waitFor();
    await page.getByRole('link', { name: 'The whole story of this person' }).waitFor();
    const name = (await page.locator('.plan-row b').first().innerText()).slice(0, 6);
    await page.getByLabel('Find a person or group').fill(name);
    await page.waitForURL(/find=/);
    for (const row of await page.locator('.plan-row').allInnerTexts()) expect(row).toContain(name);
    await page.getByLabel('Only what waits').check();
    await page.waitForURL(/open=true/);
  });

  test('RC18: a plan that moved shows the difference, and nothing is approved', async () => {
    const { page } = console_;
    const run = await held();
    await visit(page, `runs/${run.id}`);
    await page.getByText(/0 of \d+ looked at/).waitFor();
    const items = await api(`runs/${run.id}/items`);
    const back = people.find(({ id }) => id === items.items[0]?.subject_id);
    if (!back) throw new Error('the person of the first item');
    await enable([back], true);
    const box = page.getByRole('alert');
    await box.getByText('The plan has changed while you read').waitFor({ timeout: 10_000 });
    await box.getByText('No longer in the plan: 1').waitFor();
    expect(await page.getByLabel(/to approve/).isDisabled()).toBe(true);
    expect(await axe(page)).toEqual([]);
    expect((await api(`runs/${run.id}`)).state).toBe('held');
    await box.getByRole('button', { name: 'Review the new plan' }).click();
    await box.waitFor({ state: 'hidden' });
    expect(await page.getByLabel(/to approve/).isEnabled()).toBe(true);
  });

  test('RC18: the digest that was read is sent, and the page follows to applied', async () => {
    const { page } = console_;
    const run = await held();
    await visit(page, `runs/${run.id}`);
    const open = openCount(run);
    const sent = page.waitForRequest((request) => request.url().endsWith('/approve'));
    await page.getByLabel(/to approve/).fill(`approve ${open}`);
    await page.getByRole('button', { name: `Approve ${open}` }).click();
    expect((await sent).postDataJSON()).toEqual({ digest: run.digest });
    await page.getByRole('heading', { name: 'Run: applied' }).waitFor({ timeout: 15_000 });
    await page.getByRole('button', { name: 'Take this run back' }).waitFor();
  });

  test('a run can be rejected', async () => {
    const { page } = console_;
    await enable(people.slice(16, 32), false);
    const run = await held();
    await visit(page, `runs/${run.id}`);
    await page.getByLabel(/Reason/).fill('They are on leave');
    await page.getByRole('button', { name: 'Reject', exact: true }).click();
    await page.getByRole('heading', { name: 'Run: rejected' }).waitFor();
    expect((await api(`runs/${run.id}`)).state).toBe('rejected');
    const told = (await api('audit-events?kind=run.rejected&limit=1&order=desc')).items[0];
    expect((told as { detail?: { note?: string } } | undefined)?.detail?.note).toBe('They are on leave');
  });

  test('RC4: a run is taken back by a plan that is reviewed and can be rejected', async () => {
    const { page } = console_;
    const run = (await api('runs?state=applied&limit=1&order=desc')).items[0];
    await visit(page, `runs/${run?.id}`);
    await page.getByRole('button', { name: 'Take this run back' }).click();
    // The page has seen the run while it was planned.
    await page.getByText(/Approving takes back/).waitFor({ timeout: 15_000 });
    const planned = page.url().split('/').pop() ?? '';
    expect(planned).not.toBe(run?.id);
    await page.getByRole('button', { name: 'Reject', exact: true }).click();
    await page.getByRole('heading', { name: 'Run: rejected' }).waitFor();
    expect((await api(`runs/${planned}`)).state).toBe('rejected');
    await enable(people.slice(0, 32), true);
  });
});

describe('audit log', () => {
  test('a request id that is pasted finds its events, with both times', async () => {
    const { page } = console_;
    const event = (await api('audit-events?kind=member.suspended&limit=1&order=desc')).items[0];
    const request = (event as { cause?: { request_id: string } } | undefined)?.cause?.request_id ?? '';
    await page.goto(tenant('audit'));
    await settled(page);
    await page.getByLabel(/Id of a request/).fill(request);
    const answered = page.waitForResponse((response) => response.url().includes(`request_id=${request}`));
    await page.keyboard.press('Enter');
    await page.waitForURL(/request=/);
    await answered;
    await page.locator('.list summary').first().click();
    await page.getByText(request).first().waitFor();
    expect(await page.locator('.list details[open]').innerText()).toMatch(/\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC/);
  });

  test('new events are announced, and not put under the reader', async () => {
    const { page } = console_;
    await visit(page, 'audit');
    // The list is read once more when the stream of changes begins.
    const isReadTwice = () => performance.getEntriesByType('resource').filter(({ name }) => name.includes('/audit-events?')).length >= 2;
    await eventually(async () => page.evaluate(isReadTwice));
    const first = await page.locator('.list summary').first().innerText();
    const { policy } = (await api('policy')) as unknown as { policy: { wipe_on_suspend: boolean } };
    await api('policy', 'PATCH', { policy: { wipe_on_suspend: !policy.wipe_on_suspend } });
    await page.getByText('There are new events.').waitFor({ timeout: 10_000 });
    expect(await page.locator('.list summary').first().innerText()).toBe(first);
    await page.getByRole('button', { name: 'Show them' }).click();
    await page.locator('.list').getByText('Policy changed').first().waitFor();
  });
});
