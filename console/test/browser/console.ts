// A signed-in browser, and the guards of every test: no error in the console, no report of the page's policy, no failed request and
// none to another origin.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, expect } from 'vitest';
import { command, found, type Hub, OWNER, startHub } from './hub';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
let hub: Hub;
/** The address of this file's hub, once it is up. */
export let base = '';
export const tenant = (path: string) => `${base}/t/acme/${path}`;

type Api = { items: { id: string; [key: string]: unknown }[]; [key: string]: unknown };
/** The REST API with an owner's key. */
export async function api(path: string, method = 'GET', body?: unknown): Promise<Api> {
  const headers = { Authorization: `Bearer ${hub.key}`, 'Content-Type': 'application/json' };
  const answer = await fetch(`${base}/api/v1/${path}`, { method, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) });
  if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`);
  return answer.status === 204 ? { items: [] } : ((await answer.json()) as Api);
}
/** A request of an identity provider. */
export async function scim(method: string, path: string, body?: unknown, source = { scim: hub.scim, token: hub.token }) {
  const headers = { Authorization: `Bearer ${source.token}`, 'Content-Type': 'application/scim+json' };
  const answer = await fetch(`${source.scim}${path}`, { method, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) });
  return {
    status: answer.status,
    body: (await answer.json().catch(() => ({}))) as { id: string; Resources?: { id: string; userName: string }[] },
  };
}
export const user = (name: string, active = true) => ({
  schemas: ['urn:ietf:params:scim:schemas:core:2.0:User'],
  userName: `${name}@acme.example`,
  externalId: `x-${name}`,
  active,
  emails: [{ value: `${name}@acme.example`, primary: true }],
});
/** Polls until the value is there: a worker needs its moment. */
export async function eventually<T>(look: () => Promise<T | undefined | false | null>, within = 15_000): Promise<T> {
  const end = Date.now() + within;
  for (;;) {
    const value = await look();
    if (value) return value;
    if (Date.now() > end) throw new Error(`not within ${within} ms: ${look}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

export const signInLink = () => found(command(hub.data, 'sign-in-link', '--tenant', 'acme', '--email', OWNER), /rcl_\S+/);

/** Says what went wrong in a page. `allow` names what the test itself provokes. */
export class Watch {
  private readonly heard: string[] = [];
  allow: RegExp | null = null;
  on(page: Page) {
    page.on('console', (message) => {
      if (message.type() === 'error') this.heard.push(`console: ${message.text()} ${message.location().url}`);
    });
    page.on('pageerror', (error) => this.heard.push(`error: ${error.stack}`));
    page.on('requestfailed', (request) => {
      const why = request.failure()?.errorText ?? '';
      // A page that is left, and a filter that is overtaken, take their requests back.
      if (!why.includes('ERR_ABORTED')) this.heard.push(`failed: ${request.url()} ${why}`);
    });
    page.on('request', (request) => {
      if (!request.url().startsWith(base) && !request.url().startsWith('data:')) this.heard.push(`foreign: ${request.url()}`);
    });
  }
  take(): string[] {
    const { allow } = this;
    const bad = this.heard.splice(0).filter((line) => !allow?.test(line));
    this.allow = null;
    return bad;
  }
}

/** A browser for the tests of one file, signed in once. */
export function signedIn() {
  const held = { watch: new Watch() } as { browser: Browser; context: BrowserContext; page: Page; watch: Watch };
  beforeAll(async () => {
    hub = await startHub();
    base = hub.base;
    held.browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: ['--no-sandbox'] });
    held.context = await held.browser.newContext({ viewport: { width: 1280, height: 900 }, acceptDownloads: true });
    held.page = await held.context.newPage();
    await signIn(held.page);
    held.watch.on(held.page);
  });
  beforeEach(async () => {
    await held.page.setViewportSize({ width: 1280, height: 900 });
  });
  afterEach(() => expect(held.watch.take()).toEqual([]));
  afterAll(async () => {
    await held.browser?.close();
    hub?.stop();
  });
  return held;
}

export async function signIn(page: Page) {
  await page.goto(`${base}/sign-in?link=${signInLink()}`);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.waitForURL(/\/t\/acme\/overview/);
}

/** Opens a page of the console and waits until it is read. */
export async function visit(page: Page, path: string) {
  await page.goto(tenant(path));
  await settled(page);
}
export async function settled(page: Page) {
  await page.locator('main h1').waitFor();
  await page.waitForFunction(() => !document.querySelector('main .loading'));
}

type Violation = { id: string; nodes: { html: string }[] };
/** The findings of axe, with all of its default rules. The page's policy lets no script in; the protocol of the browser does. */
export async function axe(page: Page): Promise<string[]> {
  const session = await page.context().newCDPSession(page);
  try {
    await session.send('Runtime.evaluate', { expression: AXE });
    const { result } = await session.send('Runtime.evaluate', {
      expression: 'axe.run(document).then((r) => JSON.stringify(r.violations))',
      awaitPromise: true,
      returnByValue: true,
    });
    return (JSON.parse(String(result.value)) as Violation[]).map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html).join(' | ')}`);
  } finally {
    await session.detach();
  }
}
