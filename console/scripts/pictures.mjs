// Takes the pictures of the README from `rollcall demo`: node scripts/pictures.mjs, with ROLLCALL_BIN or the debug build, and CHROMIUM.
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { chromium } from 'playwright-core';

const root = new URL('../../', import.meta.url).pathname;
const out = join(root, 'docs/pictures');
const data = mkdtempSync(join(tmpdir(), 'rollcall-pictures-'));
const program = process.env.ROLLCALL_BIN ?? join(root, 'target/debug/rollcall');
const env = { ...process.env, ROLLCALL_HTTP_LISTEN: '127.0.0.1:18097', ROLLCALL_METRICS_LISTEN: '' };
const demo = spawn(program, ['demo', '--data', data], { env, stdio: ['ignore', 'pipe', 'inherit'] });

async function take() {
  let link;
  for await (const line of createInterface({ input: demo.stdout })) {
    link ??= line.match(/http\S+link=rcl_\S+/)?.[0];
    if (line.includes('until you press Ctrl-C')) break;
  }
  if (!link) throw new Error('the demo printed no link');
  const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: ['--no-sandbox'] });
  try {
    const page = await browser.newPage({ viewport: { width: 1280, height: 800 } });
    await page.goto(link);
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.getByRole('link', { name: 'Review the plan' }).waitFor();
    mkdirSync(out, { recursive: true });
    await page.screenshot({ path: join(out, 'overview.png') });
    await page.emulateMedia({ colorScheme: 'dark' });
    await page.getByRole('link', { name: 'Review the plan' }).click();
    await page.getByText(/0 of \d+ looked at/).waitFor();
    await page.locator('.plan-row').first().click();
    await page.getByRole('link', { name: 'The whole story of this person' }).waitFor();
    await page.screenshot({ path: join(out, 'review.png') });
  } finally {
    await browser.close();
  }
}

try {
  await take();
} finally {
  demo.kill('SIGTERM');
  await new Promise((ended) => demo.once('exit', ended));
  rmSync(data, { recursive: true });
}
