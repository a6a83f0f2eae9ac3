import { afterEach, describe, expect, test } from "vitest";
import { z } from "zod";
import {
  defineMessage,
  handlerTable,
  RoutedAgent,
  type Subscription,
  TopicId,
  TypePrefixSubscription,
  TypeSubscription,
} from "../../../src/core/index.ts";
import { Host, type HostOptions } from "../../../src/host/index.ts";
import { encodeStoredState } from "../../../src/protocol/internal.ts";
import { MemoryStateStore } from "../../../src/storage/index.ts";
import { createMemoryNetwork } from "../../../src/transport/index.ts";
import { WorkerRuntime } from "../../../src/worker/index.ts";
import { Inbox } from "../../support/inbox.ts";
import { exact, RawWorker } from "../../support/raw-worker.ts";
import { RecordingLogger } from "../../support/recording-logger.ts";

const Note = defineMessage("DurableNote", z.object({ text: z.string() }));
const lisbon = new TopicId("orders", "lisbon");
const quickly = { initialDelayMs: 1, maxDelayMs: 1 };

const open: AsyncDisposable[] = [];
afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one[Symbol.asyncDispose]();
});

/** A host in memory, and what its workers' agents have seen. */
class Site {
  readonly seen = new Inbox<string>();
  readonly network = createMemoryNetwork();
  readonly host: Host;

  constructor(options: HostOptions = {}, address = "127.0.0.1:0") {
    this.host = new Host({ listener: this.network, address }, { retry: quickly, ...options });
  }

  static async start(options: HostOptions = {}): Promise<Site> {
    const site = new Site(options);
    await site.host.start();
    open.push({ [Symbol.asyncDispose]: () => site.host.stop({ graceMs: 0 }) });
    return site;
  }

  /** A worker that serves these types, whose agents put what they see into `seen`. */
  async worker(types: readonly string[] = [], subscriptions: readonly Subscription[] = [], isShared = false) {
    const worker = new WorkerRuntime({ dialer: this.network, address: this.host.address });
    open.push(worker);
    await worker.start();
    worker.addMessageSerializer(Note);
    const { seen } = this;
    class Seer extends RoutedAgent {
      static override readonly handlers = handlerTable<Seer>()
        .event(Note, function ({ text }) {
          seen.put(`${this.id} ${text}`);
        })
        .rpc(Note, function ({ text }) {
          seen.put(`${this.id} called ${text}`);
        });
    }
    for (const type of types)
      await Seer.register(worker, type, () => new Seer("sees"), isShared ? { shared: true } : {});
    for (const subscription of subscriptions) await worker.addSubscription(subscription);
    return worker;
  }

  async stock(clientId: string): Promise<RawWorker> {
    return new RawWorker(this.network.dial(this.host.address), clientId).join();
  }
}

const durable = (type: string) => new TypeSubscription("orders", type, { durable: true });
const publish = (worker: WorkerRuntime, text: string) =>
  worker.publishMessage(Note({ text }), lisbon, { delivery: "durable" });

function eventFrame(text: string, topicType = "orders") {
  const data = new TextEncoder().encode(JSON.stringify({ text }));
  const payload = { typeName: "DurableNote", contentType: "application/json", data };
  const sender = { type: "stock", key: "k" };
  return {
    kind: "event",
    event: { id: text, topicType, topicSource: "lisbon", sender, payload, attributes: {} },
  } as const;
}

describe("a durable event", () => {
  test("waits for its agent while no worker serves the type, and comes when one does", async () => {
    const site = await Site.start();
    const first = await site.worker(["clerk"], [durable("clerk")]);
    const publisher = await site.worker();
    await publish(publisher, "1");
    expect(await site.seen.take()).toBe("clerk/lisbon 1");
    await first.stop();
    await publish(publisher, "2");
    await publish(publisher, "3");
    // It subscribes to nothing: the host has kept the subscription.
    await site.worker(["clerk"]);
    expect(await site.seen.takeMany(2)).toEqual(["clerk/lisbon 2", "clerk/lisbon 3"]);
  });

  test("and its subscription outlive the host", async () => {
    const stateStore = new MemoryStateStore();
    const before = new Site({ stateStore });
    await before.host.start();
    const subscriptions = [durable("clerk"), new TypePrefixSubscription("aud", "auditor", { durable: true })];
    const first = await before.worker(["clerk", "auditor"], subscriptions);
    const publisher = await before.worker();
    await first.stop();
    await publish(publisher, "1");
    await publisher.stop();
    await before.host.stop({ graceMs: 0 });
    open.length = 0;

    const site = await Site.start({ stateStore: stateStore.reopen() });
    const next = await site.worker();
    await publish(next, "2");
    await next.publishMessage(Note({ text: "3" }), new TopicId("audits", "lisbon"), { delivery: "durable" });
    await site.worker(["clerk", "auditor"]);
    const seen = await site.seen.takeMany(3);
    expect(seen.filter((line) => line.startsWith("clerk"))).toEqual(["clerk/lisbon 1", "clerk/lisbon 2"]);
    expect(seen).toContain("auditor/lisbon 3");
  });

  test("is kept no more once its subscription was removed, also after a restart of the host", async () => {
    const stateStore = new MemoryStateStore();
    const before = new Site({ stateStore });
    await before.host.start();
    const subscription = durable("clerk");
    const first = await before.worker(["clerk"], [subscription]);
    await first.removeSubscription(subscription.id);
    await first.stop();
    await before.host.stop({ graceMs: 0 });
    open.length = 0;

    const site = await Site.start({ stateStore: stateStore.reopen() });
    const publisher = await site.worker(["visitor"], [new TypeSubscription("orders", "visitor")]);
    await publish(publisher, "1");
    expect(await site.seen.take()).toBe("visitor/lisbon 1");
    expect(site.host.counters().keptEvents).toBe(0);
    expect((await stateStore.list({ type: "troupe:topics" }).catch(() => undefined))?.records ?? []).toEqual([]);
  });

  test("comes once to each agent of a worker that has types with and without a durable subscription", async () => {
    const site = await Site.start();
    await site.worker(
      ["clerk", "visitor", "guest"],
      [durable("clerk"), new TypeSubscription("orders", "visitor"), new TypePrefixSubscription("ord", "guest")],
    );
    const publisher = await site.worker();
    await publish(publisher, "1");
    await publish(publisher, "2");
    const seen = await site.seen.takeMany(6);
    const due = ["clerk", "guest", "visitor"].flatMap((type) => [`${type}/lisbon 1`, `${type}/lisbon 2`]);
    expect([...seen].sort()).toEqual(due);
    await publisher.publishMessage(Note({ text: "last" }), lisbon);
    expect((await site.seen.takeMany(3)).every((line) => line.endsWith("last"))).toBe(true);
  });

  test("comes once to each agent of shared types, wherever it is", async () => {
    const site = await Site.start();
    await site.worker(["clerk", "visitor"], [durable("clerk"), new TypeSubscription("orders", "visitor")], true);
    await site.worker(["clerk", "visitor"], [durable("clerk"), new TypeSubscription("orders", "visitor")], true);
    const publisher = await site.worker();
    for (const text of ["1", "2", "3"]) await publish(publisher, text);
    const seen = await site.seen.takeMany(6);
    expect(seen.filter((line) => line.startsWith("clerk"))).toEqual(
      ["1", "2", "3"].map((text) => `clerk/lisbon ${text}`),
    );
    expect(seen.filter((line) => line.startsWith("visitor")).length).toBe(3);
  });

  test("of a stock publisher is kept on the topics that the host is told, and on no others", async () => {
    const site = await Site.start({ durableTopics: ["ord*"] });
    const first = await site.worker(
      ["clerk"],
      [durable("clerk"), new TypeSubscription("news", "clerk", { durable: true })],
    );
    await first.stop();
    const stock = await site.stock("S");
    stock.send(eventFrame("lost", "news"));
    stock.send(eventFrame("kept"));
    await expect.poll(() => site.host.counters().keptEvents, { interval: 1 }).toBe(1);
    await site.worker(["clerk"]);
    expect(await site.seen.take()).toBe("clerk/lisbon kept");
  });

  test("reaches a stock subscriber as any event, with no new byte", async () => {
    const site = await Site.start();
    const stock = await site.stock("S");
    await stock.register("reader");
    await stock.subscribe("s", exact("orders", "reader"));
    await site.worker(["clerk"], [durable("clerk")]);
    const publisher = await site.worker();
    await publish(publisher, "1");
    expect(await site.seen.take()).toBe("clerk/lisbon 1");
    expect((await stock.nextEvent()).attributes).toEqual({});
  });
});

test("an event for a full mailbox that no worker reads is a dead letter, and all others get it", async () => {
  const stateStore = new MemoryStateStore({ maxMailboxMessages: 2 });
  const logger = new RecordingLogger();
  const site = await Site.start({ stateStore, logger });
  const forgotten = await site.worker(["ghost"], [durable("ghost")]);
  await forgotten.stop();
  const worker = await site.worker(["clerk"], [durable("clerk")]);
  for (const text of ["1", "2", "3", "4"]) await publish(worker, text);
  expect(await site.seen.takeMany(4)).toEqual(["1", "2", "3", "4"].map((text) => `clerk/lisbon ${text}`));
  const { letters = [] } = (await stateStore.log.deadLetters({ limit: 10 })) ?? {};
  expect(letters.map(({ mailbox, why }) => [mailbox.type, why.code])).toEqual([
    ["ghost", "mailbox-full"],
    ["ghost", "mailbox-full"],
  ]);
  expect(site.host.counters().deadLetters).toBe(2);
  expect(logger.texts("warn").join()).toContain("ghost/lisbon");
  await site.worker(["ghost"]);
  expect(await site.seen.takeMany(2)).toEqual(["ghost/lisbon 1", "ghost/lisbon 2"]);
});

test("a call of a stock worker to a durable type is answered with nothing as soon as it is kept", async () => {
  const site = await Site.start({ durableTypes: ["clerk"] });
  const stock = await site.stock("S");
  const { payload } = eventFrame("kept").event;
  const target = { type: "clerk", key: "ada" };
  stock.send({ kind: "request", requestId: "1", source: undefined, target, payload, metadata: {} });
  expect(await stock.nextResponse()).toMatchObject({ requestId: "1", error: "", payload: { typeName: "NoneType" } });
  await site.worker(["clerk"]);
  expect(await site.seen.take()).toBe("clerk/ada called kept");
});

test("a stock client can't write over the subscriptions that the host keeps", async () => {
  const site = await Site.start();
  const stock = await site.stock("S");
  const agentId = { type: "troupe:topics", key: "clerk" };
  const data = { kind: "text", text: "{}" } as const;
  await expect(stock.unary("SaveState", encodeStoredState({ agentId, eTag: "", data }))).rejects.toThrow(/host's own/);
});

test("a host without mailboxes refuses durable subscriptions, events and options, and says what to use", async () => {
  const store = new MemoryStateStore();
  const mailless = new Proxy(store, { get: (target, name) => (name === "log" ? undefined : bound(target, name)) });
  expect(() => new Site({ stateStore: mailless, durableTopics: ["orders"] })).toThrow(/state store with mailboxes/);
  const site = await Site.start({ stateStore: mailless });
  const worker = await site.worker(["clerk"]);
  await expect(worker.addSubscription(durable("clerk"))).rejects.toMatchObject({ code: "not-accessible" });
  await expect(publish(worker, "1")).rejects.toMatchObject({ code: "not-accessible" });
});

test("options that name what no topic type can be are refused", () => {
  expect(() => new Site({ durableTopics: ["or ders"] })).toThrow(/durableTopics/);
  expect(() => new Site({ durableTypes: ["a/b"] })).toThrow(/durableTypes/);
});

function bound(target: MemoryStateStore, name: string | symbol): unknown {
  const value = Reflect.get(target, name, target);
  return typeof value === "function" ? value.bind(target) : value;
}
