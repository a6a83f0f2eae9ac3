// Over 400 lines: one cast of clerks and stocks, whose messages hosts keep in each store.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import {
  AgentId,
  defineMessage,
  defineState,
  type MessageContext,
  type MessageOf,
  persistentAgent,
  type ReminderTickInfo,
  RoutedAgent,
  rpc,
} from "../../../src/core/index.ts";
import type { HostOptions } from "../../../src/host/index.ts";
import { Host } from "../../../src/host/index.ts";
import { MemoryStateStore, type StateStore } from "../../../src/storage/index.ts";
import { openPostgresStore } from "../../../src/storage/postgres/index.ts";
import { openSqliteStore } from "../../../src/storage/sqlite/index.ts";
import {
  createMemoryNetwork,
  type Dialer,
  grpcDialer,
  grpcListener,
  type Listener,
} from "../../../src/transport/index.ts";
import { WorkerRuntime } from "../../../src/worker/index.ts";
import { Gate } from "../../support/gate.ts";
import { GatedStore } from "../../support/gated-store.ts";
import { Inbox } from "../../support/inbox.ts";
import { withServer } from "../../support/postgres-rig.ts";
import { RawGrpcHost } from "../../support/raw-grpc-host.ts";
import { RawWorker } from "../../support/raw-worker.ts";
import { next, requestFrame } from "../../support/worker/frames.ts";
import { ScriptedHost } from "../../support/worker/scripted-host.ts";

const Place = defineMessage("HostedPlace", z.object({ fails: z.boolean(), afterMs: z.number() }));
const Paid = defineMessage("HostedPaid", z.object({}));
const PaymentDue = defineMessage("HostedPaymentDue", z.object({}));
const Reserve = defineMessage("HostedReserve", z.object({ order: z.string() }));
const Counted = defineMessage("HostedCounted", z.object({ orders: z.array(z.string()) }));
const Count = defineMessage("HostedCount", z.object({}), { answer: Counted });
const Waver = defineMessage("HostedWaver", z.object({}));
const Note = defineMessage("HostedNote", z.object({}));

const order = new AgentId("order", "7");
const stock = new AgentId("stock", "main");
const quiet = { debug() {}, info() {}, warn() {}, error() {} };
const quickly = { initialDelayMs: 1, maxDelayMs: 1 };

const OrderState = defineState(z.object({ status: z.string() }), { initial: { status: "new" } });
const StockState = defineState(z.object({ orders: z.array(z.string()) }), { initial: { orders: [] } });

/** What the agents of a test saw, and what holds them up. */
class Journal {
  readonly ticks = new Inbox<ReminderTickInfo | undefined>();
  readonly reserved = new Inbox<string>();
  /** Called in each handler of `Reserve`, before it ends. */
  onReserve: () => Promise<void> | void = () => {};
  /** Called in the handler of `Waver`, before it cancels the reminder that it has set. */
  onWaver: () => Promise<void> | void = () => {};
  /** Handlers of ticks whose signal was aborted before they ended. */
  aborted = 0;
}

class Order extends persistentAgent(OrderState) {
  readonly journal: Journal;

  constructor(journal: Journal) {
    super("an order");
    this.journal = journal;
  }

  @rpc(Place)
  async place({ fails, afterMs }: MessageOf<typeof Place>) {
    this.state.status = "placed";
    await this.tell(Reserve({ order: this.id.key }), stock);
    await this.remindMe("payment", { after: afterMs }, PaymentDue({}));
    expect((await this.reminders()).map(({ name }) => name)).toEqual(["payment"]);
    if (fails) throw new Error("it is closed");
  }

  @rpc(Paid)
  async paid() {
    await this.cancelReminder("payment");
  }

  @rpc(Waver)
  async waver() {
    await this.remindMe("payment", { after: 0 }, PaymentDue({}));
    await this.saveNow();
    await this.journal.onWaver();
    await this.cancelReminder("payment");
  }

  @rpc(PaymentDue)
  due(_: MessageOf<typeof PaymentDue>, { reminder }: MessageContext) {
    this.state.status = "cancelled";
    this.journal.ticks.put(reminder);
  }
}

class Stock extends persistentAgent(StockState) {
  readonly journal: Journal;

  constructor(journal: Journal) {
    super("a stock");
    this.journal = journal;
  }

  @rpc(Reserve)
  async reserve({ order: key }: MessageOf<typeof Reserve>) {
    this.state.orders.push(key);
    this.journal.reserved.put(key);
    await this.journal.onReserve();
  }

  @rpc(Count)
  count() {
    return Counted({ orders: this.state.orders });
  }
}

/** An agent whose first tick sets its own reminder again, and saves that at once. */
class Again extends persistentAgent(OrderState) {
  readonly journal: Journal;

  constructor(journal: Journal) {
    super("comes again");
    this.journal = journal;
  }

  @rpc(Waver)
  waver() {
    return this.remindMe("again", { after: 0 }, Note({}));
  }

  @rpc(Note)
  async note(_: MessageOf<typeof Note>, { reminder, signal }: MessageContext) {
    if (this.state.status === "new") {
      this.state.status = "again";
      await this.remindMe("again", { after: 0 }, Note({}));
      await this.saveNow();
      // The host's notice would come before the answer to a later question.
      await this.reminders();
      if (signal.aborted) this.journal.aborted += 1;
    }
    this.journal.ticks.put(reminder);
  }
}

/** An agent without a state. */
class Clerk extends RoutedAgent {
  readonly journal: Journal;

  constructor(journal: Journal) {
    super("a clerk");
    this.journal = journal;
  }

  @rpc(Place)
  async place() {
    await this.tell(Reserve({ order: "of a clerk" }), stock);
    await this.remindMe("note", { after: 0 }, Note({}));
  }

  @rpc(Note)
  note(_: MessageOf<typeof Note>, { reminder }: MessageContext) {
    this.journal.ticks.put(reminder);
  }
}

interface Transport {
  readonly listener: Listener;
  readonly dialer: Dialer;
}

const transports: readonly { readonly name: string; readonly make: () => Transport }[] = [
  {
    name: "the memory link",
    make: () => {
      const network = createMemoryNetwork();
      return { listener: network, dialer: network };
    },
  },
  { name: "gRPC", make: () => ({ listener: grpcListener(), dialer: grpcDialer() }) },
];

async function startHost({ listener }: Transport, options: HostOptions = {}, address = "127.0.0.1:0") {
  const host = new Host({ listener, address }, { retry: quickly, ...options });
  await host.start();
  return host;
}

async function startWorker(
  { dialer }: Transport,
  address: string,
  register: (worker: WorkerRuntime) => Promise<unknown>,
): Promise<WorkerRuntime> {
  const reconnect = { initialDelayMs: 5, maxDelayMs: 20 };
  const worker = new WorkerRuntime({ dialer, address, logger: quiet, reconnect });
  await worker.start();
  await register(worker);
  return worker;
}

const orders = (journal: Journal) => (worker: WorkerRuntime) =>
  Order.register(worker, "order", () => new Order(journal));
const stocks = (journal: Journal) => (worker: WorkerRuntime) =>
  Stock.register(worker, "stock", () => new Stock(journal));

describe.each(transports)("messages that a host keeps for its workers over $name", ({ make }) => {
  test("a reminder fires at the worker of its agent, and a told message reaches another worker", async () => {
    const [transport, journal] = [make(), new Journal()];
    await using host = await startHost(transport);
    await using _server = await startWorker(transport, host.address, stocks(journal));
    await using worker = await startWorker(transport, host.address, orders(journal));
    await worker.sendMessage(Place({ fails: false, afterMs: 1 }), order);
    expect(await journal.reserved.take()).toBe("7");
    const tick = await journal.ticks.take();
    expect(tick).toMatchObject({ name: "payment", tick: 1, missed: 0 });
    expect(tick?.dueAt.getTime()).toBeLessThanOrEqual(Date.now());
  });

  test("a turn that fails keeps neither its reminder nor its message", async () => {
    const [transport, journal] = [make(), new Journal()];
    const stateStore = new MemoryStateStore();
    await using host = await startHost(transport, { stateStore });
    await using worker = await startWorker(transport, host.address, orders(journal));
    await expect(worker.sendMessage(Place({ fails: true, afterMs: 0 }), order)).rejects.toThrow("it is closed");
    expect(await stateStore.stats()).toMatchObject({ reminders: 0, mail: 0, records: 0 });
    expect(await worker.agentReminders(order)).toEqual([]);
  });

  test("a cancelled reminder does not begin any more, even if its tick waits at the worker for its turn", async () => {
    const [transport, journal] = [make(), new Journal()];
    await using host = await startHost(transport);
    await using worker = await startWorker(transport, host.address, orders(journal));
    // The tick's call is with the worker when two calls are pending: that of the test, and its own.
    journal.onWaver = async () => {
      await expect.poll(() => host.counters().pendingCalls).toBe(2);
      expect(await worker.agentReminders(order)).toMatchObject([{ name: "payment", repeats: undefined }]);
    };
    await worker.sendMessage(Waver({}), order);
    expect(await worker.agentReminders(order)).toEqual([]);
    // The host ends the call of the tick when the cancellation is written. A later call finds no tick before it.
    await worker.sendMessage(Paid({}), order);
    expect(journal.ticks.rest).toEqual([]);
    expect(host.counters()).toMatchObject({ remindersFired: 0, abandonedCalls: 1, pendingCalls: 0 });
  });

  test("a reminder that a turn has cancelled does not begin while the commit of that turn is under way, with runAhead", async () => {
    const [transport, journal, stateStore] = [make(), new Journal(), new GatedStore()];
    await using host = await startHost(transport, { stateStore });
    await using worker = await startWorker(transport, host.address, (runtime) =>
      Order.register(runtime, "order", () => new Order(journal), { runAhead: 10 }),
    );
    journal.onWaver = async () => {
      await expect.poll(() => host.counters().pendingCalls).toBe(2);
    };
    const wavered = worker.sendMessage(Waver({}), order);
    (await stateStore.commits.take()).write();
    // The turn has ended, and the next one begins ahead of this commit.
    const cancelling = await stateStore.commits.take();
    stateStore.openGate();
    cancelling.write();
    await wavered;
    await worker.sendMessage(Paid({}), order);
    expect(journal.ticks.rest).toEqual([]);
  });

  test("a handler that has begun for a tick is finished, though it sets its reminder again and saves at once", async () => {
    const [transport, journal] = [make(), new Journal()];
    await using host = await startHost(transport);
    await using worker = await startWorker(transport, host.address, async (runtime) => {
      await Again.register(runtime, "again", () => new Again(journal));
    });
    await worker.sendMessage(Waver({}), new AgentId("again", "a"));
    expect(await journal.ticks.take()).toMatchObject({ name: "again" });
    expect(await journal.ticks.take()).toMatchObject({ name: "again" });
    expect(journal.aborted).toBe(0);
  });

  test("agents without a state tell messages and have reminders, too", async () => {
    const [transport, journal] = [make(), new Journal()];
    await using host = await startHost(transport);
    await using worker = await startWorker(transport, host.address, async (runtime) => {
      await Stock.register(runtime, "stock", () => new Stock(journal));
      await Clerk.register(runtime, "clerk", () => new Clerk(journal));
    });
    await worker.sendMessage(Place({ fails: false, afterMs: 0 }), new AgentId("clerk", "c"));
    expect(await journal.reserved.take()).toBe("of a clerk");
    expect(await journal.ticks.take()).toMatchObject({ name: "note" });
    await worker.tell(Reserve({ order: "named" }), stock, { sender: new AgentId("clerk", "c"), idempotencyKey: "k" });
    await worker.tell(Reserve({ order: "named" }), stock, { sender: new AgentId("clerk", "c"), idempotencyKey: "k" });
    await worker.tell(Reserve({ order: "last" }), stock, { sender: new AgentId("clerk", "c") });
    expect([await journal.reserved.take(), await journal.reserved.take()]).toEqual(["named", "last"]);
    const elsewhere = worker.agentReminders(new AgentId("other", "o"));
    await expect(elsewhere).rejects.toMatchObject({ code: "not-accessible" });
  });

  test("a told message waits for its worker, and is handled once though that worker is lost in the middle", async () => {
    const [transport, journal] = [make(), new Journal()];
    await using host = await startHost(transport);
    await using worker = await startWorker(transport, host.address, orders(journal));
    await worker.sendMessage(Place({ fails: false, afterMs: 3_600_000 }), order);
    const never = new Gate();
    journal.onReserve = () => never.opened;
    const lost = await startWorker(transport, host.address, stocks(journal));
    expect(await journal.reserved.take()).toBe("7");
    journal.onReserve = () => {};
    await lost.stop({ signal: AbortSignal.abort() });
    await using next = await startWorker(transport, host.address, stocks(journal));
    expect(await journal.reserved.take()).toBe("7");
    expect((await next.sendMessage(Count({}), stock)).orders).toEqual(["7"]);
    never.open();
  });

  test("a call that claims to be a told message or a reminder is an ordinary one to its agent", async () => {
    const transport = make();
    await using host = await startHost(transport);
    const server = await new RawWorker(transport.dialer.dial(host.address), "S").join();
    await server.register("stock");
    const impostor = await new RawWorker(transport.dialer.dial(host.address), "I").join();
    const marks = { agmail: "3.1", agattempt: "5", agreminder: "payment;1;1;0", agepoch: "9.9.9" };
    const metadata = { ...marks, agidempotency: "mail 1", tenant: "acme" };
    impostor.request("1", "stock/main", { metadata });
    expect((await server.nextRequest()).metadata).toEqual({ agidempotency: "mail 1", tenant: "acme" });
  });

  test("a stock worker gets a told message as a plain call", async () => {
    const [transport, journal] = [make(), new Journal()];
    await using host = await startHost(transport);
    const server = await new RawWorker(transport.dialer.dial(host.address), "S").join();
    await server.register("stock");
    await using worker = await startWorker(transport, host.address, orders(journal));
    await worker.sendMessage(Place({ fails: false, afterMs: 3_600_000 }), order);
    const request = await server.nextRequest();
    expect(request).toMatchObject({ source: { type: "order", key: "7" }, target: { type: "stock", key: "main" } });
    expect(request.metadata).toEqual({});
  });
});

test("a persistent agent handles a kept call once, however often its host sends it, and answers without a value", async () => {
  const journal = new Journal();
  await using host = await new ScriptedHost().listen();
  host.isTroupe = true;
  host.capabilities = ["mail"];
  const [worker, channel] = await host.worker({ stateStore: new MemoryStateStore() });
  await stocks(journal)(worker);
  const data = new TextEncoder().encode(JSON.stringify({ order: "7" }));
  const payload = { typeName: "HostedReserve", contentType: "application/json", data };
  for (const attempt of ["1", "2"]) {
    const metadata = { agidempotency: "mail 1", agdelivery: "durable", agmail: "3.1", agattempt: attempt };
    const target = { type: "stock", key: "main" };
    channel.send({ kind: "request", requestId: attempt, source: undefined, target, payload, metadata });
    expect(await next(channel, "response")).toMatchObject({
      requestId: attempt,
      error: "",
      payload: { typeName: "NoneType" },
    });
  }
  channel.send(requestFrame("stock/main", { requestId: "3", payload: { ...payload, typeName: "HostedCount" } }));
  const counted = await next(channel, "response");
  expect(new TextDecoder().decode(counted.payload?.data)).toBe('{"orders":["7"]}');
});

/** Stops a host over a store while a told message and a reminder are under way, and starts another over the same data. */
async function restartsHostOver(openStore: () => Promise<StateStore>): Promise<void> {
  const [transport, journal] = [{ listener: grpcListener(), dialer: grpcDialer() }, new Journal()];
  // A call that the stop ends must not count as an attempt.
  const retry = { attempts: 1 };
  const first = await startHost(transport, { stateStore: await openStore(), retry });
  const worker = await startWorker(transport, first.address, async (runtime) => {
    await orders(journal)(runtime);
    await stocks(journal)(runtime);
  });
  const ending = new Gate();
  journal.onReserve = () => ending.opened;
  await worker.sendMessage(Place({ fails: false, afterMs: 1 }), order);
  expect(await journal.reserved.take()).toBe("7");
  await journal.ticks.take();
  await first.stop({ graceMs: 0 });
  journal.onReserve = () => {};
  ending.open();
  await using second = await startHost(transport, { stateStore: await openStore() }, first.address);
  expect(await journal.reserved.take()).toBe("7");
  await expect.poll(() => second.counters().mailDelivered).toBe(1);
  expect((await worker.sendMessage(Count({}), stock)).orders).toEqual(["7"]);
  await worker.stop();
}

describe("messages that a host keeps in SQLite", () => {
  test("what was under way when the host stopped comes again after its restart, and is handled once", async () => {
    const folder = mkdtempSync(join(tmpdir(), "troupe-hostmail-"));
    try {
      await restartsHostOver(() => openSqliteStore(join(folder, "host.db"), { thread: false }));
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});

describe("messages that a host keeps in PostgreSQL", () => {
  let url = "";
  withServer((server) => {
    url = server.url();
  });

  test("what was under way when the host stopped comes again after its restart, and is handled once", async () => {
    await restartsHostOver(() => openPostgresStore(url));
  });

  test("a host on a database of several writers tells its workers that it keeps no messages", async () => {
    const [transport, journal] = [{ listener: grpcListener(), dialer: grpcDialer() }, new Journal()];
    const stateStore = await openPostgresStore(url, { schema: "several", writers: "many" });
    await using host = await startHost(transport, { stateStore });
    await using worker = await startWorker(transport, host.address, stocks(journal));
    const refusal = { code: "not-accessible", message: expect.stringContaining("keeps no messages and no reminders") };
    await expect(worker.tell(Reserve({ order: "x" }), stock)).rejects.toMatchObject(refusal);
  });
});

test("a worker at a host that keeps no mail refuses to tell and to remind", async () => {
  await using host = await new RawGrpcHost().listen();
  const journal = new Journal();
  const worker = new WorkerRuntime({ address: host.address, dialer: grpcDialer(), logger: quiet });
  await worker.start();
  await Clerk.register(worker, "clerk", () => new Clerk(journal));
  const sender = new AgentId("clerk", "c");
  const refusal = { code: "not-accessible", message: expect.stringContaining("keeps no messages and no reminders") };
  await expect(worker.tell(Reserve({ order: "x" }), stock, { sender })).rejects.toMatchObject(refusal);
  await expect(worker.agentReminders(sender)).rejects.toMatchObject(refusal);
  await worker.stop();
});
