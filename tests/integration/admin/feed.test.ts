import { expect, test } from "vitest";
import { feedLimits } from "../../../src/admin/feed/live-feed.ts";
import { httpLimits } from "../../../src/http/internal.ts";
import { RawHttp, requestText } from "../../support/http/raw-http.ts";
import { RawWorker } from "../../support/raw-worker.ts";
import { AdminRig } from "./admin-rig.ts";

const token = "rig-token";

async function feedRig() {
  const rig = await AdminRig.open();
  const port = Number(new URL(rig.entry.url).port);
  const read = async (query = "", headers: readonly string[] = []): Promise<RawHttp> => {
    const raw = await RawHttp.connect(port);
    raw.send(requestText({ target: `/v1/feed${query}`, token, headers }));
    await raw.until(/retry: \d+\n\n|HTTP\/1\.1 [45]/);
    return raw;
  };
  const link = rig.dial();
  const worker = await new RawWorker(link, "worker", { isAnnounced: true }).join();
  await worker.register("writer");
  await worker.subscribe("s", { kind: "type", topicType: "news", agentType: "writer" });
  return { rig, port, read, link, worker };
}

test("a reader sees calls with their outcome, events and sessions as they happen, and no payload", async () => {
  const { rig, read, link, worker } = await feedRig();
  await using _rig = rig;
  const all = await read();
  expect(all.text).toMatch(/^HTTP\/1\.1 200 OK\r\n[\s\S]*content-type: text\/event-stream; charset=utf-8\r\n/);
  const answered = await read("?kind=call&outcome=answered");
  worker.request("1", "writer/a\nevent: forged");
  worker.respond((await worker.nextRequest()).requestId, "the-payload");
  await worker.nextResponse();
  worker.request("2", "nobody/b");
  await worker.nextResponse();
  worker.publish("news", "s");
  await worker.nextEvent();
  const other = await new RawWorker(link, "other", { isAnnounced: true }).join();
  await all.until(/"kind":"session","outcome":"opened"[^\n]*"clientId":"other"/);
  expect(all.text).toMatch(
    /event: call\r?\ndata: {[^\n]*"outcome":"answered","type":"writer","key":"a\\nevent: forged"/,
  );
  expect(all.text).toMatch(/"outcome":"failed","type":"nobody"[^\n]*"code":"undeliverable"/);
  expect(all.text).toMatch(/event: event\ndata: {[^\n]*"outcome":"delivered"[^\n]*"topic":"news"/);
  expect(all.text).not.toContain("the-payload");
  await answered.until(/"outcome":"answered"/);
  expect(answered.text).not.toMatch(/"outcome":"(failed|opened|delivered)"/);
  for (const one of [all, answered]) one.end();
  other.stream.end();
  await link.close();
});

test("a reader that was cut off goes on where it was", async () => {
  const { rig, read, link, worker } = await feedRig();
  await using _rig = rig;
  const first = await read("?kind=call");
  worker.request("1", "nobody/a");
  await first.until(/"type":"nobody"/);
  const id = [...first.text.matchAll(/^id: (\S+)$/gm)].at(-1)?.[1] ?? "";
  first.end();
  worker.request("2", "absent/b");
  await worker.nextResponse();
  const again = await read("?kind=call", [`Last-Event-ID: ${id}`]);
  await again.until(/"type":"absent"/);
  expect(again.text).not.toMatch(/"type":"nobody"|event: lost/);
  again.end();
  await link.close();
});

test("readers beyond the bound are refused, readers that take nothing keep no operator out, and an unknown filter is refused", async () => {
  const { rig, read, link, worker } = await feedRig();
  await using _rig = rig;
  const readers: RawHttp[] = [];
  for (let count = 0; count < httpLimits.connections; count += 1) {
    const raw = await read();
    if (/HTTP\/1\.1 503/.test(raw.text)) break;
    raw.socket.pause();
    readers.push(raw);
  }
  expect(readers).toHaveLength(Math.ceil((2 / 3) * feedLimits.readers));
  for (let count = 0; count < 100; count += 1) worker.request(String(count), "nobody/a");
  expect(await rig.client.ask("GET", "/v1/host")).toMatchObject({ name: "rig" });
  expect((await read("?colour=red")).text).toMatch(/^HTTP\/1\.1 400 /);
  for (const raw of readers) raw.end();
  await Promise.all(readers.map((raw) => raw.closed));
  await link.close();
});

test("the entry ends though readers read on", async () => {
  const { rig, read, link } = await feedRig();
  const reader = await read();
  await rig.entry.close(1_000);
  await reader.closed;
  await link.close();
  await rig[Symbol.asyncDispose]();
});

test("HEAD says what GET would, without a body, and keeps no place of a reader", async () => {
  const { rig, port, link } = await feedRig();
  await using _rig = rig;
  const head = async (target: string, shown: string | null) => {
    const raw = await RawHttp.connect(port);
    return raw.send(requestText({ method: "HEAD", target, token: shown, headers: ["Connection: close"] })).toEnd();
  };
  for (const target of ["/healthz", "/readyz"]) {
    const answer = await head(target, null);
    expect(answer).toMatch(/^HTTP\/1\.1 200 OK\r\n[\s\S]*content-length: [1-9]\d*\r\n/);
    expect(answer).toMatch(/\r\n\r\n$/);
  }
  expect(await head("/v1/host", null)).toMatch(/^HTTP\/1\.1 401 /);
  for (let count = 0; count < feedLimits.readers + 1; count += 1)
    expect(await head("/v1/feed", token)).toMatch(/^HTTP\/1\.1 200 [\s\S]*\r\n\r\n$/);
  await link.close();
});
