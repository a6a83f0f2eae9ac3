import { describe, expect, test } from "vitest";
import { persistentAgent, TopicId, TroupeError, TypeSubscription } from "../../../src/core/index.ts";
import { StoreError } from "../../../src/storage/index.ts";
import { Gate } from "../../support/gate.ts";
import { Inbox } from "../../support/inbox.ts";
import { askAhead, openAhead, outcomesOf, SlowStore, unavailable } from "./ahead-cast.ts";
import { add, type Body, ByHand, id, Keeper } from "./keepers.ts";
import { Answer, Ask, Note, Order, Probe, type Suite } from "./world.ts";

const topic = new TopicId("ahead", "1");

export function describeRunAhead(suite: Suite): void {
  describe("a persistent agent that runs ahead", () => {
    test("handles further messages while a commit is under way, and one commit writes them all", async () => {
      await using cast = await openAhead(suite);
      const calls = await askAhead(cast, ["1", "2", "3", "4"]);
      expect(await cast.seen()).toMatchObject({ total: 10 });
      expect(cast.store.commits).toEqual([]);
      cast.slow.go.open();
      expect(await Promise.all(calls)).toEqual(["1", "3", "6", "10"]);
      expect(cast.store.commits).toHaveLength(2);
      expect(await cast.stored()).toEqual({ total: 10, log: ["1", "2", "3", "4"] });
    });

    test("answers nothing that is not written", async () => {
      await using cast = await openAhead(suite);
      const calls = await askAhead(cast, ["1", "2"]);
      const answered: string[] = [];
      for (const call of calls) void call.then((text) => answered.push(text));
      await cast.seen();
      expect(answered).toEqual([]);
      cast.slow.go.open();
      await Promise.all(calls);
    });

    test("begins no more turns than it may", async () => {
      await using cast = await openAhead(suite, { register: { runAhead: 2 } });
      const calls = ["1", "2", "3", "4"].map((text) => cast.ask(text));
      await cast.slow.asked.opened;
      for (const text of ["1", "2", "3"]) expect(await cast.begun.take()).toBe(text);
      expect(await cast.seen()).toMatchObject({ log: ["1", "2", "3"] });
      cast.slow.go.open();
      expect(await Promise.all(calls)).toEqual(["1", "3", "6", "10"]);
      expect(cast.store.commits.length).toBeGreaterThanOrEqual(3);
    });

    test("of which a class may say so", async () => {
      const slow = new SlowStore();
      await using stage = await suite.openStage({ stateStore: slow });
      class Hasty extends Keeper {
        static override readonly runAhead = 10;
      }
      await Hasty.register(stage.callee, "keeper", () => new Hasty(add));
      const ask = async (text: string) => (await stage.caller.sendMessage(Ask({ text }), id)).text;
      const calls = [ask("1"), ask("2")];
      await slow.asked.opened;
      const seen = await stage.caller.sendMessage(Order({ text: "" }), id, { answer: Answer });
      expect(JSON.parse(seen.text)).toMatchObject({ total: 3 });
      slow.go.open();
      expect(await Promise.all(calls)).toEqual(["1", "3"]);
    });

    test("whose commit fails has changed nothing in all turns behind it, and goes on", async () => {
      await using cast = await openAhead(suite);
      cast.slow.first = unavailable;
      const calls = await askAhead(cast, ["1", "2", "3"]);
      cast.slow.go.open();
      expect(await outcomesOf(calls)).toEqual(["state-unavailable", "state-unavailable", "state-unavailable"]);
      await expect(calls[2]).rejects.toThrow("before this one could not be written");
      expect(await cast.seen()).toEqual({ total: 0, log: [] });
      expect(await cast.ask("5")).toBe("5");
      expect(await cast.stored()).toEqual({ total: 5, log: ["5"] });
      expect(cast.made).toHaveLength(1);
    });

    test("whose commit fails undoes a turn that still runs on its state", async () => {
      const end = new Gate();
      const body: Body = async (text, agent) => {
        const answer = add(text, agent);
        if (text === "2") await end.opened;
        agent.state.log.push("late");
        return answer;
      };
      await using cast = await openAhead(suite, { body });
      cast.slow.first = unavailable;
      const calls = await askAhead(cast, ["1", "2"]);
      cast.slow.go.open();
      await expect(calls[0]).rejects.toMatchObject({ code: "state-unavailable" });
      end.open();
      await expect(calls[1]).rejects.toMatchObject({ code: "state-unavailable" });
      expect(await cast.ask("5")).toBe("5");
      expect(await cast.stored()).toEqual({ total: 5, log: ["5", "late"] });
    });

    test("undoes a turn that fails, and no other one", async () => {
      const body: Body = (text, agent) => {
        const answer = add(text, agent);
        if (text === "2") throw new Error("two is refused");
        return answer;
      };
      await using cast = await openAhead(suite, { body });
      const calls = await askAhead(cast, ["1", "2", "3"]);
      await expect(calls[1]).rejects.toThrow("two is refused");
      cast.slow.go.open();
      expect(await outcomesOf(calls)).toEqual(["1", "handler-failed", "4"]);
      expect(await cast.stored()).toEqual({ total: 4, log: ["1", "3"] });
    });

    test("publishes the events of its turns when they are written, in their order, and those of no other turn", async () => {
      const heard = new Inbox<string>();
      const body: Body = async (text, agent) => {
        await agent.publishMessage(Note({ text }), topic);
        if (text === "2") throw new Error("two is refused");
        return add(text, agent);
      };
      await using cast = await openAhead(suite, { body });
      await cast.stage.caller.registerFactory("hearer", () => new Probe(({ text }) => heard.put(text)));
      await cast.stage.caller.addSubscription(new TypeSubscription("ahead", "hearer"));
      const calls = await askAhead(cast, ["1", "2", "3", "4"]);
      await cast.seen();
      expect(heard.rest).toEqual([]);
      cast.slow.go.open();
      await outcomesOf(calls);
      expect([await heard.take(), await heard.take(), await heard.take()]).toEqual(["1", "3", "4"]);
      expect(heard.rest).toEqual([]);
    });

    test("whose commit fails publishes nothing of the turns behind it", async () => {
      const heard = new Inbox<string>();
      const body: Body = async (text, agent) => {
        await agent.publishMessage(Note({ text }), topic);
        return add(text, agent);
      };
      await using cast = await openAhead(suite, { body });
      await cast.stage.caller.registerFactory("hearer", () => new Probe(({ text }) => heard.put(text)));
      await cast.stage.caller.addSubscription(new TypeSubscription("ahead", "hearer"));
      cast.slow.first = unavailable;
      const calls = await askAhead(cast, ["1", "2"]);
      cast.slow.go.open();
      await outcomesOf(calls);
      await cast.ask("3");
      expect(await heard.take()).toBe("3");
      expect(heard.rest).toEqual([]);
    });

    test("commits with saveNow what its turns before have changed, too", async () => {
      const body: Body = async (text, agent) => {
        const answer = add(text, agent);
        if (text === "2") {
          await agent.saveNow();
          agent.state.log.push("not kept");
          throw new Error("after the save");
        }
        return answer;
      };
      await using cast = await openAhead(suite, { body });
      const calls = await askAhead(cast, ["1", "2"]);
      cast.slow.go.open();
      expect(await outcomesOf(calls)).toEqual(["1", "handler-failed"]);
      expect(await cast.ask("3")).toBe("6");
      expect(await cast.stored()).toEqual({ total: 6, log: ["1", "2", "3"] });
    });

    test("whose saveNow is not written fails its turn, also if the turn goes on", async () => {
      const body: Body = async (text, agent) => {
        const answer = add(text, agent);
        if (text === "2") await agent.saveNow().catch(() => undefined);
        return answer;
      };
      await using cast = await openAhead(suite, { body });
      cast.slow.first = unavailable;
      const calls = await askAhead(cast, ["1", "2"]);
      cast.slow.go.open();
      expect(await outcomesOf(calls)).toEqual(["state-unavailable", "state-unavailable"]);
      expect(await cast.ask("3")).toBe("3");
    });

    test("that destroys itself lets no turn run on what it deletes", async () => {
      const body: Body = (text, agent) => {
        if (text === "end") agent.destroySelf();
        else add(text, agent);
        return agent.state.log.join(" ");
      };
      await using cast = await openAhead(suite, { body });
      const calls = ["1", "end", "3"].map((text) => cast.ask(text));
      await cast.slow.asked.opened;
      for (const text of ["1", "end"]) expect(await cast.begun.take()).toBe(text);
      cast.slow.go.open();
      expect(await Promise.all(calls)).toEqual(["1", "1", "3"]);
      expect(cast.made).toHaveLength(2);
      expect(await cast.stored()).toEqual({ total: 3, log: ["3"] });
    });

    test("handles a message with an idempotencyKey once, also while its commit waits", async () => {
      await using cast = await openAhead(suite);
      const keyed = { idempotencyKey: "order-7" };
      const calls = [cast.ask("1"), cast.ask("2", keyed), cast.ask("2", keyed)];
      await cast.slow.asked.opened;
      expect(await cast.begun.take()).toBe("1");
      // At a host the second one asks for its key behind the commit.
      await cast.seen();
      cast.slow.go.open();
      expect(await Promise.all(calls)).toEqual(["1", "3", "3"]);
      expect(await cast.stored()).toEqual({ total: 3, log: ["1", "2"] });
    });

    test("fails a message with the same key as one that could not be written, and runs no handler for it", async () => {
      await using cast = await openAhead(suite);
      cast.slow.first = unavailable;
      const keyed = { idempotencyKey: "order-7" };
      const calls = [cast.ask("2", keyed), cast.ask("2", keyed)];
      await cast.slow.asked.opened;
      await cast.seen();
      cast.slow.go.open();
      expect(await outcomesOf(calls)).toEqual(["state-unavailable", "state-unavailable"]);
      expect(await cast.ask("2", keyed)).toBe("2");
      expect(await cast.stored()).toEqual({ total: 2, log: ["2"] });
    });

    test("lets a call of its own turn in, and fails both with the commit before them", async () => {
      const body: Body = async (text, agent, { signal }) => {
        if (text !== "2") return add(text, agent);
        add(text, agent);
        const inner = await agent.sendMessage(Ask({ text: "3" }), id, { signal });
        return `${inner.text} within ${text}`;
      };
      await using cast = await openAhead(suite, { body });
      const calls = await askAhead(cast, ["1", "2"]);
      expect(await cast.begun.take()).toBe("3");
      cast.slow.go.open();
      expect(await outcomesOf(calls)).toEqual(["1", "6 within 2"]);
      expect(await cast.stored()).toEqual({ total: 6, log: ["1", "2", "3"] });
    });

    test("tries no message again after a conflict, and loads what was written", async () => {
      await using cast = await openAhead(suite);
      cast.slow.first = () => ({ at: "conflict" });
      const calls = await askAhead(cast, ["1", "2"]);
      await cast.store.write(id, { total: 40, log: [] });
      cast.slow.go.open();
      expect(await outcomesOf(calls)).toEqual(["state-conflict", "state-conflict"]);
      expect(await cast.ask("2")).toBe("42");
      expect(cast.begun.rest).toHaveLength(1);
      expect(cast.made).toHaveLength(2);
    });

    test("knows after a commit of unknown outcome that nothing behind it is written", async () => {
      await using cast = await openAhead(suite);
      cast.slow.first = () => {
        throw new StoreError("unknown", "The line is cut.");
      };
      const calls = await askAhead(cast, ["1", "2"]);
      cast.slow.go.open();
      expect(await outcomesOf(calls)).toEqual(["state-unknown", "state-unavailable"]);
      expect(await cast.ask("5")).toBe("5");
    });

    test("says state-unknown of a turn that a commit of unknown outcome has in part, which runs on", async () => {
      const body: Body = async (text, agent, { signal }) => {
        const answer = add(text, agent);
        if (text === "1") await agent.saveNow().catch(() => undefined);
        if (text !== "2") return answer;
        const inner = agent.sendMessage(Ask({ text: "3" }), id, { signal });
        return inner.then(
          () => "written",
          (error: unknown) => inners.put(TroupeError.from(error).code),
        );
      };
      const inners = new Inbox<string>();
      for (const text of ["1", "2"]) {
        await using cast = await openAhead(suite, { body });
        cast.slow.first = () => {
          throw new StoreError("unknown", "The line is cut.");
        };
        const calls = await askAhead(cast, [text]);
        cast.slow.go.open();
        expect(await outcomesOf(calls), text).toEqual(["state-unknown"]);
      }
      expect(inners.rest).toEqual(["state-unknown"]);
    });

    test("fails of the turns that one commit would write only those from the first on that the store refuses", async () => {
      await using cast = await openAhead(suite);
      const calls = await askAhead(cast, ["1", "2", "300", "4"]);
      const isTooMuch = (data: Uint8Array) => JSON.parse(new TextDecoder().decode(data)).total > 300;
      cast.slow.first = () => {
        cast.slow.decide = ({ write }) =>
          write.at === "put" && isTooMuch(write.data) ? { at: "refused", limit: "300" } : undefined;
        return undefined;
      };
      cast.slow.go.open();
      expect(await outcomesOf(calls)).toEqual(["1", "3", "state-too-large", "state-too-large"]);
      expect(await cast.stored()).toEqual({ total: 3, log: ["1", "2"] });
    });

    test("saves what it has changed when its activation ends", async () => {
      await using cast = await openAhead(suite);
      const calls = await askAhead(cast, ["1", "2"]);
      const gone = cast.stage.callee.deactivateAgent(id);
      cast.slow.go.open();
      await gone;
      expect(await Promise.all(calls)).toEqual(["1", "3"]);
      expect(await cast.ask("3")).toBe("6");
      expect(cast.made).toHaveLength(2);
    });

    test("can't be registered if it keeps no state", async () => {
      await using stage = await suite.openStage();
      const options = { concurrency: "sequential", runAhead: 1 } as const;
      const registered = Probe.register(stage.callee, "probe", () => new Probe(), options);
      await expect(registered).rejects.toMatchObject({ code: "invalid-argument" });
      await expect(registered).rejects.toThrow("keep no state");
    });

    test("can't be registered if its handlers interleave", async () => {
      await using stage = await suite.openStage();
      class Loose extends persistentAgent(ByHand) {}
      const options = { concurrency: "interleaved", runAhead: 1 } as const;
      const registered = Loose.register(stage.callee, "loose", () => new Loose("is loose"), options);
      await expect(registered).rejects.toMatchObject({ code: "invalid-argument" });
      await expect(registered).rejects.toThrow("interleave");
    });
  });
}
