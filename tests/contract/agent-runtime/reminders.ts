import { describe, expect } from "vitest";
import { AgentId, handlerTable, persistentAgent, type ReminderTickInfo, type When } from "../../../src/core/index.ts";
import { cronPatterns } from "../../../src/cron/index.ts";
import { MemoryStateStore } from "../../../src/storage/index.ts";
import { ManualClock } from "../../../src/testing/index.ts";
import { Gate } from "../../support/gate.ts";
import { Inbox } from "../../support/inbox.ts";
import { Kept } from "./keepers.ts";
import { passTime } from "./told.ts";
import { Answer, Ask, Order, type Probe, type Stage, type Suite } from "./world.ts";

const id = new AgentId("clock", "a");
const minuteMs = 60_000;
const startMs = Date.UTC(2030, 0, 1);

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

/** A tick as a handler saw it. */
interface Tick extends ReminderTickInfo {
  readonly text: string;
  readonly nowMs: number;
}

class Reminded {
  readonly ticks = new Inbox<Tick>();
  readonly clock = new ManualClock(startMs);
  readonly stateStore = new MemoryStateStore({ clock: this.clock });
  onTick: (tick: Tick, probe: Probe) => unknown = () => undefined;
  probe: Probe | undefined;

  /** Registers agents that put the ticks of their reminders into `ticks`. */
  async host(stage: Stage): Promise<void> {
    await stage.host("clock", ({ text }, { reminder }, probe) => {
      this.probe = probe;
      if (reminder === undefined) return Answer({ text });
      const tick = { ...reminder, text, nowMs: this.clock.wallNow() };
      this.ticks.put(tick);
      return this.onTick(tick, probe);
    });
  }

  /** The agent's object, which may set its reminders outside its turns. */
  async agent(stage: Stage): Promise<Probe> {
    await stage.caller.sendMessage(Ask({ text: "hello" }), id);
    if (this.probe === undefined) throw new Error("the agent has not been made");
    return this.probe;
  }

  next(stepMs = 1_000, rounds = 1): Promise<Tick> {
    return passTime(this.clock, this.ticks.take(), stepMs, rounds);
  }

  async passes(ms: number, stepMs = 1_000): Promise<void> {
    for (let passed = 0; passed < ms; passed += stepMs) {
      this.clock.advance(stepMs);
      await turn();
    }
  }
}

export function describeReminders({ openStage, unless }: Suite): void {
  async function open() {
    const reminded = new Reminded();
    const { clock, stateStore } = reminded;
    const stage = await openStage({ callee: { clock, cron: cronPatterns }, stateStore });
    await reminded.host(stage);
    return { stage, reminded, agent: await reminded.agent(stage) };
  }

  describe("reminders", () => {
    unless("keeps-nothing", "a reminder fires once at its time, never before it, and tells about itself", async () => {
      const { stage, reminded, agent } = await open();
      await using _stage = stage;
      await agent.remindMe("tea", { after: "3m" }, Order({ text: "drink it" }));
      expect(await agent.reminders()).toEqual([
        { name: "tea", dueAt: new Date(startMs + 3 * minuteMs), repeats: undefined, missed: "once" },
      ]);
      await reminded.passes(3 * minuteMs - 1_000);
      await reminded.passes(999, 333);
      expect(reminded.ticks.rest).toEqual([]);
      const tick = await reminded.next(1);
      const dueAt = new Date(startMs + 3 * minuteMs);
      expect(tick).toMatchObject({ name: "tea", text: "drink it", dueAt, tick: 1, missed: 0 });
      await reminded.passes(10 * minuteMs, minuteMs);
      expect(reminded.ticks.rest).toEqual([]);
      expect(await stage.callee.agentReminders(id)).toEqual([]);
    });

    unless(
      "keeps-nothing",
      "a periodic reminder counts from its first due time, not from when it was late",
      async () => {
        const { stage, reminded, agent } = await open();
        await using _stage = stage;
        await agent.remindMe("beat", { every: 10_000, from: new Date(startMs + 5_000) }, Order({ text: "beat" }));
        const ticks: Tick[] = [];
        for (let count = 0; count < 4; count += 1) ticks.push(await reminded.next(700));
        expect(ticks.map(({ dueAt }) => dueAt.getTime() - startMs)).toEqual([5_000, 15_000, 25_000, 35_000]);
        expect(ticks.map(({ tick }) => tick)).toEqual([1, 2, 3, 4]);
        for (const { dueAt, nowMs } of ticks) expect(nowMs).toBeGreaterThanOrEqual(dueAt.getTime());
      },
    );

    unless("keeps-nothing", "a reminder with a cron pattern fires at its times", async () => {
      const { stage, reminded, agent } = await open();
      await using _stage = stage;
      await agent.remindMe("report", { cron: "0 9 * * *", timeZone: "Europe/Lisbon" }, Order({ text: "report" }));
      // A step is a part of the time that a handler has.
      const [first, second] = [await reminded.next(minuteMs, 20), await reminded.next(minuteMs, 20)];
      expect([first.dueAt.toISOString(), second.dueAt.toISOString()]).toEqual([
        "2030-01-01T09:00:00.000Z",
        "2030-01-02T09:00:00.000Z",
      ]);
      expect(await agent.reminders()).toMatchObject([{ repeats: { cron: "0 9 * * *", timeZone: "Europe/Lisbon" } }]);
    });

    unless("keeps-nothing", "a reminder that was cancelled or set anew does not fire at its old time", async () => {
      const { stage, reminded, agent } = await open();
      await using _stage = stage;
      await agent.remindMe("a", { after: 5_000 }, Order({ text: "never" }));
      await agent.remindMe("b", { after: 5_000 }, Order({ text: "old" }));
      await reminded.passes(2_000);
      await agent.cancelReminder("a");
      await agent.cancelReminder("unknown");
      await agent.remindMe("b", { after: 5_000 }, Order({ text: "new" }));
      const { text, dueAt } = await reminded.next(500);
      expect([text, dueAt.getTime()]).toEqual(["new", startMs + 7_000]);
      await reminded.passes(10_000);
      expect(reminded.ticks.rest).toEqual([]);
    });

    unless(
      "keeps-nothing",
      "a tick that waits for its turn does not begin when its reminder was cancelled meanwhile",
      async () => {
        const reminded = new Reminded();
        const { clock, stateStore } = reminded;
        await using stage = await openStage({ callee: { clock, sequentialAgents: true }, stateStore });
        const gate = new Gate();
        const begun = new Gate();
        await stage.host("clock", async ({ text }, { reminder }, probe) => {
          stage.texts.put(reminder === undefined ? text : `tick ${reminder.name}`);
          if (text !== "work") return Answer({ text });
          await probe.remindMe("a", { after: 1_000 }, Order({ text: "a" }));
          await probe.remindMe("b", { after: 1_001 }, Order({ text: "b" }));
          begun.open();
          await gate.opened;
          await probe.cancelReminder("a");
          return Answer({ text });
        });
        const call = stage.caller.sendMessage(Ask({ text: "work" }), id);
        await begun.opened;
        await reminded.passes(3_000);
        gate.open();
        await call;
        await passTime(clock, stage.texts.takeMany(2), 500).then((texts) => expect(texts).toEqual(["work", "tick b"]));
      },
    );

    unless("keeps-nothing", "a reminder that its tick sets again for the same time comes again", async () => {
      const { clock, stateStore } = new Reminded();
      await using stage = await openStage({ callee: { clock }, stateStore });
      const texts = new Inbox<string>();
      class Again extends persistentAgent(Kept) {
        static override readonly handlers = handlerTable<Again>()
          .rpc(Ask, async function ({ text }) {
            await this.remindMe("again", { after: 0 }, Order({ text: "first" }));
            return Answer({ text });
          })
          .rpc(Order, async function ({ text }) {
            if (text === "first") await this.remindMe("again", { after: 0 }, Order({ text: "second" }));
            texts.put(text);
          });
      }
      await Again.register(stage.callee, "clock", () => new Again("sets its reminder again"));
      await stage.caller.sendMessage(Ask({ text: "begin" }), id);
      expect(await passTime(clock, texts.takeMany(2), 0)).toEqual(["first", "second"]);
    });

    unless(
      "keeps-nothing",
      "a tick whose handler fails is tried again; a reminder that is due once becomes a dead letter",
      async () => {
        const { stage, reminded, agent } = await open();
        await using _stage = stage;
        reminded.onTick = ({ name }) => {
          if (name === "bad") throw new Error("it is broken");
        };
        await agent.remindMe("bad", { after: 1_000 }, Order({ text: "bad" }));
        for (let tries = 0; tries < 5; tries += 1)
          expect(await reminded.next(250)).toMatchObject({ name: "bad", tick: 1 });
        await reminded.passes(10 * minuteMs, minuteMs);
        expect(reminded.ticks.rest).toEqual([]);
        const { letters } = await reminded.stateStore.log.deadLetters({ limit: 10 });
        expect(letters.map(({ why }) => [why.code, why.attempts])).toEqual([["handler-failed", 5]]);
        expect(letters[0]?.id).toMatch(`r:bad@${startMs + 1_000};`);
        expect(await agent.reminders()).toEqual([]);
      },
    );

    unless(
      "keeps-nothing",
      "a periodic tick that fails is given up when the next one is due, which says so",
      async () => {
        const { stage, reminded, agent } = await open();
        await using _stage = stage;
        reminded.onTick = ({ tick }) => {
          if (tick === 1) throw new Error("it is broken");
        };
        await agent.remindMe("beat", { every: 2_000 }, Order({ text: "beat" }));
        const seen: Tick[] = [];
        for (;;) {
          const tick = await reminded.next(100);
          seen.push(tick);
          if (tick.tick === 2) break;
        }
        expect(seen.at(-1)).toMatchObject({ tick: 2, missed: 1, dueAt: new Date(startMs + 4_000) });
        expect((await reminded.stateStore.log.deadLetters({ limit: 1 })).letters).toEqual([]);
      },
    );

    unless("keeps-nothing", "only one reminder of an agent fires at a time", async () => {
      const { stage, reminded, agent } = await open();
      await using _stage = stage;
      const gates = [new Gate(), new Gate()];
      let running = 0;
      reminded.onTick = async ({ name }) => {
        expect(++running).toBe(1);
        await gates[Number(name)]?.opened;
        running -= 1;
      };
      for (const name of ["0", "1"]) await agent.remindMe(name, { after: 1_000 }, Order({ text: name }));
      const first = await reminded.next();
      await reminded.passes(5_000);
      expect(reminded.ticks.rest).toEqual([]);
      gates[Number(first.name)]?.open();
      const second = await reminded.next();
      expect(second.name).not.toBe(first.name);
      gates[Number(second.name)]?.open();
    });

    unless("keeps-nothing", "what can't be meant is refused before anything is written", async () => {
      const { stage, agent } = await open();
      await using _stage = stage;
      const wrong: unknown[] = [
        { after: -1 },
        { after: "soon" },
        { after: "5w" },
        { at: new Date("never") },
        { every: 999 },
        { every: "1h", from: "today" },
        { cron: "61 * * * *" },
        { cron: "0 0 30 2 *" },
        { cron: "* * * * *", timeZone: "Mars/Base" },
        { after: "200000d" },
        { after: 1, every: 1_000 },
        { after: 1, from: new Date() },
        {},
        "1h",
      ];
      for (const when of wrong) {
        const refused = agent.remindMe("a", when as When, Order({ text: "x" }));
        await expect(refused, JSON.stringify(when)).rejects.toMatchObject({ code: "invalid-argument" });
      }
      const message = Order({ text: "x" });
      // A store would keep one text for both halves of surrogate pairs, and one reminder would be lost.
      for (const name of ["", "x".repeat(257), "troupe.run.1", "\ud800", "\udfff"]) {
        await expect(agent.remindMe(name, { after: 1 }, message)).rejects.toMatchObject({ code: "invalid-argument" });
      }
      await expect(agent.remindMe("a", { after: 1 }, undefined as never)).rejects.toMatchObject({
        code: "invalid-argument",
        message: expect.stringContaining("The message must be a value of a declared message type, not undefined."),
      });
      await expect(agent.remindMe("a", { after: 1 }, message, { missed: "never" as never })).rejects.toMatchObject({
        code: "invalid-argument",
      });
      await expect(agent.remindMe("a", { after: 1 }, { text: "plain" } as never)).rejects.toMatchObject({
        code: "invalid-message",
      });
      const long = Order({ text: "x".repeat(64 * 1_024) });
      await expect(agent.remindMe("a", { after: 1 }, long)).rejects.toMatchObject({ code: "message-too-large" });
      expect(await agent.reminders()).toEqual([]);
    });

    unless("keeps-nothing", "an agent has at most 1,000 reminders", async () => {
      const { stage, agent } = await open();
      await using _stage = stage;
      for (let index = 0; index < 1_000; index += 1) {
        await agent.remindMe(`r${index}`, { after: "1d" }, Order({ text: "x" }));
      }
      const oneMore = agent.remindMe("one more", { after: "1d" }, Order({ text: "x" }));
      await expect(oneMore).rejects.toMatchObject({ code: "overloaded" });
      await agent.cancelReminder("r7");
      await agent.remindMe("one more", { after: "1d" }, Order({ text: "x" }));
    });

    unless("keeps-nothing", "a runtime without cron patterns refuses one, and says what to import", async () => {
      await using stage = await openStage();
      const reminded = new Reminded();
      await reminded.host(stage);
      const agent = await reminded.agent(stage);
      const refused = agent.remindMe("a", { cron: "* * * * *" }, Order({ text: "x" }));
      await expect(refused).rejects.toThrow(/npm install croner.*troupe\/cron/);
    });
  });
}
