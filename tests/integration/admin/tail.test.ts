import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, expect, onTestFinished, test } from "vitest";
import { AdminClient } from "../../../src/cli/admin/admin-client.ts";
import { tailCommand } from "../../../src/cli/commands/tail.ts";
import { followFeed, type Told } from "../../../src/cli/tail/follow-feed.ts";
import { RawWorker } from "../../support/raw-worker.ts";
import { AdminRig, EntryRig } from "./admin-rig.ts";
import { run } from "./running.ts";

async function tailRig() {
  const rig = await AdminRig.open();
  const link = rig.dial();
  const worker = await new RawWorker(link, "worker", { isAnnounced: true }).join();
  await worker.register("writer");
  const call = async (id: string, target: string): Promise<void> => {
    worker.request(id, target);
    const frame = await worker.next();
    if (frame.kind === "request") {
      worker.respond(frame.requestId, "the-payload");
      await worker.nextResponse();
    }
  };
  return { rig, link, worker, call };
}

describe("troupe tail", () => {
  test("prints what happens as lines, filtered by agent, kind and outcome, and no payload", async () => {
    const { rig, link, call } = await tailRig();
    await using _rig = rig;
    const act = async (): Promise<void> => {
      await call("1", "writer/a\u001b");
      await call("2", "nobody/b");
      await call("3", "writer/c");
    };
    const failed = ["--kind", "call", "--outcome", "failed", "--count", "1", "--json"];
    const { out } = await run(tailCommand({ onOpen: () => void act() }), ...failed, ...rig.flags);
    expect(out.split("\n")).toHaveLength(2);
    expect(JSON.parse(out)).toMatchObject({ kind: "call", type: "nobody", code: "undeliverable" });
    const ofWriter = ["--agent", "writer", "--count", "2"];
    const lines = await run(tailCommand({ onOpen: () => void act() }), ...ofWriter, ...rig.flags);
    expect(lines.out).toMatch(/^\d\d:\d\d:\d\d\.\d{3} {2}call +answered +writer\/a\\u001b {2}\d+ ms {2}client=worker/);
    expect(lines.out).toMatch(/writer\/c/);
    expect(lines.out).not.toMatch(/nobody|the-payload/);
    await link.close();
  });

  test("ends with 0 at a process signal", async () => {
    const { rig, link } = await tailRig();
    await using _rig = rig;
    const before = process.listenerCount("SIGINT");
    const ended = await run(tailCommand({ onOpen: () => void process.emit("SIGINT") }), ...rig.flags);
    expect(ended).toMatchObject({ exitCode: 0, out: "" });
    expect(process.listenerCount("SIGINT")).toBe(before);
    await link.close();
  });

  test("goes on at a host that was started again under another address and token, and says that events are missing", async () => {
    const { rig, link, call } = await tailRig();
    await using _rig = rig;
    await using second = await EntryRig.open(rig.host);
    const ending = new AbortController();
    const [cuts, waits]: [string[], number[]] = [[], []];
    let client = rig.client;
    let opened = 0;
    const feed = followFeed({
      ...{ find: async () => client, filter: { type: "writer" }, signal: ending.signal },
      wait: async (ms) => void waits.push(ms),
      onOpen: () => {
        opened += 1;
        void call(String(opened), `writer/${opened}`);
      },
      onCut: (why) => void cuts.push(why),
    });
    expect((await feed.next()).value).toMatchObject({ at: "event", event: { key: "1" } });
    client = second.client;
    await rig.entry.close(0);
    expect((await feed.next()).value).toEqual({ at: "lost", count: null } satisfies Told);
    expect((await feed.next()).value).toMatchObject({ at: "event", event: { key: "2" } });
    expect([cuts.length, waits]).toEqual([1, [250]]);
    ending.abort();
    expect(await feed.next()).toEqual({ value: undefined, done: true });
    await link.close();
  });

  test("misses nothing when only the connection is cut: it names the last event that it has", async () => {
    const asked: (string | undefined)[] = [];
    const answer = (response: ServerResponse, id: number): void => {
      response.writeHead(200, { "content-type": "text/event-stream" });
      response.write(`id: x-${id}\nevent: call\ndata: {"kind":"call"}\n\n: quiet\nid: x-${id + 5}\n\n`);
      response.end();
    };
    const server = createServer((request, response) => {
      asked.push(request.headers["last-event-id"] as string | undefined);
      answer(response, 10 * asked.length);
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    onTestFinished(() => void server.close());
    const { port } = server.address() as AddressInfo;
    const client = new AdminClient({ url: `http://127.0.0.1:${port}`, token: "t" });
    const ending = new AbortController();
    const feed = followFeed({
      ...{ find: async () => client, filter: {}, signal: ending.signal, wait: async () => undefined },
    });
    for (let count = 0; count < 3; count += 1) expect((await feed.next()).value).toMatchObject({ at: "event" });
    ending.abort();
    expect(asked.slice(0, 3)).toEqual([undefined, "x-15", "x-25"]);
  });

  test("ends with the host's own error where another attempt would not help", async () => {
    const server = createServer((_request, response) => {
      response.writeHead(403).end(JSON.stringify({ code: "not-authorized", detail: "You may not watch." }));
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    onTestFinished(() => void server.close());
    const { port } = server.address() as AddressInfo;
    const client = new AdminClient({ url: `http://127.0.0.1:${port}`, token: "t" });
    const signal = new AbortController().signal;
    const feed = followFeed({ find: async () => client, filter: {}, signal, wait: async () => undefined });
    await expect(feed.next()).rejects.toMatchObject({ code: "not-authorized", message: "You may not watch." });
  });
});
