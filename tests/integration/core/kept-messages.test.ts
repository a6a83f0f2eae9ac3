import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import {
  AgentId,
  type Clock,
  defineMessage,
  defineState,
  type MessageContext,
  type MessageOf,
  type MissedTicks,
  persistentAgent,
  type ReminderTickInfo,
  RoutedAgent,
  rpc,
  SingleThreadedAgentRuntime,
} from "../../../src/core/index.ts";
import { MemoryStateStore, type StateStore } from "../../../src/storage/index.ts";
import { openSqliteStore } from "../../../src/storage/sqlite/index.ts";
import { ManualClock } from "../../../src/testing/index.ts";
import { Inbox } from "../../support/inbox.ts";
import { RecordingLogger } from "../../support/recording-logger.ts";

const Place = defineMessage("KeptPlace", z.object({ fails: z.boolean() }));
const Paid = defineMessage("KeptPaid", z.object({}));
const PaymentDue = defineMessage("KeptPaymentDue", z.object({}));
const Reserve = defineMessage("KeptReserve", z.object({ order: z.string() }));
const Beat = defineMessage("KeptBeat", z.object({}));
const types = [Place, Paid, PaymentDue, Reserve, Beat];

const order = new AgentId("order", "7");
const stock = new AgentId("stock", "main");
const startMs = Date.UTC(2030, 0, 1);
const hourMs = 3_600_000;

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

const OrderState = defineState(z.object({ status: z.enum(["new", "placed", "paid", "cancelled"]) }), {
  initial: { status: "new" },
});
const StockState = defineState(z.object({ reserved: z.array(z.string()) }), { initial: { reserved: [] } });

/** What the agents of a test saw. */
class Journal {
  readonly ticks = new Inbox<ReminderTickInfo>();
  readonly reserved = new Inbox<string>();
  readonly statuses = new Inbox<string>();
  /** Ends the handler of `Reserve` in an error, as often as it says. */
  failures = 0;
}

class Order extends persistentAgent(OrderState) {
  readonly journal: Journal;

  constructor(journal: Journal) {
    super("an order");
    this.journal = journal;
  }

  @rpc(Place)
  async place({ fails }: MessageOf<typeof Place>) {
    this.state.status = "placed";
    await this.tell(Reserve({ order: this.id.key }), stock);
    await this.remindMe("payment", { after: "30m" }, PaymentDue({}));
    expect((await this.reminders()).map(({ name }) => name)).toEqual(["payment"]);
    if (fails) throw new Error("it is closed");
  }

  @rpc(Paid)
  async paid() {
    this.state.status = "paid";
    await this.cancelReminder("payment");
  }

  @rpc(PaymentDue)
  due() {
    if (this.state.status === "placed") this.state.status = "cancelled";
    this.journal.statuses.put(this.state.status);
  }
}

class Stock extends persistentAgent(StockState) {
  readonly journal: Journal;

  constructor(journal: Journal) {
    super("a stock");
    this.journal = journal;
  }

  @rpc(Reserve)
  reserve({ order: key }: MessageOf<typeof Reserve>) {
    this.state.reserved.push(key);
    if (this.journal.failures-- > 0) throw new Error("not yet");
    this.journal.reserved.put(this.state.reserved.join(" "));
  }
}

/** Keeps no state. */
class Heart extends RoutedAgent {
  readonly journal: Journal;

  constructor(journal: Journal) {
    super("a heart");
    this.journal = journal;
  }

  @rpc(Beat)
  async beat(_message: MessageOf<typeof Beat>, { reminder }: MessageContext) {
    if (reminder !== undefined) this.journal.ticks.put(reminder);
    else await this.remindMe("beat", { every: "1h" }, Beat({}), { missed: this.id.key as MissedTicks });
  }
}

async function openRuntime(
  journal: Journal,
  stateStore: StateStore | undefined,
  clock: Clock,
  logger = new RecordingLogger(),
): Promise<SingleThreadedAgentRuntime> {
  const runtime = new SingleThreadedAgentRuntime({ clock, logger, stateStore });
  runtime.addMessageSerializer(types);
  await Order.register(runtime, "order", () => new Order(journal));
  await Stock.register(runtime, "stock", () => new Stock(journal));
  await Heart.register(runtime, "heart", () => new Heart(journal));
  await runtime.start();
  return runtime;
}

async function passes(clock: ManualClock, ms: number, stepMs = 10_000): Promise<void> {
  for (let passed = 0; passed < ms; passed += stepMs) {
    clock.advance(stepMs);
    await turn();
  }
}

describe("a turn of a persistent agent", () => {
  test("that fails tells nothing and sets no reminder", async () => {
    const clock = new ManualClock(startMs);
    const stateStore = new MemoryStateStore({ clock });
    const journal = new Journal();
    await using runtime = await openRuntime(journal, stateStore, clock);
    await expect(runtime.sendMessage(Place({ fails: true }), order)).rejects.toThrow("it is closed");
    await passes(clock, hourMs, 60_000);
    expect(await runtime.agentReminders(order)).toEqual([]);
    expect(journal.reserved.rest).toEqual([]);
    expect(await stateStore.stats()).toMatchObject({ records: 0, reminders: 0, mail: 0 });
  });

  test("that ends well tells and sets its reminder with its state: the order cancels itself unless it was paid", async () => {
    const clock = new ManualClock(startMs);
    const journal = new Journal();
    await using runtime = await openRuntime(journal, undefined, clock);
    const other = new AgentId("order", "8");
    for (const id of [order, other]) await runtime.sendMessage(Place({ fails: false }), id);
    expect(await journal.reserved.take()).toBe("7");
    expect(await journal.reserved.take()).toBe("7 8");
    await runtime.sendMessage(Paid({}), other);
    await passes(clock, hourMs / 2 + 60_000);
    expect(await journal.statuses.take()).toBe("cancelled");
    expect(journal.statuses.rest).toEqual([]);
  });

  test("handles a told message once, however often it comes", async () => {
    const clock = new ManualClock(startMs);
    const stateStore = new MemoryStateStore({ clock });
    const journal = new Journal();
    journal.failures = 2;
    await using runtime = await openRuntime(journal, stateStore, clock);
    await runtime.tell(Reserve({ order: "1" }), stock, { idempotencyKey: "once" });
    await passes(clock, 10_000, 500);
    expect(await journal.reserved.take()).toBe("1");
    // The mailbox has forgotten the key, and keeps the message again.
    clock.advance(11 * 60_000);
    await runtime.tell(Reserve({ order: "1" }), stock, { idempotencyKey: "once" });
    await runtime.tell(Reserve({ order: "2" }), stock);
    expect(await journal.reserved.take()).toBe("1 2");
  });
});

test("of two runtimes on one store the later one delivers, and the earlier one says once what is wrong", async () => {
  const clock = new ManualClock(startMs);
  const stateStore = new MemoryStateStore({ clock });
  const [earlierJournal, laterJournal] = [new Journal(), new Journal()];
  const logger = new RecordingLogger();
  await using earlier = await openRuntime(earlierJournal, stateStore, clock, logger);
  await earlier.tell(Reserve({ order: "1" }), stock);
  expect(await earlierJournal.reserved.take()).toBe("1");
  await using later = await openRuntime(laterJournal, stateStore, clock);
  await later.tell(Reserve({ order: "2" }), stock);
  expect(await laterJournal.reserved.take()).toBe("1 2");
  await passes(clock, 60_000);
  const lost = logger.lines.filter(({ level }) => level === "warn" || level === "error");
  expect(lost).toMatchObject([{ level: "error", text: "The state store is lost: reminders and mail end here" }]);
  expect(String(lost[0]?.fields?.error)).toMatch(/Another runtime or host of this process.*a store of its own/);
});

const stores: readonly [string, () => { open(clock: Clock): Promise<StateStore>; end(): void }][] = [
  [
    "in memory",
    () => {
      let first: MemoryStateStore | undefined;
      return {
        open: async (clock) => {
          const store: MemoryStateStore = first?.reopen() ?? new MemoryStateStore({ clock });
          first ??= store;
          return store;
        },
        end: () => undefined,
      };
    },
  ],
  [
    "in SQLite",
    () => {
      const folder = mkdtempSync(join(tmpdir(), "troupe-kept-"));
      return {
        open: (clock) => openSqliteStore(join(folder, "agents.db"), { clock, thread: false }),
        end: () => rmSync(folder, { recursive: true }),
      };
    },
  ],
];

describe.each(stores)("after a restart, over a store %s", (_title, makePlace) => {
  test("a reminder fires, and so does one whose time came while nobody was there", async () => {
    const place = makePlace();
    try {
      const clock = new ManualClock(startMs);
      const journal = new Journal();
      {
        await using store = await place.open(clock);
        await using runtime = await openRuntime(journal, store, clock);
        for (const key of ["skip", "once", "all"]) await runtime.sendMessage(Beat({}), new AgentId("heart", key));
        await runtime.sendMessage(Place({ fails: false }), order);
        await journal.reserved.take();
      }
      for (let hours = 0; hours < 3.5 * 60; hours += 1) clock.advance(60_000);
      await using store = await place.open(clock);
      await using _runtime = await openRuntime(journal, store, clock);
      const untilTicks = (async () => {
        const found: string[] = [];
        while (found.length < 5) {
          const { tick, missed, dueAt } = await journal.ticks.take();
          found.push(`${tick} ${missed} ${(dueAt.getTime() - startMs) / hourMs}`);
        }
        return found.sort();
      })();
      expect(await journal.statuses.take()).toBe("cancelled");
      let ticks: readonly string[] | undefined;
      void untilTicks.then((found) => {
        ticks = found;
      });
      while (ticks === undefined || journal.ticks.rest.length < 2) await passes(clock, 10_000);
      // `all`: 1, 2, 3; `once`: 3; and each of the three its fourth.
      expect([...ticks, ...journal.ticks.rest.map(({ tick, missed }) => `${tick} ${missed} ${tick}`)].sort()).toEqual([
        ...["1 0 1", "2 0 2", "3 0 3", "3 2 3", "4 0 4", "4 0 4", "4 3 4"],
      ]);
    } finally {
      place.end();
    }
  });

  test("a told message that was not handled comes again, and those behind it in their order", async () => {
    const place = makePlace();
    try {
      const clock = new ManualClock(startMs);
      const journal = new Journal();
      journal.failures = 1;
      {
        await using store = await place.open(clock);
        await using runtime = await openRuntime(journal, store, clock);
        for (const key of ["1", "2", "3"]) await runtime.tell(Reserve({ order: key }), stock);
        while (journal.failures > 0) await turn();
        expect(journal.reserved.rest).toEqual([]);
      }
      await using store = await place.open(clock);
      await using _runtime = await openRuntime(journal, store, clock);
      expect(await journal.reserved.takeMany(3)).toEqual(["1", "1 2", "1 2 3"]);
    } finally {
      place.end();
    }
  });
});

describe("stopWhenIdle", () => {
  test("waits for told messages that are under way, and not for reminders or for retries", async () => {
    const clock = new ManualClock(startMs);
    const journal = new Journal();
    const runtime = await openRuntime(journal, undefined, clock);
    await runtime.sendMessage(Beat({}), new AgentId("heart", "once"));
    for (const key of ["1", "2", "3"]) await runtime.tell(Reserve({ order: key }), stock);
    await runtime.stopWhenIdle();
    expect(journal.reserved.rest).toEqual(["1", "1 2", "1 2 3"]);
    await runtime.start();
    journal.failures = 1;
    await runtime.tell(Reserve({ order: "4" }), stock);
    await runtime.stopWhenIdle();
    expect(journal.reserved.rest.length).toBe(3);
    await runtime.close();
  });

  test("what was told while the runtime was stopped is delivered when it starts", async () => {
    const clock = new ManualClock(startMs);
    const journal = new Journal();
    const runtime = await openRuntime(journal, undefined, clock);
    await runtime.stopWhenIdle();
    await runtime.tell(Reserve({ order: "1" }), stock);
    await turn();
    expect(journal.reserved.rest).toEqual([]);
    await runtime.start();
    expect(await journal.reserved.take()).toBe("1");
    await runtime.close();
  });
});

test("a store that can't be opened is named in the log, and telling rejects with its error", async () => {
  const clock = new ManualClock(startMs);
  const first = new MemoryStateStore({ clock });
  await first.open();
  const logger = new RecordingLogger();
  await using runtime = new SingleThreadedAgentRuntime({ clock, logger, stateStore: first.reopen() });
  await runtime.start();
  await expect(runtime.tell(Paid({}), stock)).rejects.toMatchObject({ storeCode: "in-use" });
  expect(logger.texts("error").join()).toContain("The state store can't be opened");
});
