import { expect, test } from 'vitest';
import { axe, base, signedIn, signInLink, tenant } from './console';

const console_ = signedIn();

test('sign in: a page that was asked for comes after the sign-in, by a link that the terminal printed', async () => {
  const page = await (await console_.browser.newContext()).newPage();
  await page.goto(tenant('members?status=invited'));
  await page.waitForURL(/\/sign-in$/);
  await page.goto(`${base}/sign-in?link=${signInLink()}`);
  expect(await axe(page)).toEqual([]);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.waitForURL(/\/t\/acme\/members\?status=invited/);
  await page.context().close();
});

test('sign in: a link that was used says so, and names the remedy', async () => {
  const page = await (await console_.browser.newContext()).newPage();
  const link = signInLink();
  await page.goto(`${base}/sign-in?link=${link}`);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.waitForURL(/\/t\/acme\/overview/);
  await page.context().clearCookies();
  await page.goto(`${base}/sign-in?link=${link}`);
  expect(await page.locator('main').innerText()).toMatch(/was used[\s\S]*ask an owner for a new link/);
  await page.context().close();
});

test('sign in: what is kept for afterwards leads to no other origin', async () => {
  const { page } = console_;
  for (const evil of ['https://evil.example/t/acme/', '//evil.example/t/', '/\\evil.example/t/', 'javascript:alert(1)']) {
    await page.evaluate((to) => sessionStorage.setItem('rollcall-back', to), evil);
    await page.goto(base);
    await page.waitForURL(/\/t\/acme\/overview/);
    expect(new URL(page.url()).origin).toBe(base);
  }
});

test('sign in: another organisation’s address says whose it is', async () => {
  const { page } = console_;
  await page.goto(`${base}/t/globex/members`);
  await page.getByRole('heading', { name: 'Another organisation' }).waitFor();
  await page.getByRole('link', { name: 'Go to Acme' }).click();
  await page.waitForURL(/\/t\/acme\/overview/);
});

test('session: when it ends the sign-in lies over the page, and what was typed stays', async () => {
  const { page, watch, context } = console_;
  await page.goto(tenant('members'));
  await page.getByRole('button', { name: 'Invite' }).click();
  await page.getByLabel('Email addresses, one a line').fill('kept@acme.example');
  await context.clearCookies();
  watch.allow = /401|changes/;
  await page.getByRole('button', { name: 'Invite 1 person' }).click();
  const again = page.getByRole('dialog', { name: 'Your session has ended' });
  await again.waitFor();
  expect(await axe(page)).toEqual([]);
  await again.getByLabel('Or a recovery code, or a one-time link').fill(signInLink());
  await again.getByRole('button', { name: 'Sign in with it' }).click();
  await page.getByText('1 person invited.').waitFor();
  watch.allow = /401|changes/;
});

test('headers: the page’s policy lets nothing foreign in, and files are packed and kept', async () => {
  const html = await fetch(`${base}/t/acme/overview`);
  const policy = html.headers.get('content-security-policy') ?? '';
  expect(policy).toContain("require-trusted-types-for 'script'");
  expect(policy).not.toContain('unsafe');
  expect([html.headers.get('cache-control'), html.headers.get('x-content-type-options')]).toEqual(['no-cache', 'nosniff']);
  const tag = html.headers.get('etag') ?? '';
  expect((await fetch(`${base}/`, { headers: { 'If-None-Match': tag } })).status).toBe(304);
  const [script] = (await html.text()).match(/assets\/index-[^"]+\.js/) ?? [];
  const packed = await fetch(`${base}/${script}`, { headers: { 'Accept-Encoding': 'br' } });
  expect([packed.status, packed.headers.get('content-encoding')]).toEqual([200, 'br']);
  expect(packed.headers.get('cache-control')).toContain('immutable');
  expect((await fetch(`${base}/assets/gone-12345678.js`)).status).toBe(404);
});
