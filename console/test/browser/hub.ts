// A real hub for each file of tests: `rollcall up`, an organisation, a live source that a simulated Okta fills.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

// The private servers of the suite name their folder, and the hub refuses a setting that it does not know.
const { ROLLCALL_SERVICES_DIR: _folder, ...ENV } = process.env;
const BIN = process.env.ROLLCALL_BIN ?? join(import.meta.dirname, '../../../target/debug/rollcall');
export const OWNER = 'you@acme.example';

export function command(data: string, ...args: string[]): string {
  return execFileSync(BIN, [...args, '--data', data], { encoding: 'utf8', env: ENV });
}
export const found = (text: string, pattern: RegExp): string => {
  const [hit] = text.match(pattern) ?? [];
  if (!hit) throw new Error(`${pattern} is not in: ${text}`);
  return hit;
};
/** Plays Okta to a source. The same seed is the same people. */
export function simulate(scim: string, token: string, ...args: string[]) {
  execFileSync(BIN, ['simulate-idp', 'okta', '--endpoint', scim, '--token', token, '--seed', '7', ...args], {
    encoding: 'utf8',
    env: ENV,
    stdio: 'pipe',
  });
}

function started(hub: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    let said = '';
    const hear = (chunk: Buffer) => {
      said += chunk;
      const up = said.match(/Rollcall is up at (http:\/\/[^ ]+)/);
      // The organisation is made after the address is told.
      if (up?.[1] && said.includes('/sign-in?link=')) resolve(up[1]);
    };
    hub.stdout?.on('data', hear);
    hub.stderr?.on('data', hear);
    hub.on('exit', (code) => reject(new Error(`the hub ended with ${code}: ${said}`)));
    hub.on('error', reject);
  });
}

export type Hub = { base: string; data: string; scim: string; token: string; key: string; stop: () => void };

export async function startHub(): Promise<Hub> {
  const data = mkdtempSync(join(tmpdir(), 'rollcall-console-'));
  const options = ['up', '--data', data, '--listen', '127.0.0.1:0', '--owner', OWNER, '--organisation', 'Acme', '--seats', '20000'];
  const hub = spawn(BIN, options, { stdio: 'pipe', env: { ...ENV, ROLLCALL_METRICS_LISTEN: '' } });
  const base = await started(hub);
  const made = command(data, 'source', 'create', '--tenant', 'acme', '--kind', 'scim', '--mode', 'live', '--name', 'Okta');
  const [scim, token] = [found(made, /http\S+\/scim\/v2\/\S+/), found(made, /rcs_\S+/)];
  const key = found(command(data, 'api-key', 'create', '--tenant', 'acme', '--role', 'owner'), /rck_\S+/);
  simulate(scim, token, '--users', '40', '--phases', 'first-sync');
  const stop = () => {
    hub.removeAllListeners('exit');
    hub.on('exit', () => rmSync(data, { recursive: true, force: true }));
    hub.kill('SIGTERM');
  };
  return { base, data, scim, token, key, stop };
}
