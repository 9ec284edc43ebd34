// The client against the real program.
import assert from "node:assert/strict";
import { createServer, request as ask } from "node:http";
import { after, before, test } from "node:test";
import { Server } from "../../../web/e2e/server.mjs";
import { Failure, Pando, newKey } from "../dist/index.js";

let server, pando;

before(async () => {
  server = await new Server().start();
  pando = new Pando({ address: server.address });
});
after(() => server?.remove());

/** Passes requests on, and drops the answer to every nth one after the server has given it. */
async function droppingProxy(target, nth) {
  let count = 0;
  let dropped = 0;
  const proxy = createServer((incoming, outgoing) => {
    const { hostname, port } = new URL(target);
    const options = { hostname, port, path: incoming.url, method: incoming.method, headers: { ...incoming.headers, host: `${hostname}:${port}` } };
    const onward = ask(options, (answer) => {
      if (++count % nth === 0) {
        dropped++;
        answer.resume();
        answer.on("end", () => outgoing.destroy());
        return;
      }
      outgoing.writeHead(answer.statusCode, answer.headers);
      answer.pipe(outgoing);
    });
    onward.on("error", () => outgoing.destroy());
    incoming.pipe(onward);
  });
  await new Promise((resolve) => proxy.listen(0, "127.0.0.1", resolve));
  return { address: `http://127.0.0.1:${proxy.address().port}`, dropped: () => dropped, close: () => { proxy.closeAllConnections(); proxy.close(); } };
}

test("every write through a proxy that drops answers has one effect, and is seen by the next read", async () => {
  const proxy = await droppingProxy(server.address, 10);
  const pando = new Pando({ address: proxy.address });
  const { data: profile } = await pando.post("/api/v1/profiles", { body: { name: "Counter", email: "counter@example.org" } });
  const writes = 100;
  for (let number = 1; number <= writes; number++) {
    await pando.put("/api/v1/profiles/{id}", { path: { id: profile.id }, body: { bio: `write ${number}` } });
    const { data } = await pando.get("/api/v1/profiles/{id}", { path: { id: profile.id } });
    assert.equal(data.profile.bio, `write ${number}`);
    // One version more for each write: a repeated one would make two.
    assert.equal(data.profile.version, number + 1);
  }
  assert.ok(proxy.dropped() >= writes / 10);
  proxy.close();
});

test("a key makes one thing, however often it is used", async () => {
  const key = newKey();
  const body = { name: "Once", email: "once@example.org" };
  const [first, second] = [await pando.post("/api/v1/profiles", { body, key }), await pando.post("/api/v1/profiles", { body, key })];
  assert.equal(second.data.id, first.data.id);
  assert.deepEqual([first.replayed, second.replayed], [false, true]);
});

test("a change of an old version is refused as a Failure, and so are bad fields, in the words of each service", async () => {
  const made = await pando.post("/api/v1/profiles", { body: { name: "Two", email: "two@example.org" } });
  const change = (bio) => pando.put("/api/v1/profiles/{id}", { path: { id: made.data.id }, body: { bio }, ifMatch: made.etag });
  await change("one");
  await assert.rejects(change("two"), (error) => error instanceof Failure && error.status === 412);
  const refused = {
    "/api/v1/profiles": "name",
    "/api/products": "name",
    "/api/v1/webhooks": "url",
  };
  for (const [path, field] of Object.entries(refused)) {
    await assert.rejects(pando.post(path, { body: {} }), (error) => error instanceof Failure && error.fault(field) !== undefined, path);
  }
});

test("pages are followed to the end", async () => {
  for (let number = 0; number < 25; number++) await pando.post("/api/v1/profiles", { body: { name: `Page ${number}`, email: `page${number}@example.org` } });
  const seen = new Set();
  for await (const page of pando.pages("/api/v1/profiles?limit=10")) for (const profile of page) seen.add(profile.id);
  const { headers } = await pando.get("/api/v1/profiles", { query: { limit: 1, count: "exact" } });
  assert.equal(seen.size, Number(headers.get("x-total-count")));
});

test("events are watched, and taken up again after the server was away, without a gap and without a repetition", async () => {
  const stop = new AbortController();
  const states = [];
  const events = pando.events("/api/v1/customers/watch", { signal: stop.signal, onState: (state) => states.push(state) });
  const next = async () => (await events.next()).value;
  const first = next();
  while (!states.includes("open")) await new Promise((resolve) => setImmediate(resolve));
  const create = (number) => pando.post("/api/v1/customers", { body: { name: `Watched ${number}`, email: `watched${number}@example.org` } });
  const one = await create(1);
  assert.equal(subject(await first), one.data.id);
  await server.kill();
  const later = next();
  await server.start();
  const two = await create(2);
  assert.equal(subject(await later), two.data.id);
  const three = await create(3);
  assert.equal(subject(await next()), three.data.id);
  stop.abort();
});

const subject = (event) => event.data.id ?? event.data.customer?.id ?? event.data.customer_id;

test("a file is uploaded", async () => {
  const { data } = await pando.post("/api/v1/profiles", { body: { name: "Pictured", email: "pictured@example.org" } });
  const gif = Buffer.from("R0lGODlhAQABAIAAAP///wAAACwAAAAAAQABAAACAkQBADs=", "base64");
  const image = await pando.upload("post", `/api/v1/profiles/${data.id}/images`, new Blob([gif], { type: "image/gif" }));
  assert.deepEqual([image.width, image.height], [1, 1]);
});
