import { afterEach, describe, expect, it } from "vitest";
import { z } from "zod";
import {
  AgentId,
  defineMessage,
  handlerTable,
  RoutedAgent,
  type Subscription,
  TopicId,
  TypeSubscription,
} from "../../../../src/core/index.ts";
import { type DurableLog, nextTurn, type StateStore, shardOf } from "../../../../src/core/internal.ts";
import { operationsOf } from "../../../../src/host/internal.ts";
import { MemoryStateStore } from "../../../../src/storage/index.ts";
import { WorkerRuntime } from "../../../../src/worker/index.ts";
import {
  type ClusterHostRig,
  type ClusterRig,
  type ClusterTransport,
  clusterTransports,
} from "../../../support/cluster-rig.ts";
import { Gate } from "../../../support/gate.ts";
import { Inbox } from "../../../support/inbox.ts";
import { sharedMemoryStores } from "../../../support/shared-memory-store.ts";

const Note = defineMessage("ClusterNote", z.object({ text: z.string() }));
const quickly = { initialDelayMs: 1, maxDelayMs: 1 };
const open: AsyncDisposable[] = [];

afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one[Symbol.asyncDispose]();
});

const clusters = overMemory();

function overMemory(): ClusterTransport {
  const [memory] = clusterTransports;
  if (memory === undefined) throw new Error("There are memory links.");
  return memory;
}

interface Site {
  readonly rig: ClusterRig;
  readonly log: DurableLog;
  readonly seen: Inbox<string>;
  /** The handlers of messages "slow" end when it is open. */
  readonly slow: Gate;
  worker(
    host: ClusterHostRig,
    types?: readonly string[],
    subscriptions?: readonly Subscription[],
  ): Promise<WorkerRuntime>;
}

/** Two hosts with one log, and what their workers' agents have seen. */
async function start({ stores }: { readonly stores?: () => StateStore } = {}): Promise<Site> {
  const mailboxes = new MemoryStateStore();
  await mailboxes.open();
  const { log } = mailboxes;
  const seen = new Inbox<string>();
  const slow = new Gate();
  const options = () => ({
    host: { retry: quickly, ...(stores === undefined ? {} : { stateStore: stores() }) },
    cluster: { log },
  });
  const rig = await clusters.start(options());
  open.push(rig);
  const worker: Site["worker"] = async (host, types = [], subscriptions = []) => {
    const runtime = new WorkerRuntime({ dialer: rig.dialer, address: host.host.address });
    open.push(runtime);
    await runtime.start();
    runtime.addMessageSerializer(Note);
    class Seer extends RoutedAgent {
      static override readonly handlers = handlerTable<Seer>()
        .event(Note, function ({ text }) {
          seen.put(`${this.id} ${text}`);
        })
        .rpc(Note, async function ({ text }) {
          seen.put(`${this.id} called ${text}`);
          if (text === "slow") await slow.opened;
          if (text === "remind") await this.remindMe("later", { after: 1_000 }, Note({ text: "due" }));
        });
    }
    for (const type of types) await runtime.registerFactory(type, () => new Seer("sees"));
    for (const subscription of subscriptions) await runtime.addSubscription(subscription);
    return runtime;
  };
  return { rig, log, seen, slow, worker };
}

/** Agents of one type in many shards, so that both hosts own some of them. */
const keys = Array.from({ length: 12 }, (_, index) => `k${index}`);

describe("the mail of a cluster", () => {
  it("reaches agents of either host, from either, in order, whichever host owns their shard", async () => {
    const { rig, seen, worker } = await start();
    const sender = await worker(rig.one);
    await worker(rig.two, ["writer"]);
    expect(new Set(keys.map((key) => shardOf({ type: "writer", key }))).size).toBeGreaterThan(6);
    for (const text of ["1", "2", "3"]) {
      for (const key of keys) await sender.tell(Note({ text }), new AgentId("writer", key));
    }
    const all = await seen.takeMany(3 * keys.length);
    for (const key of keys) {
      const ofKey = all.filter((each) => each.startsWith(`writer/${key} `));
      expect(ofKey).toEqual(["1", "2", "3"].map((text) => `writer/${key} called ${text}`));
    }
  });

  it("waits for a worker that comes later, at any host", async () => {
    const { rig, seen, worker } = await start();
    const sender = await worker(rig.one);
    for (const key of keys) await sender.tell(Note({ text: "early" }), new AgentId("late", key));
    await worker(rig.two, ["late"]);
    const all = await seen.takeMany(keys.length);
    expect([...all].sort()).toEqual(keys.map((key) => `late/${key} called early`).sort());
  });

  it("is gone with an agent that an operator of either host ends for good, and comes to the next one again", async () => {
    const stores = sharedMemoryStores();
    const { rig, seen, worker } = await start({ stores });
    const sender = await worker(rig.one);
    for (const key of keys) await sender.tell(Note({ text: "before" }), new AgentId("late", key));
    const { signal } = new AbortController();
    for (const [index, key] of keys.entries()) {
      const host = index % 2 === 0 ? rig.one.host : rig.two.host;
      expect(await operationsOf(host.servicer).agents.destroy({ type: "late", key }, signal)).toBe(false);
    }
    for (const key of keys) await sender.tell(Note({ text: "after" }), new AgentId("late", key));
    // The owner of the shard empties the mailbox.
    const marked = stores();
    while ((await marked.mail({ limit: 1 })).length > 0) await nextTurn();
    await worker(rig.two, ["late"]);
    const all = await seen.takeMany(keys.length);
    expect([...all].sort()).toEqual(keys.map((key) => `late/${key} called after`).sort());
  });

  it("goes on at the other host when the host that owned its shards has stopped", async () => {
    const { rig, seen, worker } = await start();
    const sender = await worker(rig.two);
    await worker(rig.two, ["writer"]);
    await rig.one.host.stop({ graceMs: 1_000 });
    for (const key of keys) await sender.tell(Note({ text: "after" }), new AgentId("writer", key));
    expect([...(await seen.takeMany(keys.length))].sort()).toEqual(
      keys.map((key) => `writer/${key} called after`).sort(),
    );
  });

  it("comes once and in order while a host drains, which leaves its shards to the others before it ends", async () => {
    const { rig, seen, worker } = await start();
    const three = await rig.add();
    const sender = await worker(rig.two);
    await worker(rig.one, ["writer"]);
    await worker(three, ["reader"]);
    const texts = Array.from({ length: 12 }, (_, index) => `${index}`);
    const types = ["writer", "reader"];
    const tellAll = async (some: readonly string[]): Promise<void> => {
      for (const text of some)
        for (const type of types) for (const key of keys) await sender.tell(Note({ text }), new AgentId(type, key));
    };
    await tellAll(texts.slice(0, 4));
    const shardsHeld = () => [rig.one, rig.two, three].map(({ host }) => host.counters().cluster?.shardsHeld ?? 0);
    while (shardsHeld().some((count) => count === 0)) await nextTurn();
    const telling = tellAll(texts.slice(4));
    await rig.one.host.stop({ graceMs: 30_000 });
    await telling;
    const all = await seen.takeMany(texts.length * types.length * keys.length);
    for (const type of types) {
      for (const key of keys) {
        const ofAgent = all.filter((each) => each.startsWith(`${type}/${key} `));
        expect(ofAgent).toEqual(texts.map((text) => `${type}/${key} called ${text}`));
      }
    }
    while (shardsHeld().reduce((sum, count) => sum + count, 0) < 32) await nextTurn();
    expect(shardsHeld()[0]).toBe(0);
    expect(rig.one.host.counters().cluster?.shardsHandedOver).toBeGreaterThan(0);
    expect(seen.rest).toEqual([]);
  });

  it("is not handed over before what is under way has ended, so that none comes twice", async () => {
    const { rig, seen, slow, worker } = await start();
    const sender = await worker(rig.two, ["writer"]);
    for (const key of keys) await sender.tell(Note({ text: "slow" }), new AgentId("writer", key));
    const begun = await seen.takeMany(keys.length);
    const heldByTwo = () => rig.two.host.counters().cluster?.shardsHeld ?? 0;
    const before = heldByTwo();
    const stopped = rig.one.host.stop({ graceMs: 60_000 });
    while (heldByTwo() === before) await nextTurn();
    slow.open();
    await stopped;
    while (heldByTwo() < 32) await nextTurn();
    await sender.tell(Note({ text: "last" }), new AgentId("writer", "k0"));
    expect([...begun, await seen.take()].sort()).toEqual(
      [...keys.map((key) => `writer/${key} called slow`), "writer/k0 called last"].sort(),
    );
    expect(seen.rest).toEqual([]);
  });

  it("leaves its reminders to the other hosts, too, which fire each once", async () => {
    const { rig, seen, worker } = await start({ stores: sharedMemoryStores() });
    const sender = await worker(rig.two, ["writer"]);
    for (const key of keys) await sender.tell(Note({ text: "remind" }), new AgentId("writer", key));
    await seen.takeMany(keys.length);
    await rig.one.host.stop({ graceMs: 30_000 });
    expect([...(await seen.takeMany(keys.length))].sort()).toEqual(
      keys.map((key) => `writer/${key} called due`).sort(),
    );
    await sender.tell(Note({ text: "last" }), new AgentId("writer", "k0"));
    expect(await seen.take()).toBe("writer/k0 called last");
    expect(seen.rest).toEqual([]);
  });

  it("has dead letters that either host lists and drops", async () => {
    const { rig, log } = await start();
    const mailbox = { type: "writer", key: "1" };
    const frame = new Uint8Array([1]);
    const message = { id: "7", kind: "call", frame, sentAtMs: 1, mailbox, place: 0, priorTakeovers: 0 } as const;
    await log.bury(message, { code: "handler-failed", text: "it threw", attempts: 5 });
    for (const { host } of [rig.one, rig.two]) {
      const { letters } = (await operationsOf(host.servicer).log?.deadLetters({ limit: 10 })) ?? { letters: [] };
      expect(letters.map(({ id }) => id)).toEqual(["7"]);
    }
    const [one, two] = [rig.one, rig.two].map(({ host }) => operationsOf(host.servicer).log);
    const [letter] = (await one?.deadLetters({ limit: 10 }))?.letters ?? [];
    expect(await two?.drop([letter?.letter ?? ""])).toBe(1);
    expect((await one?.deadLetters({ limit: 10 }))?.letters).toEqual([]);
  });

  it("has the events of durable subscriptions that another host has taken, and of a commit there", async () => {
    const stores = sharedMemoryStores();
    const { rig, seen, worker } = await start({ stores });
    await worker(rig.two, ["durable"], [new TypeSubscription("orders", "durable", { durable: true })]);
    const publisher = await worker(rig.one);
    for (const text of ["1", "2"])
      await publisher.publishMessage(Note({ text }), new TopicId("orders", "lisbon"), { delivery: "durable" });
    expect(await seen.takeMany(2)).toEqual(["durable/lisbon 1", "durable/lisbon 2"]);
  });

  it("may come before an event that was kept earlier, while the events of a publisher keep their order", async () => {
    const store = sharedMemoryStores();
    const gate = new Gate();
    // The outbox is read when the gate is open.
    const stores = () => {
      const one = store();
      return new Proxy(one, {
        get: (target, name) =>
          name === "mail"
            ? async (...asked: Parameters<StateStore["mail"]>) => {
                await gate.opened;
                return target.mail(...asked);
              }
            : Reflect.get(target, name),
      });
    };
    const { rig, seen, worker } = await start({ stores });
    await worker(rig.two, ["durable"], [new TypeSubscription("orders", "durable", { durable: true })]);
    const publisher = await worker(rig.one);
    for (const text of ["1", "2"])
      await publisher.publishMessage(Note({ text }), new TopicId("orders", "lisbon"), { delivery: "durable" });
    await publisher.tell(Note({ text: "3" }), new AgentId("durable", "lisbon"));
    expect(await seen.take()).toBe("durable/lisbon called 3");
    gate.open();
    expect(await seen.takeMany(2)).toEqual(["durable/lisbon 1", "durable/lisbon 2"]);
  });
});
