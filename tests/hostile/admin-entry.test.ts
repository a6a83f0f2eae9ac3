import { expect, test } from "vitest";
import { AdminClient } from "../../src/cli/admin/admin-client.ts";
import { httpLimits } from "../../src/http/internal.ts";
import { RawHttp, requestText } from "../support/http/raw-http.ts";
import { BesiegedHost, MiB } from "./support/besieged-host.ts";

const adminToken = "the-token-of-the-operator";

async function besieged() {
  const host = await BesiegedHost.start({ adminToken });
  const port = Number(new URL(host.adminUrl).port);
  const operator = new AdminClient({ url: host.adminUrl, token: adminToken });
  /** The operator is answered, and so is a worker. */
  const expectService = async (): Promise<void> => {
    expect(await operator.ask("GET", "/v1/host")).toMatchObject({ name: "besieged" });
    expect(await host.honestCall()).toBe("");
  };
  return { host, port, expectService };
}

test("connections that say nothing, or one header now and then, keep no operator out, and end in time", async () => {
  const { host, port, expectService } = await besieged();
  await using _host = host;
  const connections: RawHttp[] = [];
  for (let count = 0; count < 500; count += 1) {
    const raw = await RawHttp.connect(port);
    connections.push(count % 2 === 0 ? raw : raw.send("GET /v1/host HTTP/1.1\r\nHost: x\r\n"));
    if (count % 100 === 99) await expectService();
  }
  // A line more each time that another one was answered does not prolong the time of the headers.
  const last = connections.at(-1);
  while (last !== undefined && !last.socket.destroyed) {
    last.send("X-More: 1\r\n");
    await expectService();
  }
  await Promise.all(connections.filter((_, at) => at % 2 === 1).map((raw) => raw.closed));
  for (const raw of connections) raw.end();
  await host.expectBounded("admin: 500 slow connections");
});

test("long headers, bodies without end and strange paths are refused, and cost no memory", async () => {
  const { host, port, expectService } = await besieged();
  await using _host = host;
  for (let round = 0; round < 50; round += 1) {
    const header = (await RawHttp.connect(port)).send(requestText({ headers: [`X: ${"x".repeat(4 * MiB)}`] }));
    const body = (await RawHttp.connect(port)).send(
      `${requestText({ method: "PUT", target: "/v1/state?type=a&key=b", headers: ["Content-Length: 99999999999"] })}${"x".repeat(MiB)}`,
    );
    await Promise.all([header.closed, body.closed]);
    expect(body.text === "" || body.text.startsWith("HTTP/1.1 401 ")).toBe(true);
  }
  const paths = [
    "/../../etc/passwd",
    "/v1/../v1/host",
    "/%2e%2e/",
    "/v1/host%00",
    "//v1/host",
    "http://x/v1/host",
    "*",
    "/v1/host?",
  ];
  for (const target of paths) {
    const answer = await (await RawHttp.connect(port))
      .send(requestText({ target, token: adminToken, headers: ["Connection: close"] }))
      .toEnd();
    expect(answer).toMatch(target === "/v1/host?" ? /^HTTP\/1\.1 200 / : /^HTTP\/1\.1 40[04] /);
  }
  await expectService();
  await host.expectBounded("admin: long headers and bodies");
});

test("ten thousand requests with wrong tokens, many in one write, are each refused or cut off", async () => {
  const { host, port, expectService } = await besieged();
  await using _host = host;
  for (let round = 0; round < 100; round += 1) {
    const raw = await RawHttp.connect(port);
    raw.send(requestText({ target: "/v1/agents", token: `wrong-${round}` }).repeat(100));
    const answer = await raw.toEnd();
    expect(answer.split("HTTP/1.1 ").length - 1).toBeLessThanOrEqual(1);
    expect(answer).not.toMatch(/ 200 /);
    if (round % 20 === 19) await expectService();
  }
  await host.expectBounded("admin: wrong tokens");
});

test("bodies of one with the token that never end hold no more than the host has, and are ended", async () => {
  const { host, port, expectService } = await besieged();
  await using _host = host;
  const chunk = `${(256 * 1024).toString(16)}\r\n${"x".repeat(256 * 1024)}\r\n`;
  const senders: RawHttp[] = [];
  for (let count = 0; count < httpLimits.connections - 1; count += 1) {
    const target = `/v1/state?type=a&key=${count}&contentType=x/y`;
    const raw = await RawHttp.connect(port);
    raw.send(requestText({ method: "PUT", target, token: adminToken, headers: ["Transfer-Encoding: chunked"] }));
    for (let sent = 0; sent < 40; sent += 1) raw.send(chunk);
    senders.push(raw);
  }
  await expectService();
  await Promise.all(senders.map((raw) => raw.closed));
  await expectService();
  await host.expectBounded("admin: bodies without end");
});

test("readers of the feed that take nothing cost no more than its bound, and disturb neither operators nor workers", async () => {
  const { host, port, expectService } = await besieged();
  await using _host = host;
  const readers: RawHttp[] = [];
  for (let count = 0; count < 200; count += 1) {
    const raw = await RawHttp.connect(port);
    raw.send(requestText({ target: "/v1/feed", token: adminToken }));
    raw.socket.pause();
    readers.push(raw);
    if (count % 50 === 49) await expectService();
  }
  for (let count = 0; count < 2_000; count += 1) expect(await host.honestCall()).toBe("");
  for (const raw of readers) raw.end();
  await expectService();
  await host.expectBounded("admin: readers of the feed");
});

test("a storm of readers that come back to the feed, each with its last event, disturbs neither operators nor workers", async () => {
  const { host, port, expectService } = await besieged();
  await using _host = host;
  const open = async (lastEventId?: string): Promise<RawHttp> => {
    const headers = lastEventId === undefined ? [] : [`Last-Event-ID: ${lastEventId}`];
    return (await RawHttp.connect(port)).send(requestText({ target: "/v1/feed", token: adminToken, headers }));
  };
  const first = await open();
  await first.until(/retry: \d+\n\n/);
  // What is kept for those that come back.
  for (let count = 0; count < 1_000; count += 1) expect(await host.honestCall()).toBe("");
  const [, id] = /^id: (\S+)$/m.exec(await first.until(/\nid: \S+\n/)) ?? [];
  first.end();
  let refused = 0;
  for (let round = 0; round < 20; round += 1) {
    const readers = await Promise.all(Array.from({ length: 40 }, () => open(id)));
    await expectService();
    for (const [at, reader] of readers.entries()) if (at % 2 === 0) reader.socket.pause();
    await expectService();
    for (const { text } of readers) {
      if (!text.startsWith("HTTP/1.1 503")) continue;
      refused += 1;
      expect(text).toMatch(/\r\nretry-after: \d\r\n/i);
    }
    for (const reader of readers) reader.end();
  }
  expect(refused).toBeGreaterThan(0);
  await expectService();
  await host.expectBounded("admin: readers of the feed that come back");
});
