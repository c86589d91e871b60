import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { api, axe, eventually, scim, settled, signedIn, user, visit } from './console';

const console_ = signedIn();
const SHOTS = process.env.CONSOLE_SHOTS;

/** Every page that the menu or another page leads to, with a tenant that has something on each. */
const paths: Record<string, string> = {
  overview: 'overview',
  members: 'members',
  'members without a match': 'members?q=nobody-is-called-so',
  why: 'why?q=nobody%40acme.example',
  groups: 'groups',
  runs: 'runs',
  attention: 'attention',
  'attention, ignored': 'attention?ignored=true',
  sources: 'sources',
  'set up a source': 'sources/new',
  policy: 'policy',
  audit: 'audit',
  'a page that is not there': 'nothing-here',
};

beforeAll(async () => {
  await scim('POST', '/Users', { ...user('noemail'), userName: 'noemail', emails: undefined });
  await scim('POST', '/Users', { schemas: ['urn:ietf:params:scim:schemas:core:2.0:User'], userName: '' });
  const { items } = await api('members?limit=2&managed_by=none&order=asc');
  const member = (await api('members?status=invited&limit=1')).items[0];
  const run = await eventually(async () => (await api('runs?limit=1&order=desc')).items[0]);
  const group = (await api('groups?limit=1')).items[0];
  const source = (await api('sources')).items[0];
  paths.member = `members/${member?.id}`;
  paths['the last owner'] = `members/${items[0]?.id}`;
  paths['why of a member'] = `why?q=${encodeURIComponent(String(member?.email))}`;
  paths.run = `runs/${run.id}`;
  paths.group = `groups/${group?.id}`;
  for (const tab of ['status', 'tokens', 'speaks', 'rejected', 'requests']) paths[`source, ${tab}`] = `sources/${source?.id}?tab=${tab}`;
  for (const step of [2, 3]) paths[`set-up, step ${step}`] = `sources/${source?.id}/set-up?idp=okta&step=${step}`;
});

describe('every page', () => {
  test('has no finding of axe in both themes, one focused heading and a title, and no sideways scrolling at 360 px', {
    timeout: 120_000,
  }, async () => {
    const { page } = console_;
    const findings: string[] = [];
    let before = '';
    for (const [name, path] of Object.entries(paths)) {
      await page.setViewportSize({ width: 1280, height: 900 });
      // In one page, as people go: each reload would leave a stream of changes behind.
      await page.evaluate((to) => {
        history.pushState({}, '', to);
        dispatchEvent(new PopStateEvent('popstate'));
      }, `/t/acme/${path}`);
      await page.waitForURL((url) => url.pathname + url.search === `/t/acme/${path}` || url.pathname === `/t/acme/${path.split('?')[0]}`);
      await settled(page);
      if (name.startsWith('set-up, step 3')) await page.getByText('has called').waitFor();
      const heading = await page.locator('h1').innerText();
      if ((await page.title()) !== `${heading} · Rollcall`) findings.push(`${name}: title ${await page.title()}`);
      if (heading !== before && !(await page.evaluate(() => document.activeElement?.tagName === 'H1')))
        findings.push(`${name}: heading without focus`);
      before = heading;
      for (const theme of ['light', 'dark']) {
        await page.evaluate((to) => {
          document.documentElement.dataset.theme = to;
        }, theme);
        for (const finding of await axe(page)) findings.push(`${name}, ${theme}: ${finding}`);
        await shoot(`${name}-1280-${theme}`);
      }
      await page.setViewportSize({ width: 360, height: 780 });
      if (await page.evaluate(() => document.documentElement.scrollWidth > innerWidth)) findings.push(`${name}: wider than 360 px`);
      await shoot(`${name}-360-dark`);
    }
    expect(findings).toEqual([]);
  });

  test('shows the problem and a way on when the hub answers 503', async () => {
    const { page, watch } = console_;
    watch.allow = /503|\/api\/v1\/groups/;
    const problem = {
      type: 'about:blank',
      title: 'Service Unavailable',
      status: 503,
      code: 'unavailable',
      detail: 'the database does not answer',
    };
    await page.route('**/api/v1/groups?*', (route) => route.fulfill({ status: 503, json: problem, headers: { 'X-Request-Id': 'r-1' } }));
    await page.goto(page.url().replace(/\/t\/acme.*/, '/t/acme/groups'));
    const box = page.getByRole('alert');
    await box.waitFor();
    expect(await box.innerText()).toMatch(/The hub is not available[\s\S]*The database does not answer\.[\s\S]*503 unavailable[\s\S]*r-1/);
    await page.unroute('**/api/v1/groups?*');
    await page.getByRole('button', { name: 'Try again' }).click();
    await page.getByRole('table', { name: 'Groups' }).waitFor();
    watch.allow = /503|\/api\/v1\/groups/;
  });

  test('is reached by keys: search, go-to and help, none of them while something is typed', async () => {
    const { page } = console_;
    await visit(page, 'overview');
    await page.keyboard.press('g');
    await page.keyboard.press('m');
    await page.waitForURL(/\/members/);
    await page.getByLabel('Name, email or id').fill('gr');
    expect(page.url()).toContain('/members');
    await page.keyboard.press('Control+k');
    await page.getByRole('combobox', { name: /People by name/ }).fill('policy');
    expect(await axe(page)).toEqual([]);
    await page.keyboard.press('Enter');
    await page.waitForURL(/\/policy/);
    await page.getByRole('heading', { level: 1, name: 'Policy' }).click();
    await page.keyboard.press('?');
    const help = page.getByRole('dialog', { name: 'Keys' });
    await help.waitFor();
    expect(await axe(page)).toEqual([]);
    await page.keyboard.press('Escape');
    await help.waitFor({ state: 'hidden' });
  });
});

async function shoot(name: string) {
  if (!SHOTS) return;
  mkdirSync(SHOTS, { recursive: true });
  await console_.page.screenshot({ path: join(SHOTS, `${name.replaceAll(/[^a-z0-9-]+/gi, '-')}.png`) });
}
