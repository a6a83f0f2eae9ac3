import { AgentId, defineMessage, TopicId, TypeSubscription } from "troupe";
import { GrpcWorkerAgentRuntime, GrpcWorkerAgentRuntimeHost, type GrpcWorkerAgentRuntimeOptions } from "troupe/grpc";
import type { HostOccurrence, HostOptions } from "troupe/host";
import { describe, expect, test } from "vitest";
import * as z from "zod";
import { Gate } from "../../support/gate.ts";
import { Inbox } from "../../support/inbox.ts";
import { NodeProgram } from "../../support/node-program.ts";
import { RecordingLogger } from "../../support/recording-logger.ts";
import { FunctionAgent } from "../../support/worker/function-agent.ts";
import { haproxy, nginx, ProxyProcess, whyNot } from "./support/proxy-process.ts";

const Note = defineMessage("Note", z.object({ text: z.string() }));
const topic = new TopicId("t", "s");
const quick = { initialDelayMs: 10, maxDelayMs: 50 };

function workerAt(address: string, options: GrpcWorkerAgentRuntimeOptions = {}): GrpcWorkerAgentRuntime {
  const own = { logger: new RecordingLogger(), reconnect: quick, halfCloseWaitMs: 50 };
  const worker = new GrpcWorkerAgentRuntime(address, { ...own, ...options });
  worker.addMessageSerializer(Note);
  return worker;
}

async function hostAt(address: string, options: HostOptions = {}): Promise<GrpcWorkerAgentRuntimeHost> {
  const host = new GrpcWorkerAgentRuntimeHost(address, options);
  await host.start();
  return host;
}

/** Resolves when the worker has lost its host so often. */
async function lost(worker: GrpcWorkerAgentRuntime, times: number): Promise<void> {
  let [count, wasConnected] = [0, false];
  for await (const { at } of worker.status()) {
    if (wasConnected && at !== "connected") count += 1;
    wasConnected = at === "connected";
    if (count === times) return;
  }
}

describe.each([nginx, haproxy])("behind $name, configured as in the guide", (kind) => {
  test("a quiet worker outlives the proxy's timeouts on all its streams, and one without heartbeats is cut off", async (context) => {
    const reason = whyNot(kind);
    if (reason !== undefined) context.skip(reason);
    const closed: HostOccurrence[] = [];
    const note = (what: HostOccurrence) => what.at === "session" && what.what === "closed" && closed.push(what);
    await using host = await hostAt("127.0.0.1:0", { observer: note });
    await using proxy = await ProxyProcess.start(kind, { host: host.address, silenceSeconds: 1 });
    // With a bound on handlers there is a side stream, too.
    await using quiet = workerAt(proxy.address, { heartbeatMs: 200, maxConcurrentHandlers: 5, keepAliveMs: 0 });
    await quiet.registerFactory("quiet", () => new FunctionAgent());
    await quiet.start();
    const own = new Set((await host.inspect()).sessions.map(({ clientId }) => clientId));
    await using silent = workerAt(proxy.address, { heartbeatMs: 0, keepAliveMs: 0 });
    const isCutOff = lost(silent, 3);
    await silent.start();
    await isCutOff;
    expect(quiet.counters().reconnections).toBe(0);
    const ofQuiet = closed.filter((what) => what.at === "session" && own.has(what.clientId));
    expect(ofQuiet).toEqual([]);
    const caller = workerAt(host.address);
    await caller.start();
    await caller.sendMessage(Note({ text: "there?" }), new AgentId("quiet", "k"));
    await caller.agentMetadata(new AgentId("quiet", "k"));
    await caller.stop();
  });

  test("a host that is frozen is noticed, though the proxy answers pings", async (context) => {
    const reason = whyNot(kind);
    if (reason !== undefined) context.skip(reason);
    await using program = new NodeProgram("tests/e2e/proxies/support/plain-host.ts");
    const [, address = ""] = await program.output(/listening on (.+)/);
    await using proxy = await ProxyProcess.start(kind, { host: address });
    const worker = workerAt(proxy.address, {
      ...{ keepAliveMs: 100, keepAliveTimeoutMs: 500, reconnect: false },
      channelOptions: { pingIntervalMs: 50, pingTimeoutMs: 500 },
    });
    await worker.start();
    const outcome = worker.sendMessage(Note({ text: "?" }), new AgentId("quiet", "k")).catch((error: unknown) => error);
    await outcome;
    program.signal("SIGSTOP");
    expect(await worker.closed).toMatchObject({ by: "lost", reason: expect.stringContaining("no sign of life") });
    program.signal("SIGCONT");
  });

  test("a worker without types whose host was away loses none of the events that it queued", async (context) => {
    const reason = whyNot(kind);
    if (reason !== undefined) context.skip(reason);
    const first = await hostAt("127.0.0.1:0");
    const { address } = first;
    await using proxy = await ProxyProcess.start(kind, { host: address });
    await using worker = workerAt(proxy.address);
    await worker.start();
    const isAway = lost(worker, 1);
    await first.stop({ graceMs: 0 });
    await isAway;
    for (const text of ["1", "2", "3"]) await worker.publishMessage(Note({ text }), topic);
    // The proxy answers for the dead host, again and again.
    for await (const status of worker.status()) if (status.at === "connecting" && status.attempt >= 3) break;
    expect(worker.counters().reconnections).toBe(0);
    const got = new Inbox<unknown>();
    // The worker's next attempt may come before the listener has subscribed.
    const isListening = new Gate();
    const authorize: HostOptions["authorize"] = async ({ metadata }) => {
      if (metadata["x-listener"] === undefined) await isListening.opened;
    };
    await using second = await hostAt(address, { authorize });
    const listener = workerAt(second.address, { channelOptions: { metadata: { "x-listener": "1" } } });
    await listener.registerFactory("l", () => new FunctionAgent((message) => got.put(message)));
    await listener.addSubscription(new TypeSubscription("t", "l"));
    await listener.start();
    isListening.open();
    await worker.publishMessage(Note({ text: "4" }), topic);
    const texts = (await got.takeMany(4)).map((message) => (message as { readonly text: string }).text);
    expect(texts).toEqual(["1", "2", "3", "4"]);
    expect(worker.counters()).toMatchObject({ lostEvents: 0, unconfirmedEvents: 0, reconnections: 1 });
    await listener.stop();
  });
});

test("behind nginx, which sends GOAWAY after so many requests, a worker goes on registering and calling", {
  timeout: 240_000,
}, async (context) => {
  const reason = whyNot(nginx);
  if (reason !== undefined) context.skip(reason);
  await using host = await hostAt("127.0.0.1:0");
  await using proxy = await ProxyProcess.start(nginx, { host: host.address, requests: 30 });
  await using worker = workerAt(proxy.address, { keepAliveMs: 50 });
  await worker.start();
  const handled: string[] = [];
  for (let type = 0; type < 40; type += 1) {
    await worker.registerFactory(`a${type}`, () => new FunctionAgent(() => void handled.push(`a${type}`)));
    await worker.addSubscription(new TypeSubscription("t", `a${type}`));
    // The worker may register anew at this moment. Then nobody serves the type for an instant.
    await worker.sendMessage(Note({ text: "?" }), new AgentId(`a${type}`, "k"), { waitForTarget: 10_000 });
  }
  expect(handled).toEqual(Array.from({ length: 40 }, (_, type) => `a${type}`));
  await expect.poll(() => host.counters().agentTypes, { timeout: 120_000 }).toBe(40);
  expect(worker.counters()).toMatchObject({ reconnections: 0, lostEvents: 0 });
});
