import { expect, test } from "vitest";
import { z } from "zod";
import {
  AgentId,
  defineMessage,
  defineState,
  type MessageContext,
  persistentAgent,
  rpc,
  SingleThreadedAgentRuntime,
} from "../../../src/core/index.ts";
import { Host, operationsOf } from "../../../src/host/internal.ts";
import { MemoryStateStore } from "../../../src/storage/index.ts";
import { createMemoryNetwork } from "../../../src/transport/index.ts";
import { WorkerRuntime } from "../../../src/worker/index.ts";
import { Gate } from "../../support/gate.ts";
import { Inbox } from "../../support/inbox.ts";

const Begin = defineMessage("WithdrawnBegin", z.object({}));
const End = defineMessage("WithdrawnEnd", z.object({}));
const Due = defineMessage("WithdrawnDue", z.object({}));

const lamp = new AgentId("lamp", "a");
const quiet = { debug() {}, info() {}, warn() {}, error() {} };
const LampState = defineState(z.object({ isOn: z.boolean() }), { initial: { isOn: false }, save: "manual" });

/** A store that holds the question whether an agent has handled a tick or a told message before. */
class HeldReads extends MemoryStateStore {
  readonly asked = new Inbox<string>();
  readonly gate = new Gate();

  override async remembered(...[agent, id, principal]: Parameters<MemoryStateStore["remembered"]>) {
    this.asked.put(id);
    await this.gate.opened;
    return super.remembered(agent, id, principal);
  }
}

/** An agent that is reminded at once, and what it has seen. */
class Lamp extends persistentAgent(LampState) {
  readonly seen: Inbox<string>;
  readonly #remindsLast: boolean;

  constructor(seen: Inbox<string>, remindsLast = false) {
    super("a lamp");
    this.seen = seen;
    this.#remindsLast = remindsLast;
  }

  override async onDeactivate(): Promise<void> {
    if (this.#remindsLast) await this.begin();
  }

  @rpc(Begin)
  begin() {
    return this.remindMe("off", { after: 0 }, Due({}));
  }

  @rpc(End)
  end() {
    return this.cancelReminder("off");
  }

  @rpc(Due)
  due(_message: unknown, { reminder }: MessageContext) {
    this.seen.put(reminder === undefined ? "told" : `tick ${reminder.name}`);
  }
}

async function startWorld(stateStore: MemoryStateStore) {
  const network = createMemoryNetwork();
  const host = new Host({ listener: network, address: "host:1" }, { stateStore });
  await host.start();
  const worker = new WorkerRuntime({ dialer: network, address: "host:1", logger: quiet });
  await worker.start();
  /** As an operator does with `troupe reminders cancel` and `troupe states delete`. */
  const write = async (what: "cancel" | "delete") => {
    const store = await operationsOf(host.servicer).openStore();
    const parts = { agent: lamp, epoch: undefined, mail: [], remembered: [], expected: { at: "anything" } } as const;
    const change =
      what === "delete"
        ? ({ write: { at: "delete" }, reminders: [] } as const)
        : ({ write: { at: "keep" }, reminders: [{ at: "cancel", name: "off" }] } as const);
    expect(await store.commit([{ ...parts, ...change }])).toMatchObject([{ at: "committed" }]);
    // The host's notice has come to the worker.
    await expect.poll(() => worker.counters().abandonedCalls).toBe(1);
  };
  return {
    worker,
    write,
    async [Symbol.asyncDispose]() {
      await worker.stop();
      await host.stop({ graceMs: 0 });
    },
  };
}

test("a cancelled reminder does not begin, though its tick has its turn and only waits for the store", async () => {
  const [store, seen] = [new HeldReads(), new Inbox<string>()];
  await using world = await startWorld(store);
  await Lamp.register(world.worker, "lamp", () => new Lamp(seen));
  await world.worker.sendMessage(Begin({}), lamp);
  expect(await store.asked.take()).toMatch(/^r:off@/);
  await world.write("cancel");
  store.gate.open();
  await world.worker.sendMessage(End({}), lamp);
  expect(seen.rest).toEqual([]);
});

test("a told message of a state that was deleted does not begin, though it has its turn and only waits for the store", async () => {
  const [store, seen] = [new HeldReads(), new Inbox<string>()];
  await using world = await startWorld(store);
  await Lamp.register(world.worker, "lamp", () => new Lamp(seen));
  await world.worker.tell(Due({}), lamp);
  await store.asked.take();
  await world.write("delete");
  store.gate.open();
  await world.worker.sendMessage(End({}), lamp);
  expect(seen.rest).toEqual([]);
});

test("a cancelled reminder does not begin, though its tick only waits until its agent is made", async () => {
  const [seen, made, asked] = [new Inbox<string>(), new Gate(), new Inbox<string>()];
  await using world = await startWorld(new MemoryStateStore());
  let count = 0;
  await Lamp.register(world.worker, "lamp", async () => {
    count += 1;
    if (count > 1) {
      asked.put("factory");
      await made.opened;
    }
    return new Lamp(seen, count === 1);
  });
  await world.worker.sendMessage(End({}), lamp);
  await world.worker.deactivateAgent(lamp);
  await asked.take();
  await world.write("cancel");
  made.open();
  await world.worker.sendMessage(End({}), lamp);
  expect(seen.rest).toEqual([]);
});

test("in process a cancelled reminder does not begin, though its tick only waits for the store", async () => {
  const [store, seen] = [new HeldReads(), new Inbox<string>()];
  const runtime = new SingleThreadedAgentRuntime({ stateStore: store, logger: quiet });
  await Lamp.register(runtime, "lamp", () => new Lamp(seen), { concurrency: "interleaved" });
  await runtime.start();
  await runtime.sendMessage(Begin({}), lamp);
  expect(await store.asked.take()).toMatch(/^r:off@/);
  await runtime.sendMessage(End({}), lamp);
  store.gate.open();
  await runtime.sendMessage(End({}), lamp);
  await runtime.stopWhenIdle();
  expect(seen.rest).toEqual([]);
  await runtime.close();
});
