import { once } from "node:events";
import { connect, createSecureServer, createServer } from "node:http2";
import type { Socket } from "node:net";
import { setImmediate } from "node:timers/promises";
import { afterEach, expect, it } from "vitest";
import { watchLoop } from "../../../src/transport/grpc/server/late-loop.ts";
import { gateOf } from "../../../src/transport/grpc/server/socket-gate.ts";
import { testCertificate, testKey } from "../../support/test-certificate.ts";

const cleanUps: (() => unknown)[] = [];

afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

it("an event loop that is late again and again is noticed: the first time, and each time after", async () => {
  const late: boolean[] = [];
  cleanUps.push(watchLoop((isFirst) => late.push(isFirst)));
  while (late.length < 3) {
    const untilMs = performance.now() + 100;
    while (performance.now() < untilMs);
    await setImmediate();
  }
  expect(late).toEqual([true, false, false]);
});

it.each([
  ["HTTP/2", () => createServer(), "http"],
  ["HTTP/2 over TLS", () => createSecureServer({ cert: testCertificate, key: testKey }), "https"],
] as const)("the bytes that Node reads for %s itself are counted below it", async (_, create, scheme) => {
  const server = create();
  cleanUps.push(() => server.close());
  const connected = once(server, "connection");
  const opened = once(server, "session");
  server.listen(0, "localhost");
  await once(server, "listening");
  const address = server.address();
  const port = address !== null && typeof address === "object" ? address.port : 0;
  const client = connect(`${scheme}://localhost:${port}`, { ca: testCertificate });
  cleanUps.push(() => client.destroy());
  const [socket] = (await connected) as [Socket];
  await opened;
  await once(client, "remoteSettings");
  const before = gateOf(socket)?.bytesRead ?? 0;
  await new Promise((resolve) => client.ping(resolve));
  expect(gateOf(socket)?.bytesRead).toBeGreaterThanOrEqual(before + 17);
});
