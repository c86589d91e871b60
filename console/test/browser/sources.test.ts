import { describe, expect, test } from 'vitest';
import { api, axe, eventually, scim, settled, signedIn, tenant, user, visit } from './console';
import { simulate } from './hub';

const console_ = signedIn();

describe('set up a source', () => {
  test('DS4, DS6: from the provider to the plan: the token once, the first call noticed, its digest approved', {
    timeout: 90_000,
  }, async () => {
    const { page } = console_;
    await visit(page, 'sources/new');
    await page.getByLabel('OneLogin').check();
    await page.getByLabel('Name of the source').fill('Second');
    await page.getByRole('button', { name: 'Make the source' }).click();
    await page.getByText('2. Give OneLogin these values').waitFor();
    const address = await page.getByRole('definition').first().locator('code').innerText();
    const token = await page.getByRole('region', { name: 'Token' }).locator('code').innerText();
    expect(token).toMatch(/^rcs_/);
    expect(page.url()).not.toContain('rcs_');
    expect(await axe(page)).toEqual([]);
    await page.getByRole('button', { name: 'I have pasted them' }).click();
    await page.getByText('Waiting for the first request').waitFor();
    const called = Date.now();
    expect((await scim('GET', '/Users?count=1', undefined, { scim: address, token })).status).toBe(200);
    await page.getByText('OneLogin has called.').waitFor({ timeout: 10_000 });
    // The hub writes its log of requests every three seconds; the page asks every second.
    expect(Date.now() - called).toBeLessThan(5000);
    await page.getByText('It asked for people 1 time').waitFor();
    // Gone after leaving, and in no place of the page.
    await page.getByRole('button', { name: 'Back' }).click();
    await page.reload();
    await settled(page);
    await page.getByText('The token was shown once.').waitFor();
    expect(await page.content()).not.toContain(token);
    const kept = await page.evaluate(() => JSON.stringify([{ ...localStorage }, { ...sessionStorage }]));
    expect(kept).not.toContain('rcs_');
    simulate(address, token, '--users', '40', '--phases', 'people');
    await page.goto(page.url().replace('step=2', 'step=4'));
    await page.getByText(/taken over/).waitFor({ timeout: 20_000 });
    await eventually(async () => (await page.getByText('not in the plan yet').count()) === 0);
    const label = await page.getByText(/Type “go live \d+” to go live/).innerText();
    const go = page.getByRole('button', { name: 'Make it live' });
    expect(await go.isDisabled()).toBe(true);
    await page.getByLabel(/to go live/).fill(label.match(/go live \d+/)?.[0] ?? '');
    const sent = page.waitForRequest((request) => request.url().endsWith('/promote'));
    await go.click();
    expect((await sent).postDataJSON().digest).toMatch(/^[0-9a-f]{64}$/);
    await page.getByText('5. It is live').waitFor();
  });

  test('DS2: a second live source is impossible, and the page of the source says how else', async () => {
    const { page } = console_;
    await visit(page, 'sources');
    await page.getByRole('link', { name: 'Okta' }).click();
    await page.getByText('Another source is live. Promote this one instead').waitFor();
  });
});

describe('source', () => {
  test('DS6: rotation shows the new token once, and when the old one ends', async () => {
    const { page } = console_;
    const source = (await api('sources')).items.find(({ name }) => name === 'Okta');
    await visit(page, `sources/${source?.id}?tab=tokens`);
    await page.getByRole('button', { name: 'Make a token' }).click();
    await page.getByRole('dialog').getByLabel('Name (optional)').fill('spare');
    await page.getByRole('dialog').getByRole('button', { name: 'Make a token' }).click();
    await page.getByRole('button', { name: 'I have stored it' }).click();
    await page.locator('li', { hasText: 'spare' }).getByRole('button', { name: 'Rotate' }).click();
    await page.getByLabel('The old token works on for').selectOption('3600');
    await page.getByRole('dialog').getByRole('button', { name: 'Rotate' }).click();
    await page.getByText(/The old token ends in \d+ (min|hr)/).waitFor();
    const secret = page.getByRole('region', { name: 'Token' });
    expect(await secret.locator('code').innerText()).toMatch(/^rcs_/);
    await page.getByRole('button', { name: 'I have stored it' }).click();
    expect(await secret.count()).toBe(0);
    await page.getByText('replaced; works until').waitFor();
  });

  test('what was not understood can be replayed, and shows the answer', async () => {
    const { page } = console_;
    const source = (await api('sources')).items.find(({ name }) => name === 'Okta');
    await scim('POST', '/Users', { ...user('x'), userName: '' });
    await eventually(async () => (await api(`sources/${source?.id}/rejected`)).items[0]);
    await visit(page, `sources/${source?.id}?tab=rejected`);
    await page.getByRole('button', { name: 'Replay' }).first().click();
    await page.getByText('The answer now is 400').waitFor();
  });
});

describe('needs attention', () => {
  test('PE10: each row names the person, the reason and a remedy; ignored ones are found', async () => {
    const { page } = console_;
    const second = (await api('sources')).items.find(({ mode }) => mode === 'live');
    const made = await api(`sources/${second?.id}/tokens`, 'POST', {});
    const live = { scim: `${tenant('').replace(/\/t\/acme\/$/, '')}/scim/v2/${second?.id}`, token: String(made.token) };
    await scim(
      'POST',
      '/Users',
      { schemas: ['urn:ietf:params:scim:schemas:core:2.0:User'], userName: 'no-address', externalId: 'na', active: true },
      live,
    );
    await eventually(async () => (await api('skipped-records')).items.find(({ name }) => name === 'no-address'));
    await visit(page, 'attention');
    const row = page.locator('li', { hasText: 'no-address' });
    expect(await row.innerText()).toContain('Give the person an email address in the directory');
    await row.getByRole('button', { name: 'Ignore' }).click();
    await page.getByLabel('Note (optional)').fill('a printer');
    await page.getByRole('dialog').getByRole('button', { name: 'Ignore' }).click();
    await row.waitFor({ state: 'hidden' });
    await page.getByRole('link', { name: 'Ignored' }).click();
    await page.getByText('a printer').waitFor();
  });
});

describe('groups', () => {
  test('DX20: a fed group cannot be deleted, and says where it is fed', async () => {
    const { page } = console_;
    await visit(page, 'groups');
    await page.locator('tbody a').first().click();
    await page.getByText(/fills this group/).waitFor();
    expect(await page.getByRole('button', { name: 'Delete the group' }).isDisabled()).toBe(true);
  });
});

describe('policy', () => {
  test('DA11: deprovisioning is not turned on before the list of who would leave was looked at; only changed keys are sent', async () => {
    const { page } = console_;
    await api('policy', 'PATCH', { policy: { auto_deprovision: false } });
    await visit(page, 'policy');
    await page.getByLabel('People who left lose access').check();
    await page.getByRole('button', { name: 'Review the change' }).click();
    const dialog = page.getByRole('dialog', { name: 'What changes' });
    const save = dialog.getByRole('button', { name: 'Save the change' });
    expect(await save.isDisabled()).toBe(true);
    await dialog.getByText(/deprovisioning is off/).waitFor();
    expect(await axe(page)).toEqual([]);
    await dialog.getByLabel('I have looked at this list').check();
    const sent = page.waitForRequest((request) => request.method() === 'PATCH');
    await save.click();
    expect((await sent).postDataJSON().policy).toEqual({ auto_deprovision: true });
    await page.getByText('The policy is saved.').waitFor();
  });

  test('PE8: two admins at once: both sets of changes are shown, and mine can be kept', async () => {
    const { page, watch } = console_;
    await visit(page, 'policy');
    await page.getByLabel('Devices are asked to be wiped').click();
    await page.getByRole('button', { name: 'Review the change' }).click();
    await api('policy', 'PATCH', { policy: { seat_order: 'email' } });
    watch.allow = /409/;
    const dialog = page.getByRole('dialog', { name: 'What changes' });
    const save = dialog.getByRole('button', { name: 'Save the change' });
    if (await save.count()) await save.click({ timeout: 1000 }).catch(() => null);
    await dialog.getByText('Somebody else changed the policy meanwhile').waitFor();
    expect(await dialog.innerText()).toMatch(/Seats are given[\s\S]*In force now: by address/);
    await dialog.getByRole('button', { name: 'Keep mine on the new version' }).click();
    await dialog.getByRole('button', { name: 'Save the change' }).click();
    await page.getByText('The policy is saved.').first().waitFor();
    expect((await api('policy')).policy).toMatchObject({ seat_order: 'email' });
    watch.allow = /409/;
  });
});
