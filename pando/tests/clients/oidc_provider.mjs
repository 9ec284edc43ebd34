// A real OpenID Connect provider, for the tests of authentication: `node oidc_provider.mjs`, with the packages of target/tools/node.
// It prints its address, and then serves until its standard input ends.
import { createRequire } from "node:module";
import http from "node:http";

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
const provider = new Provider(issuer, {
  clients: [client("writer", "profiles:read profiles:write"), client("reader", "profiles:read")],
  scopes: ["profiles:read", "profiles:write"],
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
server.on("request", provider.callback());
process.stdin.resume().on("end", () => process.exit(0));
console.log(issuer);
