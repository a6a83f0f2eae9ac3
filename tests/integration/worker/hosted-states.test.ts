import { expect, test } from "vitest";
import { z } from "zod";
import { AgentId, defineMessage, defineState, handlerTable, persistentAgent } from "../../../src/core/index.ts";
import { decodeGetStateAnswer, encodeAgentId, encodeStoredState } from "../../../src/protocol/internal.ts";
import { MemoryStateStore } from "../../../src/storage/index.ts";
import { startTestHost } from "../../../src/testing/index.ts";
import { type Dialer, grpcDialer, type Link } from "../../../src/transport/index.ts";
import { WorkerRuntime } from "../../../src/worker/index.ts";
import { Gate } from "../../support/gate.ts";
import { GatedStore } from "../../support/gated-store.ts";
import { Opened } from "../../support/opened.ts";
import { RawGrpcHost } from "../../support/raw-grpc-host.ts";
import { RawStates } from "../../support/raw-states.ts";
import { RawWorker } from "../../support/raw-worker.ts";

const Total = defineMessage("Total", z.object({ value: z.number() }));
const Add = defineMessage("Add", z.object({ value: z.number() }), { answer: Total });
const Count = defineState(z.object({ total: z.number() }), { initial: { total: 0 } });

class Counter extends persistentAgent(Count) {
  static override readonly handlers = handlerTable<Counter>().rpc(Add, function ({ value }) {
    this.state.total += value;
    return Total({ value: this.state.total });
  });
}

const id = new AgentId("counter", "a");
const quiet = { debug() {}, info() {}, warn() {}, error() {} };

test("a persistent type is refused where the host keeps no states and the worker has no store", async () => {
  await using host = await new RawGrpcHost().listen();
  const refusal = { code: "not-accessible", message: expect.stringContaining("Give the worker a stateStore.") };
  const ends = { address: host.address, dialer: grpcDialer(), logger: quiet };
  const worker = new WorkerRuntime(ends);
  await worker.start();
  await expect(Counter.register(worker, "counter", () => new Counter("counts"))).rejects.toMatchObject(refusal);
  await worker.stop();
  const early = new WorkerRuntime(ends);
  await Counter.register(early, "counter", () => new Counter("counts"));
  await expect(early.start()).rejects.toMatchObject(refusal);
  const own = new WorkerRuntime({ ...ends, stateStore: new MemoryStateStore() });
  await own.start();
  await Counter.register(own, "counter", () => new Counter("counts"));
  await own.stop();
  expect(host.calls.filter(({ method }) => method === "RegisterAgent")).toHaveLength(1);
});

test("a worker that asks for the state of another's agent learns that a newer program has written it", async () => {
  const stateStore = new MemoryStateStore();
  await using opened = new Opened();
  const host = opened.use(await startTestHost({ stateStore }));
  const worker = new WorkerRuntime({ ...host, logger: quiet });
  const asker = new WorkerRuntime({ ...host, logger: quiet });
  for (const one of [worker, asker]) {
    opened.use(one);
    await one.start();
  }
  await Counter.register(worker, "counter", () => new Counter("counts"));
  const write = {
    at: "put",
    contentType: "application/json",
    schemaVersion: 2,
    data: new TextEncoder().encode("{}"),
  } as const;
  const rest = { epoch: undefined, expected: { at: "anything" }, reminders: [], mail: [], remembered: [] } as const;
  await stateStore.commit([{ agent: { type: id.type, key: id.key }, write, ...rest }]);
  const tooNew = { code: "state-too-new", message: expect.stringContaining("The state of counter/a has version 2") };
  await expect(worker.agentSaveState(id)).rejects.toMatchObject(tooNew);
  await expect(asker.agentSaveState(id)).rejects.toMatchObject(tooNew);
  await expect(asker.agentLoadState(id, { total: 1 })).rejects.toMatchObject(tooNew);
});

test.each(["host", "worker"])(
  "a call whose state is being written to the store of its %s when the worker stops waiting ends as state-unknown, and may be sent again with its key",
  async (holder) => {
    const stateStore = new GatedStore();
    const [ofHost, ofWorker] = holder === "host" ? [{ stateStore }, {}] : [{}, { stateStore }];
    await using opened = new Opened();
    const host = opened.use(await startTestHost(ofHost));
    const worker = opened.use(new WorkerRuntime({ ...host, ...ofWorker, logger: quiet, drainTimeoutMs: 0 }));
    const caller = opened.use(new WorkerRuntime({ ...host, logger: quiet }));
    caller.addMessageSerializer([Add, Total]);
    for (const one of [worker, caller]) await one.start();
    await Counter.register(worker, "counter", () => new Counter("counts"));
    const idempotencyKey = "order-7";
    const call = caller.sendMessage(Add({ value: 1 }), id, { idempotencyKey });
    const unknown = expect(call).rejects.toMatchObject({ code: "state-unknown" });
    const { write } = await stateStore.commits.take();
    const stopped = worker.stop();
    await unknown;
    write();
    stateStore.openGate();
    await stopped;
    const other = opened.use(new WorkerRuntime({ ...host, ...ofWorker, logger: quiet }));
    await other.start();
    await Counter.register(other, "counter", () => new Counter("counts"));
    expect(await caller.sendMessage(Add({ value: 1 }), id, { idempotencyKey })).toEqual(Total({ value: 1 }));
    expect(await caller.sendMessage(Add({ value: 1 }), id)).toEqual(Total({ value: 2 }));
  },
);

const AddSlowly = defineMessage("AddSlowly", z.object({ value: z.number() }), { answer: Total, chunk: Total });

class SlowCounter extends persistentAgent(Count) {
  static override readonly handlers = handlerTable<SlowCounter>().rpc(AddSlowly, async function* ({ value }) {
    yield Total({ value: this.state.total });
    this.state.total += value;
    return Total({ value: this.state.total });
  });
}

test.each(["host", "worker"])(
  "a stream whose state is being written to the store of its %s when the worker stops waiting ends as state-unknown",
  async (holder) => {
    const stateStore = new GatedStore();
    const [ofHost, ofWorker] = holder === "host" ? [{ stateStore }, {}] : [{}, { stateStore }];
    await using opened = new Opened();
    const host = opened.use(await startTestHost(ofHost));
    const worker = opened.use(new WorkerRuntime({ ...host, ...ofWorker, logger: quiet, drainTimeoutMs: 0 }));
    const caller = opened.use(new WorkerRuntime({ ...host, logger: quiet }));
    for (const one of [worker, caller]) await one.start();
    await SlowCounter.register(worker, "counter", () => new SlowCounter("counts"));
    caller.addMessageSerializer([AddSlowly, Total]);
    const stream = caller.stream(AddSlowly({ value: 1 }), id);
    const reading = stream[Symbol.asyncIterator]();
    expect(await reading.next()).toEqual({ done: false, value: Total({ value: 0 }) });
    const unknown = expect(reading.next()).rejects.toMatchObject({ code: "state-unknown" });
    const { write } = await stateStore.commits.take();
    const stopped = worker.stop();
    await unknown;
    write();
    stateStore.openGate();
    await stopped;
  },
);

test("a commit of which the outcome is not known fails its call as such, and the next message finds what is stored", async () => {
  const stateStore = new GatedStore();
  await using opened = new Opened();
  const host = opened.use(await startTestHost({ stateStore }));
  const worker = new WorkerRuntime({ ...host, logger: quiet });
  const caller = new WorkerRuntime({ ...host, logger: quiet });
  await Promise.all([worker.start(), caller.start()]);
  await Counter.register(worker, "counter", () => new Counter("counts"));
  const first = caller.sendMessage(Add({ value: 1 }), id);
  const failed = expect(first).rejects.toMatchObject({ code: "state-unknown" });
  const held = await stateStore.commits.take();
  // Another stream under the worker's client id takes the place of its own.
  const { clientId } = host.host.sessions().find(({ incomingCalls }) => incomingCalls === 1) ?? { clientId: "" };
  const link = host.dialer.dial(host.address);
  const usurper = new RawStates(link, clientId);
  await failed;
  stateStore.openGate();
  held.write();
  const second = caller.sendMessage(Add({ value: 1 }), id);
  expect((await second).value).toBe(2);
  await usurper.ended;
  await link.close();
  await Promise.all([worker.stop(), caller.stop()]);
});

test.each([
  { how: "a call", options: {}, total: 10, retried: 11 },
  { how: "a call with an idempotencyKey", options: { idempotencyKey: "order-7" }, total: 11, retried: 1 },
])(
  "$how whose connection is lost while its handler runs changes the state only if its caller can have the answer later",
  async ({ options, total, retried }) => {
    const [begun, end] = [new Gate(), new Gate()];
    class Slow extends persistentAgent(Count) {
      static override readonly handlers = handlerTable<Slow>().rpc(Add, async function ({ value }) {
        this.state.total += value;
        const { total: answer } = this.state;
        if (value === 1) begun.open();
        if (value === 1) await end.opened;
        return Total({ value: answer });
      });
    }
    await using opened = new Opened();
    const host = opened.use(await startTestHost());
    const links: Link[] = [];
    const dialer: Dialer = {
      dial: (address) => {
        const link = host.dialer.dial(address);
        links.push(link);
        return link;
      },
    };
    const worker = opened.use(new WorkerRuntime({ ...host, dialer, logger: quiet, reconnect: { initialDelayMs: 1 } }));
    const caller = opened.use(new WorkerRuntime({ ...host, logger: quiet }));
    await Promise.all([worker.start(), caller.start()]);
    await Slow.register(worker, "counter", () => new Slow("counts"), { concurrency: "sequential" });
    const lost = caller.sendMessage(Add({ value: 1 }), id, options);
    await begun.opened;
    await links[0]?.close();
    await expect(lost).rejects.toMatchObject({ code: "disconnected" });
    // The worker is back.
    await caller.sendMessage(Add({ value: 10 }), new AgentId("counter", "b"), { waitForTarget: 10_000 });
    end.open();
    expect((await caller.sendMessage(Add({ value: 10 }), id)).value).toBe(total);
    expect((await caller.sendMessage(Add({ value: 1 }), id, options)).value).toBe(retried);
  },
);

test("an agent goes on with the state that a stock client has read and saved, also over a live activation", async () => {
  await using host = await startTestHost();
  const worker = new WorkerRuntime({ ...host, logger: quiet });
  await worker.start();
  await Counter.register(worker, "counter", () => new Counter("counts"));
  await worker.sendMessage(Add({ value: 1 }), id);
  const stock = new RawWorker(host.dialer.dial(host.address));
  const agentId = { type: "counter", key: "a" };
  const { state } = decodeGetStateAnswer(await stock.unary("GetState", encodeAgentId(agentId)));
  expect(state?.data).toEqual({ kind: "text", text: '{"total":1}' });
  const data = { kind: "text", text: '{"total":10}' } as const;
  await stock.unary("SaveState", encodeStoredState({ agentId, eTag: state?.eTag ?? "", data }));
  expect(await worker.sendMessage(Add({ value: 1 }), id)).toMatchObject({ value: 11 });
  await stock.link.close();
  await worker.stop();
});

test("what an agent changes in onDeactivate is written at the host before its worker leaves", async () => {
  const stateStore = new GatedStore();
  await using opened = new Opened();
  const host = opened.use(await startTestHost({ stateStore }));
  const worker = new WorkerRuntime({ ...host, logger: quiet });
  const caller = new WorkerRuntime({ ...host, logger: quiet });
  await Promise.all([worker.start(), caller.start()]);
  class Parting extends Counter {
    override onDeactivate(): void {
      this.state.total += 100;
    }
  }
  await Parting.register(worker, "counter", () => new Parting("counts"));
  const first = caller.sendMessage(Add({ value: 1 }), id);
  (await stateStore.commits.take()).write();
  await first;
  let isStopped = false;
  const stopped = worker.stop().then(() => {
    isStopped = true;
  });
  const last = await stateStore.commits.take();
  expect(isStopped).toBe(false);
  expect(host.host.sessions()).toHaveLength(2);
  last.write();
  await stopped;
  stateStore.openGate();
  const next = new WorkerRuntime({ ...host, logger: quiet });
  await next.start();
  await Counter.register(next, "counter", () => new Counter("counts"));
  expect((await caller.sendMessage(Add({ value: 1 }), id)).value).toBe(102);
  await Promise.all([next.stop(), caller.stop()]);
});
