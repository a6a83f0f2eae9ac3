import { describe, expect, test } from "vitest";
import { emptyMessage, type Frame } from "../../../src/protocol/index.ts";
import { RpcError, StatusCode } from "../../../src/transport/index.ts";
import { Gate } from "../../support/gate.ts";
import { jsonPayload, requestFrame } from "../../support/worker/frames.ts";
import { FunctionAgent } from "../../support/worker/function-agent.ts";
import { type LendingHost, lendingHosts, takeShortOf } from "../../support/worker/lending-host.ts";
import { Reply } from "../../support/worker/messages.ts";
import { callTo, eventFor, roomsAt } from "../../support/worker/placing-host.ts";
import type { ScriptedStream } from "../../support/worker/scripted-host.ts";

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

/** Two hosts of a cluster, and a worker at the first one that knows both. */
async function atTwoHosts(options: Parameters<typeof roomsAt>[1] = {}) {
  const [first, second] = (await lendingHosts(2)) as [LendingHost, LendingHost];
  const reconnect = { initialDelayMs: 1, maxDelayMs: 1 };
  const address = [first.address, second.address];
  const rooms = await roomsAt(first, { ...options, worker: { address, reconnect, ...options.worker } });
  return {
    ...{ first, second },
    ...rooms,
    async [Symbol.asyncDispose]() {
      await first[Symbol.asyncDispose]();
      await second[Symbol.asyncDispose]();
    },
  };
}

async function answersOf(channel: ScriptedStream<Frame>, ...calls: Frame[]): Promise<string[]> {
  for (const call of calls) channel.send(call);
  return takeShortOf(channel, calls.length);
}

function identityOf({ metadata }: ScriptedStream<Frame>) {
  return [metadata.agworker, metadata.agsession];
}

describe("a worker that loses its host of a cluster", () => {
  test("keeps its agents, joins another host as the same worker, and says there which agents it holds", async () => {
    await using at = await atTwoHosts();
    expect(await answersOf(at.channel, callTo("a", "h1"), callTo("b", "h2", "x", 7))).toEqual([
      "answer h1",
      "answer h2",
    ]);
    await at.first.kill();
    const channel = await at.second.channels.take();
    const [workerId] = identityOf(at.channel);
    expect([identityOf(at.channel), identityOf(channel)]).toEqual([
      [workerId, "1"],
      [workerId, "2"],
    ]);
    expect(await takeShortOf(channel, 1)).toEqual(["holds a@1,b@7"]);
    // The claims are as before.
    expect(await answersOf(channel, callTo("a", "h3"), callTo("b", "h4", "x", 7))).toEqual(["answer h3", "answer h4"]);
    expect(at.seen).toEqual(["a x", "b x", "a x", "b x"]);
    expect(at.worker.counters()).toMatchObject({ reconnections: 1, lostEvents: 0, droppedEvents: 0 });
  });

  test("drops what has not begun there of its shared types, and counts the events; a handler that runs is told that its caller is gone", async () => {
    const aborted = new Gate<unknown>();
    const mayEnd = new Gate();
    const seen: string[] = [];
    const factory = () =>
      new FunctionAgent(async (message, { signal }) => {
        const { content } = message as { readonly content: string };
        seen.push(content);
        if (content !== "run") return Reply({ content });
        signal.addEventListener("abort", () => aborted.open(signal.reason));
        await mayEnd.opened;
        return Reply({ content });
      });
    await using at = await atTwoHosts({ factory, type: { concurrency: "sequential" } });
    at.channel.send(callTo("a", "h1", "run"));
    at.channel.send(callTo("a", "h2", "waits"));
    at.channel.sendBytes(eventFor("a", "e1", { content: "event waits" }));
    at.channel.sendBytes(eventFor("a", "e2", { content: "event waits" }));
    at.channel.send(requestFrame("desk/d", { requestId: "h3", payload: jsonPayload("Ask", { content: "x" }) }));
    expect(await takeShortOf(at.channel, 1)).toEqual(["answer h3"]);
    await at.first.kill();
    expect(await aborted.opened).toMatchObject({ code: "caller-gone" });
    const channel = await at.second.channels.take();
    expect(await takeShortOf(channel, 1)).toEqual(["holds a@1"]);
    channel.send(callTo("a", "h1", "new"));
    await turn();
    expect(seen).toEqual(["run"]);
    mayEnd.open();
    expect(await takeShortOf(channel, 1)).toEqual(["answer h1"]);
    expect(seen).toEqual(["run", "new"]);
    expect(at.worker.counters()).toMatchObject({ lostEvents: 2, droppedEvents: 0, failedEventHandlers: 0 });
  });

  test("begins nothing of its agents until another host lends it a lease", async () => {
    await using at = await atTwoHosts();
    expect(await answersOf(at.channel, callTo("a", "h1"))).toEqual(["answer h1"]);
    at.second.leaseMs = 0;
    await at.first.kill();
    const channel = await at.second.channels.take();
    expect(await takeShortOf(channel, 1)).toEqual(["holds a@1"]);
    channel.send(callTo("a", "h2", "waits"));
    await turn();
    await turn();
    expect(at.seen).toEqual(["a x"]);
    at.second.leaseMs = 3_000;
    expect(await takeShortOf(channel, 1)).toEqual(["answer h2"]);
  });

  test("lists 2,500 agents in lots of 1,000 at most", async () => {
    await using at = await atTwoHosts();
    const keys = Array.from({ length: 2_500 }, (_none, index) => `k${index}`);
    for (const key of keys) at.channel.send(callTo(key, key));
    await at.channel.received.takeMany(keys.length);
    await at.first.kill();
    const channel = await at.second.channels.take();
    const lots = await channel.received.takeMany(3);
    const agents = lots.map((lot) => (lot.kind === "holds" ? lot.agents : []));
    expect(agents.map(({ length }) => length)).toEqual([1_000, 1_000, 500]);
    expect(new Set(agents.flat().map(({ key }) => key))).toEqual(new Set(keys));
  });

  test("goes to hosts that it was told, though its configuration does not name them", async () => {
    const [first, second] = (await lendingHosts(2)) as [LendingHost, LendingHost];
    await using _second = second;
    await using _first = first;
    const { channel } = await roomsAt(first, { worker: { reconnect: { initialDelayMs: 1, maxDelayMs: 1 } } });
    channel.send({ kind: "hosts", addresses: [first.address, second.address, "no address"] });
    expect(await answersOf(channel, callTo("a", "h1"))).toEqual(["answer h1"]);
    await first.kill();
    expect(await takeShortOf(await second.channels.take(), 1)).toEqual(["holds a@1"]);
  });

  test("drops its agents of shared types when it goes to a host without a cluster", async () => {
    await using at = await atTwoHosts();
    expect(await answersOf(at.channel, callTo("a", "h1"))).toEqual(["answer h1"]);
    at.second.capabilities = ["heartbeat", "turns", "claims"];
    await at.first.kill();
    const channel = await at.second.channels.take();
    expect(await answersOf(channel, callTo("a", "h2", "again", 1))).toEqual(["answer h2"]);
    expect(at.seen).toEqual(["a x", "a ends: stale", "a again"]);
  });
});

describe("a worker whose id no host of the cluster serves any more", () => {
  const byNotice = (channel: ScriptedStream<Frame>) => channel.send({ kind: "void" });
  const byStatus = (channel: ScriptedStream<Frame>) =>
    channel.stream.finish({ code: 10, details: "void: it is gone." });
  const byBoth = (channel: ScriptedStream<Frame>) => {
    byNotice(channel);
    byStatus(channel);
  };

  test.each([
    ["a notice", byNotice],
    ["the status of its channel", byStatus],
    ["both", byBoth],
  ])("hears it by %s: it ends its agents of shared types, and joins as another worker", async (_how, say) => {
    await using at = await atTwoHosts();
    expect(await answersOf(at.channel, callTo("a", "h1"))).toEqual(["answer h1"]);
    say(at.channel);
    const channel = await Promise.race([at.first.channels.take(), at.second.channels.take()]);
    const [[before], [after, session]] = [identityOf(at.channel), identityOf(channel)];
    expect(session).toBe("1");
    expect(after).not.toBe(before);
    // It holds nothing, and takes the agent anew under whatever epoch a host tells.
    expect(await answersOf(channel, callTo("a", "h2", "again"))).toEqual(["answer h2"]);
    expect(at.seen).toEqual(["a x", "a ends: moved", "a again"]);
    expect(at.first.logger.texts("warn").filter((text) => text.includes("given up worker"))).toHaveLength(1);
  });

  test("takes another ABORTED for the loss of that host alone", async () => {
    await using at = await atTwoHosts();
    expect(await answersOf(at.channel, callTo("a", "h1"))).toEqual(["answer h1"]);
    at.channel.stream.finish({ code: 10, details: "The host begins another life." });
    const channel = await Promise.race([at.first.channels.take(), at.second.channels.take()]);
    expect(identityOf(channel)).toEqual([identityOf(at.channel)[0], "2"]);
    expect(await takeShortOf(channel, 1)).toEqual(["holds a@1"]);
  });
});

test("a worker that can't register at the next host of its cluster does not say goodbye there", async () => {
  await using at = await atTwoHosts();
  at.second.script = () => {
    throw new RpcError(StatusCode.unavailable, "not now");
  };
  expect(await answersOf(at.channel, callTo("a", "h1"))).toEqual(["answer h1"]);
  await at.first.kill();
  const refused = await at.second.channels.take();
  // A half-close would be a goodbye.
  expect((await refused.ended).by).toBe("peer");
  at.second.script = () => emptyMessage;
  let channel = await at.second.channels.take();
  while (channel.received.rest.length === 0 && at.second.channels.rest.length > 0)
    channel = await at.second.channels.take();
  expect(await takeShortOf(channel, 1)).toEqual(["holds a@1"]);
  expect(Number(channel.metadata.agsession)).toBeGreaterThan(2);
});

test("a worker that no host of its cluster has taken yet begins each attempt as another worker, and keeps its id from then on", async () => {
  await using at = await atTwoHosts();
  const { first, second } = at;
  const refuse = () => {
    throw new RpcError(StatusCode.unavailable, "not now");
  };
  for (const host of [first, second]) host.script = refuse;
  const starting = first.newWorker({
    ...{ address: [first.address, second.address] },
    reconnect: { initialDelayMs: 1, maxDelayMs: 1, startWaits: true },
  });
  first.hurried.push(starting);
  await starting.registerFactory("hall", () => new FunctionAgent());
  const started = starting.start();
  const refused = [await first.channels.take(), await second.channels.take()];
  for (const host of [first, second]) host.script = () => emptyMessage;
  await started;
  const channels = [...refused, ...first.channels.rest, ...second.channels.rest];
  expect(new Set(channels.map((channel) => identityOf(channel)[0])).size).toBe(channels.length);
  expect(channels.map((channel) => identityOf(channel)[1])).toEqual(channels.map(() => "1"));
});
