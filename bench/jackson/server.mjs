// The peer of `make bench`: the directory-sync (SCIM) half of @boxyhq/saml-jackson behind plain node:http, on the
// PostgreSQL that Rollcall is measured on. It does the same as the product's own API route (parse, call
// `requests.handle`, write status and data), so that the figures are the library's.
//
//   DATABASE_URL=postgres://… JACKSON_PORT=18099 node server.mjs
// POST /directories {"tenant"} makes a directory and answers {"endpoint","token"}; GET /ready answers 200.
import http from 'node:http';
import { createRequire } from 'node:module';

// The package is where bench/run installed it (under target/).
const require = createRequire(process.env.JACKSON_HOME ? `${process.env.JACKSON_HOME}/` : import.meta.url);
const { controllers } = require('@boxyhq/saml-jackson');

const port = Number(process.env.JACKSON_PORT ?? 18099);
const origin = `http://127.0.0.1:${port}`;
const scimPath = '/api/scim/v2.0';
const silent = () => {};

const { directorySyncController } = await controllers({
  externalUrl: origin,
  samlPath: '/api/oauth/saml',
  scimPath,
  noAnalytics: true, // no telemetry
  // pageLimit: the product's default of 50 would halve the pages of the list scenario.
  // max_conns: 16 beat the driver's default of 10 here and is what the hub's own pool uses.
  db: { engine: 'sql', type: 'postgres', url: databaseUrl(), pageLimit: 100 },
  logger: { info: silent, warn: silent, error: (...args) => console.error(...args) },
});

function databaseUrl() {
  const url = new URL(process.env.DATABASE_URL ?? 'postgres://postgres@127.0.0.1:5432/jackson');
  url.searchParams.set('pool_max_conns', process.env.JACKSON_CONNECTIONS ?? '16');
  url.searchParams.set('pool_connect_timeout', '10');
  return url.toString();
}

async function readBody(request) {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  return chunks.length ? JSON.parse(Buffer.concat(chunks).toString('utf8')) : undefined;
}

function answer(response, status, data, type = 'application/scim+json') {
  const body = data === undefined ? '' : JSON.stringify(data);
  response.writeHead(status, { 'content-type': type, 'content-length': Buffer.byteLength(body) });
  response.end(body);
}

async function createDirectory(request, response) {
  const { tenant } = await readBody(request);
  const { data, error } = await directorySyncController.directories.create({
    tenant, product: 'bench', name: tenant, type: 'okta-scim-v2',
  });
  if (error) return answer(response, 500, { error: error.message }, 'application/json');
  answer(response, 201, { endpoint: `${origin}${data.scim.path}`, token: data.scim.secret }, 'application/json');
}

async function scim(request, response, url) {
  const [directoryId, resourceType, resourceId] = url.pathname.slice(scimPath.length + 1).split('/');
  const number = (name) => (url.searchParams.has(name) ? Number.parseInt(url.searchParams.get(name), 10) : undefined);
  const { status, data } = await directorySyncController.requests.handle(
    {
      method: request.method,
      body: await readBody(request),
      directoryId,
      resourceType,
      resourceId,
      apiSecret: (request.headers.authorization ?? '').replace(/^Bearer /, ''),
      query: { count: number('count'), startIndex: number('startIndex'), filter: url.searchParams.get('filter') ?? undefined },
    },
    async () => {}, // no webhook: the cheapest event sink the library allows
  );
  answer(response, status, data);
}

const server = http.createServer((request, response) => {
  const url = new URL(request.url, origin);
  const work = url.pathname.startsWith(`${scimPath}/`) ? scim(request, response, url)
    : url.pathname === '/directories' && request.method === 'POST' ? createDirectory(request, response)
      : Promise.resolve(url.pathname === '/ready' ? answer(response, 200, {}) : answer(response, 404, { error: 'not found' }));
  work.catch((error) => { if (!response.headersSent) answer(response, 500, { detail: String(error?.message ?? error) }); });
});
server.keepAliveTimeout = 120_000;
server.listen(port, '127.0.0.1', () => console.log('ready'));
for (const signal of ['SIGTERM', 'SIGINT']) process.on(signal, () => process.exit(0));
