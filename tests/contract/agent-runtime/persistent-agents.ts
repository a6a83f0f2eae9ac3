// Over 400 lines: the promises of persistent agents, whose tests share one cast.
import { describe, expect, test } from "vitest";
import { z } from "zod";
import {
  type AgentConcurrency,
  AgentId,
  defineState,
  handlerTable,
  persistentAgent,
  TopicId,
} from "../../../src/core/index.ts";
import { StoreError } from "../../../src/storage/index.ts";
import { Gate } from "../../support/gate.ts";
import { WatchedStore } from "../../support/watched-store.ts";
import { add, ByHand, id, Keeper, Kept, openCast } from "./keepers.ts";
import { Answer, Ask, Note, type Suite } from "./world.ts";

export function describePersistentAgents(suite: Suite): void {
  describe("a persistent agent", () => {
    test("has its initial state at first, each agent its own", async () => {
      await using cast = await openCast(suite, add);
      expect(await cast.ask("2")).toBe("2");
      const other = await cast.stage.caller.sendMessage(Ask({ text: "5" }), new AgentId("keeper", "bea"));
      expect(other.text).toBe("5");
      expect(await cast.stored()).toEqual({ total: 2, log: ["2"] });
    });

    test("has written its state when its answer comes", async () => {
      const store = new WatchedStore();
      await using cast = await openCast(suite, add, { store });
      let isWritten = false;
      store.afterCommit = async () => {
        await new Promise((resolve) => setImmediate(resolve));
        isWritten = true;
      };
      await cast.ask("2");
      expect(isWritten).toBe(true);
    });

    test("finds its state again in another runtime", async () => {
      const store = new WatchedStore();
      {
        await using cast = await openCast(suite, add, { store });
        await cast.ask("2");
      }
      await using cast = await openCast(suite, add, { store: new WatchedStore(store.inner) });
      expect(await cast.ask("3")).toBe("5");
      expect(await cast.stored()).toEqual({ total: 5, log: ["2", "3"] });
    });

    test("writes nothing when its handler changes nothing", async () => {
      await using cast = await openCast(suite, (_text, agent) => agent.state.total);
      expect(await cast.ask("anything")).toBe("0");
      expect(cast.store.commits).toEqual([]);
      expect(await cast.stored()).toBeUndefined();
    });

    test("may replace its state", async () => {
      await using cast = await openCast(suite, (text, agent) => {
        agent.state = { total: 7, log: [text] };
        return "";
      });
      await cast.ask("new");
      expect(await cast.stored()).toEqual({ total: 7, log: ["new"] });
    });

    test("takes one message at a time, so that no change is lost", async () => {
      await using cast = await openCast(suite, async (text, agent) => {
        const { total } = agent.state;
        await new Promise((resolve) => setImmediate(resolve));
        agent.state.total = total + Number(text);
        return agent.state.total;
      });
      await Promise.all(Array.from({ length: 10 }, () => cast.ask("1")));
      expect(await cast.stored()).toMatchObject({ total: 10 });
    });

    test("does not read its state before it is loaded", async () => {
      await using stage = await suite.openStage();
      class Early extends Keeper {
        readonly early = this.state.total;
      }
      await Early.register(stage.callee, "keeper", () => new Early(add));
      const call = stage.caller.sendMessage(Ask({ text: "1" }), id);
      await expect(call).rejects.toMatchObject({ code: "wrong-state", message: expect.stringContaining("not loaded") });
    });

    test("is migrated from an older version, and stored in the new one", async () => {
      const store = new WatchedStore();
      await using stage = await suite.openStage({ stateStore: store });
      const Third = defineState(z.object({ sum: z.number(), unit: z.string() }), {
        version: 3,
        initial: { sum: 0, unit: "m" },
        migrations: {
          1: (old: { total: number }) => ({ sum: old.total }),
          2: (old: object) => ({ ...old, unit: "km" }),
        },
      });
      class Sum extends persistentAgent(Third) {
        static override readonly handlers = handlerTable<Sum>().rpc(Ask, function ({ text }) {
          this.state.sum += Number(text);
          return Answer({ text: `${this.state.sum} ${this.state.unit}` });
        });
      }
      await store.open();
      await store.write(id, { total: 4 }, 1);
      await Sum.register(stage.callee, "keeper", () => new Sum("sums"));
      expect((await stage.caller.sendMessage(Ask({ text: "1" }), id)).text).toBe("5 km");
      expect(await store.inner.load(id)).toMatchObject({ schemaVersion: 3 });
      expect(await store.stored(id)).toEqual({ sum: 5, unit: "km" });
    });

    test.each<[string, string, unknown, number, string]>([
      ["does not fit its schema", "state-unreadable", { total: "four", log: [] }, 1, "total"],
      ["is no JSON", "state-unreadable", "{", 1, "not JSON"],
      ["is of a newer version", "state-too-new", { total: 4, log: [] }, 2, "version 2"],
    ])(
      "whose stored state %s fails as %s, changes nothing, and is tried again",
      async (_what, code, stored, version, hint) => {
        const store = new WatchedStore();
        await store.open();
        await store.write(id, stored, version);
        await using cast = await openCast(suite, add, { store });
        const before = await store.inner.load(id);
        for (let attempt = 1; attempt <= 2; attempt += 1) {
          const failed = { code, message: expect.stringContaining("keeper/ada") };
          await expect(cast.ask("1")).rejects.toMatchObject(failed);
          await expect(cast.ask("1")).rejects.toThrow(hint);
        }
        expect(await store.inner.load(id)).toEqual(before);
        await store.write(id, { total: 4, log: [] });
        expect(await cast.ask("1")).toBe("5");
      },
    );

    test("that met another writer is made anew, and has the message once more", async () => {
      const store = new WatchedStore();
      await using cast = await openCast(suite, add, { store });
      await cast.ask("1");
      await store.write(id, { total: 40, log: ["theirs"] });
      expect(await cast.ask("2")).toBe("42");
      expect(await cast.stored()).toEqual({ total: 42, log: ["theirs", "2"] });
      expect(cast.made).toHaveLength(2);
    });

    test("that meets another writer twice fails as state-conflict, and changes nothing", async () => {
      const store = new WatchedStore();
      let writes = 0;
      await using cast = await openCast(suite, add, { store });
      store.beforeCommit = async () => {
        writes += 1;
        await store.write(id, { total: 100 * writes, log: [] });
      };
      await expect(cast.ask("1")).rejects.toMatchObject({ code: "state-conflict" });
      expect(writes).toBe(2);
      expect(await cast.stored()).toEqual({ total: 200, log: [] });
      store.beforeCommit = () => undefined;
      expect(await cast.ask("1")).toBe("201");
    });

    test("that met another writer gives the messages that wait to the next activation, in their order", async () => {
      const store = new WatchedStore();
      await using cast = await openCast(suite, add, { store });
      await cast.ask("1");
      await store.write(id, { total: 10, log: [] });
      await Promise.all(["2", "3", "4"].map((text) => cast.ask(text)));
      expect(await cast.stored()).toMatchObject({ total: 19 });
      expect(cast.made).toHaveLength(2);
    });

    test("that met another writer in a turn which goes on lets no later message overtake those that wait", async () => {
      const store = new WatchedStore();
      const inside = new Gate();
      const crossed = new Gate();
      const dropped = new Gate();
      const gate = new Gate();
      let runs = 0;
      await using cast = await openCast(
        suite,
        async (text, agent) => {
          if (text !== "hold") return add(text, agent);
          runs += 1;
          if (runs > 1) return "tried again";
          inside.open();
          await crossed.opened;
          agent.state.total = -1;
          await agent.saveNow().catch(() => undefined);
          dropped.open();
          await gate.opened;
          return "nothing";
        },
        { store },
      );
      const held = cast.ask("hold");
      await inside.opened;
      const second = cast.ask("2");
      await cast.seen();
      await store.write(id, { total: 10, log: [] });
      crossed.open();
      await dropped.opened;
      const third = cast.ask("3");
      expect(await Promise.all([second, third])).toEqual(["12", "15"]);
      gate.open();
      expect(await held).toBe("tried again");
      expect(await cast.stored()).toEqual({ total: 15, log: ["2", "3"] });
    });

    test("that was registered as an instance loads its state again after another writer", async () => {
      const store = new WatchedStore();
      await using stage = await suite.openStage({ stateStore: store });
      await new Keeper(add).registerInstance(stage.callee, id);
      const ask = async (text: string) => (await stage.caller.sendMessage(Ask({ text }), id)).text;
      expect(await ask("1")).toBe("1");
      await store.write(id, { total: 10, log: [] });
      expect(await ask("2")).toBe("12");
    });

    test("whose store can't write fails as state-unavailable, and changes nothing", async () => {
      const store = new WatchedStore();
      await using cast = await openCast(suite, add, { store });
      await cast.ask("1");
      store.beforeCommit = () => {
        throw new StoreError("full", "The disk is full.");
      };
      await expect(cast.ask("2")).rejects.toMatchObject({
        code: "state-unavailable",
        message: expect.stringContaining("full"),
      });
      expect(await cast.seen()).toEqual({ total: 1, log: ["1"] });
      store.beforeCommit = () => undefined;
      expect(await cast.ask("3")).toBe("4");
    });

    test("whose store can't load fails as state-unavailable, and is tried again", async () => {
      const store = new WatchedStore();
      await using cast = await openCast(suite, add, { store });
      store.beforeLoad = () => {
        throw new StoreError("unavailable", "The database is away.");
      };
      await expect(cast.ask("2")).rejects.toMatchObject({ code: "state-unavailable" });
      store.beforeLoad = () => undefined;
      expect(await cast.ask("3")).toBe("3");
    });

    test("whose store can't say whether it wrote fails as state-unknown, and loads what is there", async () => {
      const store = new WatchedStore();
      await using cast = await openCast(suite, add, { store });
      store.afterCommit = () => {
        throw new StoreError("unknown", "The line broke.");
      };
      await expect(cast.ask("2")).rejects.toMatchObject({ code: "state-unknown" });
      store.afterCommit = () => undefined;
      expect(await cast.ask("3")).toBe("5");
    });

    test("saves by hand with the policy manual", async () => {
      const store = new WatchedStore();
      await using stage = await suite.openStage({ stateStore: store });
      class Manual extends persistentAgent(ByHand) {
        static override readonly handlers = handlerTable<Manual>().rpc(Ask, async function ({ text }) {
          if (text === "save") await this.saveNow();
          else this.state.total += Number(text);
          return Answer({ text: String(this.state.total) });
        });
      }
      await Manual.register(stage.callee, "keeper", () => new Manual("by hand"));
      const ask = async (text: string) => (await stage.caller.sendMessage(Ask({ text }), id)).text;
      await ask("1");
      expect(await ask("2")).toBe("3");
      expect(await store.stored(id)).toBeUndefined();
      await ask("save");
      expect(await store.stored(id)).toMatchObject({ total: 3 });
    });

    test.each([0, 10])(
      "that is saved by hand fails a turn that leaves what does not fit (runAhead %i)",
      async (runAhead) => {
        const store = new WatchedStore();
        await using stage = await suite.openStage({ stateStore: store });
        class Manual extends persistentAgent(ByHand) {
          static override readonly handlers = handlerTable<Manual>().rpc(Ask, async function ({ text }) {
            if (text === "break") Object.assign(this.state, { total: "not a number" });
            this.state.log.push(text);
            if (text === "fail") throw new Error("it failed");
            if (text === "save") await this.saveNow();
            return Answer({ text: JSON.stringify(this.state) });
          });
        }
        await Manual.register(stage.callee, "keeper", () => new Manual("by hand"), { runAhead });
        const ask = async (text: string) => (await stage.caller.sendMessage(Ask({ text }), id)).text;
        await ask("1");
        await expect(ask("break")).rejects.toMatchObject({ code: "invalid-state" });
        await expect(ask("fail")).rejects.toThrow("it failed");
        expect(JSON.parse(await ask("save"))).toEqual({ total: 0, log: ["1", "save"] });
        expect(await store.stored(id)).toEqual({ total: 0, log: ["1", "save"] });
      },
    );

    test("that is saved by hand may interleave: its events leave at the end of a turn, and its keys are handled once", async () => {
      const store = new WatchedStore();
      await using stage = await suite.openStage({ stateStore: store });
      await stage.listen("notes", "listener");
      const bothRun = new Gate();
      let running = 0;
      class Together extends persistentAgent(ByHand) {
        static override readonly concurrency: AgentConcurrency = "interleaved";
        static override readonly handlers = handlerTable<Together>().rpc(Ask, async function ({ text }) {
          await this.publishMessage(Note({ text }), new TopicId("notes", "ada"));
          if (text === "fail") throw new Error("it failed");
          running += 1;
          if (running === 2) bothRun.open();
          await bothRun.opened;
          this.state.log.push(text);
          await this.saveNow();
          return Answer({ text: String(this.state.log.length) });
        });
      }
      await Together.register(stage.callee, "keeper", () => new Together("together"));
      const ask = async (text: string, idempotencyKey?: string) =>
        (await stage.caller.sendMessage(Ask({ text }), id, { idempotencyKey })).text;
      const answers = await Promise.all([ask("1", "k"), ask("1", "k"), ask("2")]);
      expect(answers[0]).toBe(answers[1]);
      expect(await store.stored(id)).toMatchObject({ log: expect.arrayContaining(["1", "2"]) });
      await expect(ask("fail")).rejects.toThrow("it failed");
      const texts = (await stage.seen.takeMany(3)).map(({ text }) => text);
      expect(texts.sort()).toEqual(["1", "2", "fail"]);
      expect(stage.seen.rest).toEqual([]);
    });

    test("is destroyed at the end of its turn, and begins anew", async () => {
      await using cast = await openCast(suite, (text, agent) => {
        if (text === "end") agent.destroySelf();
        else add(text, agent);
        return agent.state.total;
      });
      await cast.ask("4");
      expect(await cast.ask("end")).toBe("4");
      expect(await cast.stored()).toBeUndefined();
      expect(await cast.ask("1")).toBe("1");
      expect(cast.made).toHaveLength(2);
    });

    test("that could not be destroyed fails the turns beside it, and lives on: a later turn deletes nothing", async () => {
      const store = new WatchedStore();
      await using stage = await suite.openStage({ stateStore: store });
      const [bothRun, deleting, changed, saved] = [new Gate(), new Gate(), new Gate(), new Gate<unknown>()];
      let running = 0;
      class Together extends persistentAgent(ByHand) {
        static override readonly concurrency: AgentConcurrency = "interleaved";
        static override readonly handlers = handlerTable<Together>().rpc(Ask, async function ({ text }) {
          running += 1;
          if (running === 2) bothRun.open();
          if (text === "end") {
            await bothRun.opened;
            this.destroySelf();
          } else if (text === "beside") {
            await deleting.opened;
            this.state.log.push(text);
            this.saveNow().then(() => saved.open("saved"), saved.open);
            changed.open();
          } else if (text === "fail") {
            this.destroySelf();
            throw new Error("it failed");
          } else this.state.log.push(text);
          return Answer({ text: String(this.state.log) });
        });
      }
      await Together.register(stage.callee, "keeper", () => new Together("together"));
      const ask = async (text: string) => (await stage.caller.sendMessage(Ask({ text }), id)).text;
      store.beforeCommit = async () => {
        deleting.open();
        await changed.opened;
        // The other turn has ended by then, and would be answered.
        for (let rounds = 0; rounds < 10; rounds += 1) await new Promise((resolve) => setImmediate(resolve));
      };
      store.decide = ({ write }) => (write.at === "delete" ? { at: "refused", limit: "no deletions" } : undefined);
      const [beside, end] = await Promise.allSettled([ask("beside"), ask("end")]);
      expect(end).toMatchObject({ status: "rejected", reason: { code: "state-too-large" } });
      expect(beside).toMatchObject({ status: "rejected", reason: { code: "state-conflict" } });
      expect(await saved.opened).toMatchObject({ code: "state-conflict" });
      expect(await ask("later")).toBe("later");
      await expect(ask("fail")).rejects.toThrow("it failed");
      expect(await ask("last")).toBe("later,last");
    });

    test("that destroys itself in a turn that fails is still there", async () => {
      await using cast = await openCast(suite, (text, agent) => {
        if (text !== "end") return add(text, agent);
        agent.destroySelf();
        throw new Error("no");
      });
      await cast.ask("4");
      await expect(cast.ask("end")).rejects.toThrow("no");
      expect(await cast.ask("1")).toBe("5");
      expect(await cast.stored()).toMatchObject({ total: 5 });
    });

    test("gives its state to agentSaveState, and takes one from agentLoadState", async () => {
      await using cast = await openCast(suite, add);
      await cast.ask("4");
      const { caller } = cast.stage;
      expect(await caller.agentSaveState(id)).toEqual({ version: 1, state: { total: 4, log: ["4"] } });
      await caller.agentLoadState(id, { version: 1, state: { total: 10, log: [] } });
      expect(await cast.stored()).toEqual({ total: 10, log: [] });
      await caller.agentLoadState(id, { total: 20, log: [] });
      expect(await cast.ask("1")).toBe("21");
      const wrong = caller.agentLoadState(id, { total: "many" });
      await expect(wrong).rejects.toThrow(
        /The given state of keeper\/ada can't be read: .*total.* Correct the state, or the program\./,
      );
      expect(await cast.ask("1")).toBe("22");
    });

    test("that would save each message of interleaved turns is refused at its registration", async () => {
      await using stage = await suite.openStage();
      const registered = Keeper.register(stage.callee, "keeper", () => new Keeper(add), { concurrency: "interleaved" });
      await expect(registered).rejects.toMatchObject({
        code: "invalid-argument",
        message: expect.stringContaining('save: "manual"'),
      });
    });

    test("with a handler that interleaves and may write is refused at its registration", async () => {
      await using stage = await suite.openStage();
      class Careless extends persistentAgent(Kept) {
        static override readonly handlers = handlerTable<Careless>().rpc(Ask, ({ text }) => Answer({ text }), {
          interleaves: true,
        });
      }
      const registered = Careless.register(stage.callee, "keeper", () => new Careless("careless"));
      await expect(registered).rejects.toMatchObject({
        code: "invalid-argument",
        message: expect.stringContaining("readOnly"),
      });
    });
  });
}
