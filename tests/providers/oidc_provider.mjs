// A certified OpenID provider (npm oidc-provider) with people of its own: node oidc_provider.mjs REDIRECT_URI BACKCHANNEL_URI AFTER_LOGOUT_URI
//
// Prints `ready PORT` and ends with its standard input. Two paths stand beside the provider's own:
//   POST /-/people     {"ann": {"email": …, …claims}}: the people and their claims from now on
//   POST /-/keys       signs with a new key from now on; the former one is no longer published
import { Provider } from 'oidc-provider';
import { generateKeyPairSync, randomUUID } from 'node:crypto';
import http from 'node:http';

const [redirect, backchannel, afterLogout] = process.argv.slice(2);
let people = {};

function signingKey() {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  return { ...privateKey.export({ format: 'jwk' }), kid: randomUUID(), use: 'sig', alg: 'RS256' };
}

function provider(issuer) {
  const made = new Provider(issuer, {
    jwks: { keys: [signingKey()] },
    clients: [{
      client_id: 'rollcall', client_secret: 'rollcall-secret-0123456789', redirect_uris: [redirect], grant_types: ['authorization_code'],
      response_types: ['code'], post_logout_redirect_uris: [afterLogout], backchannel_logout_uri: backchannel,
      backchannel_logout_session_required: true,
    }],
    findAccount(_, id) {
      return people[id] && { accountId: id, claims: async () => ({ sub: id, ...people[id] }) };
    },
    claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['name', 'groups'] },
    conformIdTokenClaims: false,
    features: { devInteractions: { enabled: true }, backchannelLogout: { enabled: true }, rpInitiatedLogout: { enabled: true } },
    pkce: { required: () => true },
    cookies: { keys: ['test-only'] },
    ttl: { AccessToken: 600, IdToken: 600, Interaction: 600, Session: 3600, Grant: 3600 },
    // The provider too refuses private addresses, by its dispatcher; the hub is on loopback.
    fetch: (url, options) => globalThis.fetch(url, { ...options, dispatcher: undefined }),
  });
  made.on('backchannel.error', (_, error) => console.error('back-channel logout:', error));
  return made.callback();
}

let answer;
let issuer;
const server = http.createServer((request, response) => {
  if (request.url === '/-/keys') answer = provider(issuer);
  else if (request.url !== '/-/people') return answer(request, response);
  let body = '';
  request.on('data', (part) => { body += part; });
  request.on('end', () => {
    if (request.url === '/-/people') people = JSON.parse(body);
    response.end('{}');
  });
});
server.listen(0, '127.0.0.1', () => {
  const { port } = server.address();
  issuer = `http://127.0.0.1:${port}`;
  answer = provider(issuer);
  process.stdout.write(`ready ${port}\n`);
});
process.stdin.on('end', () => process.exit()).resume();
