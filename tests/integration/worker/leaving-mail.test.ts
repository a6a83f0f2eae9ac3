import { describe, expect, test } from "vitest";
import { z } from "zod";
import {
  AgentId,
  defineMessage,
  defineState,
  type MessageContext,
  type MessageOf,
  persistentAgent,
  rpc,
} from "../../../src/core/index.ts";
import { Gate } from "../../support/gate.ts";
import { Inbox } from "../../support/inbox.ts";
import { startRig, type Transport, type WorkerRig } from "../../support/worker/worker-rig.ts";

const Noted = defineMessage("LeavingNoted", z.object({ texts: z.array(z.string()) }));
const Note = defineMessage("LeavingNote", z.object({ text: z.string() }), { answer: Noted });
const Plan = defineMessage("LeavingPlan", z.object({ text: z.string(), cancels: z.boolean() }));
const Notes = defineState(z.object({ texts: z.array(z.string()) }), { initial: { texts: [] } });

const ada = new AgentId("diary", "ada");

/** What the diaries of all workers do. */
class Journal {
  /** Worker and text of each handler that begins. */
  readonly begun = new Inbox<string>();
  /** Opened when a handler of "wait" may end. */
  readonly gate = new Gate();
}

class Diary extends persistentAgent(Notes) {
  static override readonly shared = true;
  readonly by: string;
  readonly journal: Journal;

  constructor(by: string, journal: Journal) {
    super("a diary");
    this.by = by;
    this.journal = journal;
  }

  @rpc(Note)
  async note({ text }: MessageOf<typeof Note>, { reminder }: MessageContext) {
    this.journal.begun.put(`${this.by} ${text}${reminder === undefined ? "" : ` (${reminder.name})`}`);
    if (text === "wait") await this.journal.gate.opened;
    this.state.texts.push(text);
    return Noted({ texts: this.state.texts });
  }

  /** Sets a reminder and saves that. Its tick waits for its turn until the test lets this one end. */
  @rpc(Plan)
  async plan({ text, cancels }: MessageOf<typeof Plan>) {
    await this.remindMe("later", { after: 0 }, Note({ text }));
    await this.saveNow();
    this.journal.begun.put(`${this.by} plan`);
    await this.journal.gate.opened;
    if (cancels) await this.cancelReminder("later");
  }
}

/** A diary that tells and reminds itself when its worker lets it go. */
class Farewell extends Diary {
  override async onDeactivate(reason: string): Promise<void> {
    if (reason !== "asked") return;
    await this.tell(Note({ text: "told" }), this.id);
    await this.remindMe("farewell", { after: 0 }, Note({ text: "reminded" }));
  }
}

/** New agents go to the worker of the highest version. */
async function diaryWorker(rig: WorkerRig, name: string, journal: Journal, version = "1") {
  const worker = await rig.worker({ name, version });
  await Diary.register(worker, "diary", () => new Diary(name, journal));
  await Farewell.register(worker, "farewell", () => new Farewell(name, journal));
  return worker;
}

/** A worker that gets the first agents, and a caller. */
async function startDiaries(transport: Transport) {
  const rig = await startRig(transport, { retry: { initialDelayMs: 1, maxDelayMs: 1 } });
  const journal = new Journal();
  const old = await diaryWorker(rig, "old", journal);
  const caller = await rig.worker();
  caller.addMessageSerializer([Note, Noted, Plan]);
  return { rig, journal, old, caller, [Symbol.asyncDispose]: () => rig[Symbol.asyncDispose]() };
}

/** Resolves when the host holds as many messages for agents that leave. */
async function untilHeld({ host }: WorkerRig, count: number): Promise<void> {
  await expect.poll(() => host.counters().heldMessages, { timeout: 5_000, interval: 1 }).toBe(count);
}

/** Resolves when as many calls are under way. */
async function untilPending({ host }: WorkerRig, count: number): Promise<void> {
  await expect.poll(() => host.counters().pendingCalls, { timeout: 5_000, interval: 1 }).toBe(count);
}

const transports: readonly Transport[] = ["memory", "gRPC"];

describe.each(transports)("an agent that leaves its worker, over %s", (transport) => {
  test("gets its told messages at the next worker, each once and in their order, also one that waited for its turn", async () => {
    await using world = await startDiaries(transport);
    const { rig, journal, old, caller } = world;
    const first = caller.sendMessage(Note({ text: "wait" }), ada);
    expect(await journal.begun.take()).toBe("old wait");
    await caller.tell(Note({ text: "1" }), ada);
    // The first told message waits at the old worker for its turn.
    await untilPending(rig, 2);
    await caller.tell(Note({ text: "2" }), ada);
    await diaryWorker(rig, "new", journal, "2");
    const left = old.deactivateAgent(ada);
    await untilHeld(rig, 1);
    journal.gate.open();
    expect(await first).toEqual(Noted({ texts: ["wait"] }));
    await left;
    expect([await journal.begun.take(), await journal.begun.take()]).toEqual(["new 1", "new 2"]);
    const { texts } = await caller.sendMessage(Note({ text: "end" }), ada);
    expect(texts).toEqual(["wait", "1", "2", "end"]);
    expect(rig.host.counters()).toMatchObject({ mailDelivered: 2, deadLetters: 0, unmatchedReturns: 0 });
  });

  test("gets a reminder at the next worker once, whose tick waited for its turn at the old one", async () => {
    await using world = await startDiaries(transport);
    const { rig, journal, old, caller } = world;
    const planned = caller.sendMessage(Plan({ text: "tick", cancels: false }), ada);
    expect(await journal.begun.take()).toBe("old plan");
    await untilPending(rig, 2);
    await diaryWorker(rig, "new", journal, "2");
    const left = old.deactivateAgent(ada);
    await untilHeld(rig, 1);
    journal.gate.open();
    await Promise.all([planned, left]);
    expect(await journal.begun.take()).toBe("new tick (later)");
    expect(await caller.sendMessage(Note({ text: "end" }), ada)).toEqual(Noted({ texts: ["tick", "end"] }));
    expect(journal.begun.rest).toEqual(["new end"]);
    await expect.poll(() => rig.host.counters().remindersFired).toBe(1);
  });

  test("does not get a tick that its worker gave back, and whose reminder its last turn has cancelled", async () => {
    await using world = await startDiaries(transport);
    const { rig, journal, old, caller } = world;
    const planned = caller.sendMessage(Plan({ text: "never", cancels: true }), ada);
    expect(await journal.begun.take()).toBe("old plan");
    await untilPending(rig, 2);
    const next = await diaryWorker(rig, "new", journal, "2");
    const left = old.deactivateAgent(ada);
    await untilHeld(rig, 1);
    journal.gate.open();
    await Promise.all([planned, left]);
    expect(await caller.sendMessage(Note({ text: "end" }), ada)).toEqual(Noted({ texts: ["end"] }));
    expect(journal.begun.rest).toEqual(["new end"]);
    expect(rig.host.counters()).toMatchObject({ remindersFired: 0, remindersFailed: 0, heldMessages: 0 });
    expect(await next.agentReminders(ada)).toEqual([]);
  });

  test("may tell and remind in onDeactivate: the next worker gets both", async () => {
    await using world = await startDiaries(transport);
    const { rig, journal, old, caller } = world;
    const bea = new AgentId("farewell", "bea");
    await caller.sendMessage(Note({ text: "1" }), bea);
    await diaryWorker(rig, "new", journal, "2");
    await old.deactivateAgent(bea);
    const [first, ...others] = await journal.begun.takeMany(3);
    expect(first).toBe("old 1");
    expect(others.toSorted()).toEqual(["new reminded (farewell)", "new told"]);
    const { texts } = await caller.sendMessage(Note({ text: "end" }), bea);
    expect(texts.toSorted()).toEqual(["1", "end", "reminded", "told"]);
  });
});
