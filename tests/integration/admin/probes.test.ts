import { request } from "node:http";
import { expect, test } from "vitest";
import { AdminEntry } from "../../../src/admin/internal.ts";
import { Host } from "../../../src/host/index.ts";
import { operationsOf } from "../../../src/host/internal.ts";
import { MemoryStateStore } from "../../../src/storage/index.ts";
import { ManualClock } from "../../../src/testing/index.ts";
import { createMemoryNetwork } from "../../../src/transport/index.ts";
import { BreakableStore } from "../../support/breakable-store.ts";
import { AdminRig } from "./admin-rig.ts";

interface Answer {
  readonly status: number;
  readonly type: string;
  readonly text: string;
}

/** Asks without a token. */
function ask(url: string, path: string, headers: Record<string, string> = {}): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const sent = request(new URL(path, url), { headers, agent: false }, (response) => {
      let text = "";
      response.setEncoding("utf8");
      response.on("data", (part: string) => {
        text += part;
      });
      response.on("end", () =>
        resolve({ status: response.statusCode ?? 0, type: response.headers["content-type"] ?? "", text }),
      );
    });
    sent.on("error", reject);
    sent.end();
  });
}

async function openEntry(host: Host, metricsText?: () => Promise<string>): Promise<AdminEntry> {
  return await AdminEntry.open({
    host: operationsOf(host.servicer),
    facts: { name: "h", version: "1", pid: 1, address: "host:1", state: "memory:", startedAt: "2026-01-01T00:00:00Z" },
    address: { host: "127.0.0.1", port: 0 },
    token: "t",
    logger: undefined,
    metricsText,
  });
}

test("probes need no token, and everything else does", async () => {
  await using rig = await AdminRig.open();
  for (const path of ["/healthz", "/readyz"])
    expect(await ask(rig.entry.url, path)).toEqual({
      ...{ status: 200, type: "application/json", text: '{"status":"serving"}' },
    });
  expect((await ask(rig.entry.url, "/v1/host")).status).toBe(401);
  expect((await ask(rig.entry.url, "/readyz?x=1")).status).toBe(400);
  expect((await ask(rig.entry.url, "/metrics")).status).toBe(404);
});

test("a page of a browser whose name stands for this machine gets nothing without the token", async () => {
  await using rig = await AdminRig.open();
  expect((await ask(rig.entry.url, "/readyz", { host: "evil.example:80" })).status).toBe(401);
  const authorization = "Bearer rig-token";
  expect((await ask(rig.entry.url, "/readyz", { host: "evil.example:80", authorization })).status).toBe(200);
  for (const host of ["localhost:9", "127.0.0.1", "[::1]:9"])
    expect((await ask(rig.entry.url, "/readyz", { host })).status).toBe(200);
});

test("/metrics answers with the text that it is given, and says why it can't", async () => {
  const host = new Host({ listener: createMemoryNetwork(), address: "host:1" });
  await host.start();
  const entry = await openEntry(host, async () => "a 1\n");
  const failing = await openEntry(host, () => Promise.reject(new Error("no")));
  try {
    expect(await ask(entry.url, "/metrics")).toEqual({
      ...{ status: 200, type: "text/plain; version=0.0.4; charset=utf-8", text: "a 1\n" },
    });
    expect((await ask(failing.url, "/metrics")).status).toBe(500);
  } finally {
    await Promise.all([entry.close(0), failing.close(0), host.stop({ graceMs: 0 })]);
  }
});

test("a host that starts is alive and not ready, and answers its operator when it serves; one that stops is not ready", async () => {
  let openStore = (): void => {};
  const opening = new Promise<void>((resolve) => {
    openStore = resolve;
  });
  class SlowStore extends MemoryStateStore {
    override async open(...given: Parameters<MemoryStateStore["open"]>) {
      await opening;
      return await super.open(...given);
    }
  }
  const host = new Host({ listener: createMemoryNetwork(), address: "host:1" }, { stateStore: new SlowStore() });
  const entry = await openEntry(host);
  const authorization = "Bearer t";
  try {
    const starting = host.start();
    expect(await ask(entry.url, "/healthz")).toMatchObject({ status: 200, text: '{"status":"starting"}' });
    expect(await ask(entry.url, "/readyz")).toMatchObject({ status: 503, text: '{"status":"starting"}' });
    expect(await ask(entry.url, "/v1/workers", { authorization })).toMatchObject({ status: 503 });
    openStore();
    await starting;
    expect((await ask(entry.url, "/readyz")).status).toBe(200);
    expect((await ask(entry.url, "/v1/workers", { authorization })).status).toBe(200);
    const stopping = host.stop({ graceMs: 100 });
    expect(host.health).toBe("draining");
    await stopping;
    expect(await ask(entry.url, "/readyz")).toMatchObject({ status: 503, text: '{"status":"stopped"}' });
  } finally {
    await entry.close(0);
  }
});

test("a host whose store can't be used is not ready until it can be read again", async () => {
  const clock = new ManualClock();
  const store = new BreakableStore();
  const host = new Host({ listener: createMemoryNetwork(), address: "host:1" }, { stateStore: store, clock });
  await host.start();
  const agent = { type: "a", key: "k" };
  const call = { method: "GetState", metadata: { "client-id": "c" }, peer: "p", signal: new AbortController().signal };
  try {
    store.isBroken = true;
    await host.servicer.getState(agent, call).catch(() => undefined);
    expect(host.health).toBe("store-lost");
    clock.advance(2_000);
    await store.looked();
    expect(host.health).toBe("store-lost");
    store.isBroken = false;
    clock.advance(2_000);
    await store.looked();
    expect(host.health).toBe("serving");
  } finally {
    await host.stop({ graceMs: 0 });
  }
});
