// Packs each file of the output, and fails when the output is larger than it may be. Prints the sizes.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';

const KB = 1000;
/** Gzipped, but for `raw`. */
const BUDGETS = { script: 140 * KB, style: 12 * KB, chunk: 30 * KB, palette: 40 * KB, all: 400 * KB, raw: 1500 * KB };
const dist = new URL('../dist/', import.meta.url).pathname;
const names = readdirSync(dist, { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile() && /\.(html|js|css|svg)$/.test(entry.name))
  .map((entry) => join(entry.parentPath ?? entry.path, entry.name))
  .sort();

const problems = [];
const sizes = { raw: 0, all: 0, script: 0, style: 0 };
const first = readFileSync(join(dist, 'index.html'), 'utf8');
for (const path of names) {
  const content = readFileSync(path);
  const gzip = gzipSync(content, { level: 9 });
  const brotli = brotliCompressSync(content, { params: { [constants.BROTLI_PARAM_QUALITY]: 11 } });
  writeFileSync(`${path}.gz`, gzip);
  writeFileSync(`${path}.br`, brotli);
  sizes.raw += content.length;
  sizes.all += gzip.length;
  const name = path.slice(dist.length);
  const isFirst = first.includes(name);
  if (isFirst && name.endsWith('.js')) sizes.script += gzip.length;
  if (isFirst && name.endsWith('.css')) sizes.style += gzip.length;
  const most = name.includes('Palette') ? BUDGETS.palette : BUDGETS.chunk;
  if (!isFirst && gzip.length > most) problems.push(`${name} has ${gzip.length} bytes gzipped, over ${most}`);
  if (name.endsWith('.js') && /\beval\(|new Function\(/.test(content.toString())) problems.push(`${name} makes code from text`);
}
for (const [key, size] of Object.entries(sizes)) if (size > BUDGETS[key]) problems.push(`${key}: ${size} bytes, over ${BUDGETS[key]}`);
console.log(
  `console: first load ${sizes.script} B of scripts and ${sizes.style} B of styles, ${sizes.all} B in all gzipped, ${sizes.raw} B raw`,
);
if (problems.length > 0) {
  console.error(problems.join('\n'));
  process.exit(1);
}
