import { describe, expect, test } from "vitest";
import { AgentId, type MessageContext, type RegisterOptions, TopicId } from "../../../src/core/index.ts";
import { Gate } from "../../support/gate.ts";
import { WatchedStore } from "../../support/watched-store.ts";
import { add, id, type Keeper, openCast } from "./keepers.ts";
import { Answer, Ask, Note, type Suite } from "./world.ts";

interface Pair {
  /** What the outer turn does when it has given its call up. */
  readonly outer: (agent: Keeper) => unknown;
  /** What the inner turn does before that, and after it. Default: it adds 2, then it fails. */
  readonly inner?: (agent: Keeper) => unknown;
  readonly innerEnds?: (agent: Keeper) => unknown;
  readonly store?: WatchedStore;
  readonly register?: RegisterOptions;
}

const fail = () => {
  throw new Error("it failed");
};

/** An agent whose turn "outer" adds 1 and calls the agent itself. It gives the call up while the turn "inner" runs, which then goes on. */
function openPair(suite: Suite, { outer, inner = (agent) => add("2", agent), innerEnds = fail, ...options }: Pair) {
  const body = async (text: string, agent: Keeper, { scope }: MessageContext) => {
    if (text !== "outer" && text !== "inner") return add(text, agent);
    if (text === "inner") {
      inner(agent);
      inside.open();
      await go.opened;
      return innerEnds(agent);
    }
    add("1", agent);
    const giving = new AbortController();
    const nested = agent.sendMessage(Ask({ text: "inner" }), id, { scope, signal: giving.signal });
    await inside.opened;
    giving.abort();
    await nested.catch(() => undefined);
    try {
      await outer(agent);
    } finally {
      setImmediate(() => go.open());
    }
    return agent.state.total;
  };
  const [inside, go] = [new Gate(), new Gate()];
  return openCast(suite, body, options);
}

const takenAlong = {
  code: "state-conflict",
  message: expect.stringMatching(/had not awaited its call.*fails each time, let the handler await such a call/),
};

export function describeNestedTurns(suite: Suite): void {
  const { unless } = suite;
  describe.each([0, 10])("with runAhead %i, a turn that goes on though its call runs on inside it", (runAhead) => {
    const register = { runAhead };

    test("fails if the turn inside it fails and takes its changes along: nothing is answered that is not stored", async () => {
      await using cast = await openPair(suite, { outer: (agent) => add("8", agent), register });
      await expect(cast.ask("outer")).rejects.toMatchObject(takenAlong);
      expect(await cast.stored()).toBeUndefined();
      expect(await cast.ask("5")).toBe("5");
      expect(await cast.stored()).toEqual({ total: 5, log: ["5"] });
      expect(cast.made).toHaveLength(1);
    });

    test("keeps all if the turn inside it goes well", async () => {
      const pair = { outer: (agent: Keeper) => add("8", agent), innerEnds: (agent: Keeper) => add("4", agent) };
      await using cast = await openPair(suite, { ...pair, register });
      await cast.ask("outer");
      expect(await cast.stored()).toEqual({ total: 15, log: ["1", "2", "8", "4"] });
    });

    test("goes well if it has changed nothing since: the other one takes back its own changes", async () => {
      await using cast = await openPair(suite, { outer: () => undefined, register });
      await cast.ask("outer");
      expect(await cast.stored()).toEqual({ total: 1, log: ["1"] });
    });

    test("fails if the event is gone that it has published since", async () => {
      const topic = new TopicId("notes", "ada");
      const outer = (agent: Keeper) => agent.publishMessage(Note({ text: "said" }), topic);
      await using cast = await openPair(suite, { outer, inner: () => undefined, register });
      await cast.stage.listen("notes", "listener");
      await expect(cast.ask("outer")).rejects.toMatchObject(takenAlong);
      expect(cast.stage.seen.rest).toEqual([]);
    });

    unless("keeps-nothing", "fails if the message is gone that it has told since, or a reminder", async () => {
      const effects = [
        (agent: Keeper) => agent.tell(Ask({ text: "20" }), new AgentId("keeper", "bea")),
        (agent: Keeper) => agent.remindMe("later", { after: 1_000 }, Ask({ text: "20" })),
      ];
      for (const outer of effects) {
        await using cast = await openPair(suite, { outer, inner: () => undefined, register });
        await expect(cast.ask("outer")).rejects.toMatchObject(takenAlong);
      }
    });

    test("fails if its destroySelf is gone", async () => {
      const outer = (agent: Keeper) => agent.destroySelf();
      await using cast = await openPair(suite, { outer, inner: () => undefined, register });
      await cast.ask("16");
      await expect(cast.ask("outer")).rejects.toMatchObject(takenAlong);
      expect(await cast.stored()).toEqual({ total: 16, log: ["16"] });
    });

    test("saves nothing meanwhile: the half of the other one is not written", async () => {
      const saved = new Gate<unknown>();
      const outer = (agent: Keeper) => agent.saveNow().then(() => saved.open("saved"), saved.open);
      await using cast = await openPair(suite, { outer, register });
      await cast.ask("outer");
      expect(await saved.opened).toMatchObject({ code: "state-conflict", message: expect.stringContaining("saveNow") });
      expect(await cast.stored()).toEqual({ total: 1, log: ["1"] });
    });

    test("fails if the other one's commit fails", async () => {
      const store = new WatchedStore();
      let commits = 0;
      store.decide = () => {
        commits += 1;
        return commits === 1 ? { at: "refused", limit: "one" } : undefined;
      };
      const pair = { outer: (agent: Keeper) => add("8", agent), innerEnds: (agent: Keeper) => add("4", agent) };
      await using cast = await openPair(suite, { ...pair, store, register });
      await expect(cast.ask("outer")).rejects.toMatchObject({ code: expect.stringContaining("state-") });
      expect(await cast.stored()).toBeUndefined();
    });

    test("fails if it has changed what the other one could not destroy", async () => {
      const [deleting, changed] = [new Gate(), new Gate()];
      const store = new WatchedStore();
      const body = async (text: string, agent: Keeper, { scope }: MessageContext) => {
        if (text === "inner") return agent.destroySelf();
        if (text !== "outer") return add(text, agent);
        const giving = new AbortController();
        const nested = agent.sendMessage(Ask({ text: "inner" }), id, { scope, signal: giving.signal });
        await deleting.opened;
        giving.abort();
        await nested.catch(() => undefined);
        add("8", agent);
        changed.open();
        return agent.state.total;
      };
      await using cast = await openCast(suite, body, { store, register });
      await cast.ask("16");
      store.beforeCommit = async ({ write }) => {
        if (write.at !== "delete") return;
        deleting.open();
        await changed.opened;
      };
      store.decide = ({ write }) => (write.at === "delete" ? { at: "refused", limit: "no deletions" } : undefined);
      await expect(cast.ask("outer")).rejects.toMatchObject({ code: expect.stringContaining("state-") });
      expect(await cast.ask("1")).toBe("17");
      expect(await cast.stored()).toEqual({ total: 17, log: ["16", "1"] });
    });

    test("fails if it has ended before the turn inside it, which fails", async () => {
      const [inside, go] = [new Gate(), new Gate()];
      const body = async (text: string, agent: Keeper, { signal }: MessageContext) => {
        if (text === "inner") {
          inside.open();
          await go.opened;
          add("2", agent);
          throw new Error("it failed");
        }
        agent.sendMessage(Ask({ text: "inner" }), id, { signal }).catch(() => undefined);
        await inside.opened;
        setImmediate(() => go.open());
        return add("8", agent);
      };
      await using cast = await openCast(suite, body, { register });
      await expect(cast.ask("outer")).rejects.toMatchObject(takenAlong);
      expect(await cast.stored()).toBeUndefined();
    });

    test("lets none inside that the handler of a call begins which it gave up before", async () => {
      const [late, over] = [new Gate(), new Gate()];
      // Its call has the path of the first one, and does not end with it.
      const helper = new AgentId("helper", "ada");
      const body = async (text: string, agent: Keeper, { scope }: MessageContext) => {
        if (text === "inner") {
          add("2", agent);
          throw new Error("it failed");
        }
        const giving = new AbortController();
        const call = agent.sendMessage(Ask({ text: "call back" }), helper, { scope, signal: giving.signal });
        giving.abort();
        await call.catch(() => undefined);
        late.open();
        return add("8", agent);
      };
      await using cast = await openCast(suite, body, { register });
      await cast.stage.host("helper", async (_message, { scope }, probe) => {
        await late.opened;
        await probe.sendMessage(Ask({ text: "inner" }), id, { scope }).catch(() => undefined);
        over.open();
        return Answer({ text: "" });
      });
      const answer = await cast.ask("outer");
      await over.opened;
      expect(answer).toBe("8");
      expect(await cast.stored()).toEqual({ total: 8, log: ["8"] });
    });

    test("fails if it has used the answer of one call while the turn of another one ran, which fails", async () => {
      const [inside, go] = [new Gate(), new Gate()];
      const body = async (text: string, agent: Keeper, { signal }: MessageContext) => {
        if (text === "first") return add("2", agent);
        if (text === "second") {
          inside.open();
          await go.opened;
          throw new Error("it failed");
        }
        const call = (which: string) => agent.sendMessage(Ask({ text: which }), id, { signal });
        const first = call("first").then(async () => {
          await inside.opened;
          add("8", agent);
          go.open();
        });
        await Promise.allSettled([first, call("second")]);
        return agent.state.total;
      };
      await using cast = await openCast(suite, body, { register });
      await expect(cast.ask("outer")).rejects.toMatchObject(takenAlong);
      // The first call is written, since its caller has its answer.
      expect(await cast.stored()).toEqual({ total: 2, log: ["2"] });
      expect(await cast.ask("first")).toBe("4");
    });

    test("fails if an event is gone that it has published behind the commit of a third turn", async () => {
      const topic = new TopicId("notes", "ada");
      const [inside, givenUp, written, go] = [new Gate(), new Gate(), new Gate(), new Gate()];
      const body = async (text: string, agent: Keeper, { scope, signal }: MessageContext) => {
        const call = (which: string, options: object) => agent.sendMessage(Ask({ text: which }), id, options);
        const publish = (what: string) => agent.publishMessage(Note({ text: what }), topic);
        if (text === "innermost") {
          inside.open();
          await givenUp.opened;
          return "";
        }
        if (text === "inner") {
          await call("innermost", { scope });
          written.open();
          await go.opened;
          throw new Error("it failed");
        }
        await publish("one");
        const giving = new AbortController();
        const nested = call("inner", { scope, signal: AbortSignal.any([signal, giving.signal]) });
        await inside.opened;
        giving.abort();
        await nested.catch(() => undefined);
        givenUp.open();
        await written.opened;
        await publish("two");
        setImmediate(() => go.open());
        return "";
      };
      await using cast = await openCast(suite, body, { register });
      await cast.stage.listen("notes", "listener");
      await expect(cast.ask("outer")).rejects.toMatchObject(takenAlong);
      expect((await cast.stage.seen.take()).text).toBe("one");
      expect(cast.stage.seen.rest).toEqual([]);
    });

    test("takes no turn along that waits for its own call", async () => {
      const [inside, go] = [new Gate(), new Gate()];
      const body = async (text: string, agent: Keeper, { scope, signal }: MessageContext) => {
        const call = (which: string, options: object) => agent.sendMessage(Ask({ text: which }), id, options);
        if (text === "outermost") {
          add("1", agent);
          await call("outer", { signal }).catch(() => undefined);
          return add("16", agent);
        }
        if (text === "inner") {
          inside.open();
          await go.opened;
          throw new Error("it failed");
        }
        const giving = new AbortController();
        const nested = call("inner", { scope, signal: giving.signal });
        await inside.opened;
        giving.abort();
        await nested.catch(() => undefined);
        add("8", agent);
        setImmediate(() => go.open());
        return "";
      };
      await using cast = await openCast(suite, body, { register });
      expect(await cast.ask("outermost")).toBe("17");
      expect(await cast.stored()).toEqual({ total: 17, log: ["1", "16"] });
    });

    unless("keeps-nothing", "is tried again if its message was told", async () => {
      let tries = 0;
      const body = async (text: string, agent: Keeper, { scope }: MessageContext) => {
        if (text === "inner") {
          inside.open();
          await go.opened;
          throw new Error("it failed");
        }
        tries += 1;
        if (tries === 1) {
          const giving = new AbortController();
          const nested = agent.sendMessage(Ask({ text: "inner" }), id, { scope, signal: giving.signal });
          await inside.opened;
          giving.abort();
          await nested.catch(() => undefined);
          setImmediate(() => go.open());
        }
        if (tries === 2) handled.open();
        return add("8", agent);
      };
      const [inside, go, handled] = [new Gate(), new Gate(), new Gate()];
      await using cast = await openCast(suite, body, { register });
      await cast.stage.caller.tell(Ask({ text: "outer" }), id);
      await handled.opened;
      expect(await cast.ask("")).toBe("16");
    });
  });
}
