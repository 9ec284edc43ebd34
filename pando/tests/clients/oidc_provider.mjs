// A real OpenID Connect provider, for the tests of authentication: `node oidc_provider.mjs`, with the packages of target/tools/node.
// It prints its address, and then serves until its standard input ends.
import { createRequire } from "node:module";
import http from "node:http";

// Standard output is for the address only.
console.info = console.error;
const require = createRequire(process.argv[2] + "/");
const { default: Provider } = await import(require.resolve("oidc-provider"));

const server = http.createServer();
await new Promise((ready) => server.listen(0, "127.0.0.1", ready));
const issuer = `http://127.0.0.1:${server.address().port}`;
const client = (id, scope) => ({
  client_id: id,
  client_secret: `secret-of-${id}`,
  grant_types: ["client_credentials"],
  redirect_uris: [],
  response_types: [],
  scope,
});
// People come with a browser. A native client may be sent back to any port of this machine.
const people = {
  client_id: "console",
  client_secret: "secret-of-console",
  application_type: "native",
  grant_types: ["authorization_code"],
  redirect_uris: ["corp", "open"].map((name) => `http://127.0.0.1/api/v1/session/oidc/${name}/callback`),
  response_types: ["code"],
  scope: "openid email role",
};
const provider = new Provider(issuer, {
  clients: [client("writer", "profiles:read profiles:write"), client("reader", "profiles:read"), people],
  scopes: ["openid", "email", "role", "profiles:read", "profiles:write"],
  claims: { openid: ["sub"], email: ["email", "email_verified"], role: ["role"] },
  conformIdTokenClaims: false,
  pkce: { required: () => true },
  findAccount: (_, id) => ({
    accountId: id,
    claims: () => ({
      sub: id,
      email: id.endsWith("-elsewhere") ? `${id}@elsewhere.example` : `${id}@example.org`,
      email_verified: true,
      role: "operator",
    }),
  }),
  interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
  features: {
    clientCredentials: { enabled: true },
    devInteractions: { enabled: false },
    resourceIndicators: {
      enabled: true,
      getResourceServerInfo: () => ({
        scope: "profiles:read profiles:write",
        audience: "pando",
        accessTokenFormat: "jwt",
        accessTokenTTL: 600,
      }),
    },
  },
});
// A person whom the header names logs in and consents at once.
const interact = async (request, response) => {
  const { params } = await provider.interactionDetails(request, response);
  const accountId = request.headers["x-account"];
  const grant = new provider.Grant({ accountId, clientId: params.client_id });
  grant.addOIDCScope(params.scope);
  const result = { login: { accountId }, consent: { grantId: await grant.save() } };
  await provider.interactionFinished(request, response, result);
};
const answer = provider.callback();
server.on("request", (request, response) =>
  request.url.startsWith("/interaction/") ? interact(request, response) : answer(request, response),
);
process.stdin.resume().on("end", () => process.exit(0));
console.log(issuer);
