import { describe, expect, test } from 'vitest';
import { api, axe, eventually, scim, settled, signedIn, tenant, user, visit } from './console';

const console_ = signedIn();
const rows = () => console_.page.locator('tbody tr:not(.spacer)');

describe('members', () => {
  test('DA5: what is typed is in the address within 300 ms, and a reload shows the same', async () => {
    const { page } = console_;
    await visit(page, 'members');
    const typed = Date.now();
    await page.getByLabel('Name, email or id').fill('smith');
    await page.waitForURL(/q=smith/);
    // The last key is the beginning; typing itself takes its time.
    expect(Date.now() - typed).toBeLessThan(600);
    await page.waitForFunction(() => [...document.querySelectorAll('tbody a')].every((one) => /smith/i.test(one.textContent ?? '')));
    await page.reload();
    await settled(page);
    expect(await page.getByLabel('Name, email or id').inputValue()).toBe('smith');
    for (const email of await page.locator('tbody a').allInnerTexts()) expect(email).toMatch(/smith/i);
  });

  test('DA5: an id or an external id that is pasted finds the person', async () => {
    const { page } = console_;
    const member = (await api('members?status=invited&limit=1')).items[0];
    for (const id of [member?.id, member?.external_id]) {
      await visit(page, `members?q=${id}`);
      await page.getByText('1 shown').waitFor();
      expect(await rows().count()).toBe(1);
      expect(await rows().innerText()).toContain(String(member?.email));
    }
  });

  test('DW9: shift-click picks a range, and a bulk answer tells done and not done, each by itself', async () => {
    const { page } = console_;
    await visit(page, 'members?status=invited');
    await rows().nth(0).getByRole('checkbox').click();
    await rows()
      .nth(2)
      .getByRole('checkbox')
      .click({ modifiers: ['Shift'] });
    await page.getByText('3 people picked').waitFor();
    await page.getByRole('button', { name: 'Send the invitation again' }).click();
    const dialog = page.getByRole('dialog');
    expect(await axe(page)).toEqual([]);
    // One of them is taken out meanwhile.
    const email = await rows().nth(0).getByRole('link').innerText();
    const { id } = (await api(`members?email=${encodeURIComponent(email)}`)).items[0] ?? {};
    await api(`members/${id}/block`, 'POST');
    await dialog.getByRole('button', { name: /Send the invitation again/ }).click();
    await dialog.getByText('2 done, 0 unchanged, 1 not done.').waitFor();
    expect(await dialog.locator('li').innerText()).toContain('has no open invitation');
    await dialog.getByRole('button', { name: 'Close' }).click();
    await api(`members/${id}/unblock`, 'POST');
  });

  test('DA5: the CSV has the rows of the filter', async () => {
    const { page } = console_;
    await visit(page, 'members?status=invited');
    const link = await page.getByRole('link', { name: 'Export CSV' }).getAttribute('href');
    const csv = await page.evaluate(async (to) => await (await fetch(to)).text(), String(link));
    const { items } = await api('members?status=invited&limit=200');
    expect(csv.trim().split('\n').length - 1).toBe(items.length);
    for (const { email } of items) expect(csv).toContain(String(email));
  });

  test('PE2: people are invited by hand, and a refused address says why', async () => {
    const { page } = console_;
    await visit(page, 'members');
    await page.getByRole('button', { name: 'Invite' }).click();
    await page.getByLabel('Email addresses, one a line').fill('new.person@acme.example\nnot-an-address');
    await page.getByRole('button', { name: 'Invite 2 people' }).click();
    await page.getByText('1 person invited.').waitFor();
    expect(await page.getByRole('dialog').locator('li').innerText()).toMatch(/not-an-address/);
    await page.getByRole('button', { name: 'Close' }).click();
    await page.getByRole('link', { name: 'new.person@acme.example' }).waitFor();
  });

  test('10,000 rows: fewer than 1,000 nodes and less than 40 MB at the end; a failed page keeps the rows', {
    timeout: 120_000,
  }, async () => {
    const { page, watch } = console_;
    for (let batch = 0; batch < 10; batch += 1) {
      const members = Array.from({ length: 1000 }, (_, at) => ({
        email: `p${batch}-${at}@many.example`,
        display_name: `Many ${batch}-${at}`,
      }));
      await api('members/invite', 'POST', { members });
    }
    await visit(page, 'members?q=many');
    let failed = false;
    watch.allow = /400|members\?/;
    await page.route('**/api/v1/members?*cursor*', (route) => {
      if (failed) return route.continue();
      failed = true;
      return route.fulfill({
        status: 400,
        json: { code: 'bad_request', detail: 'a page that fails', status: 400, title: 'Bad Request', type: 'about:blank' },
      });
    });
    await page.mouse.wheel(0, 6000);
    await page.getByText('A page that fails.').waitFor();
    expect(await rows().count()).toBeGreaterThan(10);
    await page.getByRole('button', { name: 'Try again' }).click();
    watch.allow = /400|members\?/;
    await eventually(async () => {
      await page.evaluate(() => scrollTo(0, document.documentElement.scrollHeight));
      return (await page.getByText('10,000 shown').count()) > 0;
    }, 90_000);
    const nodes = await page.evaluate(() => document.querySelectorAll('*').length);
    expect(nodes).toBeLessThan(1000);
    const session = await page.context().newCDPSession(page);
    await session.send('HeapProfiler.collectGarbage');
    const { usedSize } = (await session.send('Runtime.getHeapUsage')) as { usedSize: number };
    console.log(`members: ${nodes} nodes, ${(usedSize / 1e6).toFixed(1)} MB`);
    expect(usedSize / 1e6).toBeLessThan(40);
    await page.unroute('**/api/v1/members?*cursor*');
  });
});

describe('member', () => {
  test('the last owner cannot be demoted, and the page says why before the click', async () => {
    const { page } = console_;
    const owner = (await api('members?role=owner')).items[0];
    await visit(page, `members/${owner?.id}`);
    await page.getByText('The last owner stays an owner').waitFor();
    expect(await page.getByLabel('Role', { exact: true }).isDisabled()).toBe(true);
  });

  test('DX1: a managed person names the source that owns the fields; decisions are those of the state', async () => {
    const { page } = console_;
    const member = (await api('members?status=invited&limit=50')).items.find((one) => one.managed_by);
    await visit(page, `members/${member?.id}`);
    await page.getByText('Okta owns email, name and groups').waitFor();
    expect(await page.getByRole('button', { name: 'Approve' }).count()).toBe(0);
    expect(await page.getByRole('button', { name: 'Block' }).count()).toBe(1);
  });

  test('DW9: 409 shows both values, and mine can be kept', async () => {
    const { page, watch } = console_;
    const member = (await api('members?status=invited&limit=50')).items.find((one) => one.managed_by);
    await visit(page, `members/${member?.id}`);
    await page.getByLabel('Billing contact').check();
    await page.route('**/api/v1/changes', (route) => route.abort());
    await api(`members/${member?.id}`, 'PATCH', { role: 'auditor' });
    await page.getByRole('button', { name: 'Save' }).click();
    watch.allow = /409|changes/;
    const box = page.getByRole('alert');
    await box.getByText('Now: Auditor').waitFor();
    expect(await box.innerText()).toContain('Yours: Member, Billing contact');
    await page.unroute('**/api/v1/changes');
    await api(`members/${member?.id}`, 'PATCH', { role: 'member' });
  });
});

describe('why', () => {
  test('PE14: an unknown person gets an answer', async () => {
    const { page } = console_;
    await visit(page, 'why');
    await page.getByLabel('Email, external id or name').fill('stranger@acme.example');
    await page.getByRole('button', { name: 'Ask' }).click();
    await page.waitForURL(/q=stranger/);
    await page.locator('.chain').waitFor();
    expect(await page.locator('main').innerText()).toContain('No access');
  });

  test('PE14: the deciding gate alone has the colour of alarm, a link gives the same answer, and after the remedy it updates by itself', async () => {
    const { page } = console_;
    const made = await scim('POST', '/Users', user('chain', true));
    const member = await eventually(async () => (await api('members?email=chain@acme.example')).items[0]);
    await api(`members/${member.id}/block`, 'POST');
    await page.goto(tenant('why?q=chain@acme.example'));
    await page.locator('[data-decides=true]').waitFor();
    expect(await page.locator('[data-decides=true]').count()).toBe(1);
    expect(await page.locator('[data-decides=true] h3').innerText()).toContain('Block');
    const answer = async () => [await page.locator('article h2').innerText(), await page.locator('[data-decides=true]').innerText()];
    const said = await answer();
    await page.reload();
    await page.locator('[data-decides=true]').waitFor();
    expect(await answer()).toEqual(said);
    await api(`members/${member.id}/unblock`, 'POST');
    await eventually(async () => !(await page.locator('article').innerText()).includes('An admin blocked'));
    await page.getByRole('button', { name: 'What would happen now?' }).click();
    await page.getByText('The source says:').waitFor();
    expect(made.status).toBe(201);
  });
});
