import { describe, expect, test } from "vitest";
import {
  AgentId,
  type MessageContext,
  type SendOptions,
  TopicId,
  TypeSubscription,
  withScope,
} from "../../../src/core/index.ts";
import { Answer, Ask, type Handle, Note, Probe, type Stage, type Suite, type WorldOptions } from "./world.ts";

const guards = { calls: { maxHandlers: 20 } };
const bounded: WorldOptions = { caller: { guards }, callee: { guards } };
const turn = () => new Promise<void>((resolve) => setImmediate(resolve));
const ask = (probe: Probe, to: string, text: string, options: SendOptions = {}) =>
  probe.sendMessage(Ask({ text }), AgentId.parse(to), options);

const ways: [string, (context: MessageContext) => SendOptions][] = [
  ["with its signal", ({ signal }) => ({ signal })],
  ["with a signal that has its scope", ({ scope }) => ({ signal: withScope(new AbortController().signal, scope) })],
  ["without either", () => ({})],
];

/** Registers an agent type that interleaves. */
async function play(stage: Stage, type: string, handle: Handle, where: "caller" | "callee" = "callee") {
  await stage[where].registerFactory(type, () => new Probe(handle), { concurrency: "interleaved" });
}

/** Registers `ping` and `pong`, which call each other without end. Returns what their handlers have counted. */
async function playWithoutEnd(stage: Stage, options: (context: MessageContext) => SendOptions, before: () => unknown) {
  const seen = { handlers: 0 };
  const asks =
    (to: string): Handle =>
    async ({ text }, context, probe) => {
      seen.handlers += 1;
      await before();
      return ask(probe, to, text, options(context));
    };
  await play(stage, "ping", asks("pong/k"));
  await play(stage, "pong", asks("ping/k"), "caller");
  return seen;
}

export function describeCallGuards({ openStage, unless }: Suite): void {
  describe("agents that interleave and call each other without end", () => {
    describe.each<[string, () => unknown]>([
      ["at once", () => undefined],
      ["after other work", turn],
    ])("%s", (_when, before) => {
      test.each(ways)("get loop-detected, if a handler calls %s", async (_way, options) => {
        await using stage = await openStage(bounded);
        const seen = await playWithoutEnd(stage, options, before);
        const call = stage.caller.sendMessage(Ask({ text: "go" }), new AgentId("ping", "k"));
        await expect(call).rejects.toMatchObject({
          code: "loop-detected",
          message: expect.stringMatching(
            /^More than 20 handlers wait for the call to (ping|pong)\/k, one for the other: … → (ping\/k → pong\/k → ping|pong\/k → ping\/k → pong)\/k\. It was not sent\. .*guards\.calls\.maxHandlers/,
          ),
        });
        // Each of the two runtimes counts when more than 20 of its handlers run.
        expect(seen.handlers).toBeGreaterThan(20);
        expect(seen.handlers).toBeLessThanOrEqual(70);
      });
    });

    test("get loop-detected, if each call makes another agent", async () => {
      await using stage = await openStage(bounded);
      let handlers = 0;
      await play(stage, "next", async ({ text }, _context, probe) => {
        handlers += 1;
        await turn();
        return ask(probe, `next/${Number(probe.id.key) + 1}`, text);
      });
      const call = stage.caller.sendMessage(Ask({ text: "go" }), new AgentId("next", "1"));
      await expect(call).rejects.toMatchObject({ code: "loop-detected" });
      expect(handlers).toBeLessThanOrEqual(50);
    });

    test("get loop-detected, if a sequential agent stands between them for each of their calls", async () => {
      // Smaller than the bound of turns, which ends this loop, too.
      const few = { guards: { calls: { maxHandlers: 10 } } };
      await using stage = await openStage({ caller: few, callee: few });
      let keys = 0;
      await play(stage, "free", ({ text }, _context, probe) => {
        keys += 1;
        return ask(probe, `one/${keys}`, text);
      });
      const asksBack: Handle = ({ text }, { signal }, probe) => ask(probe, "free/k", text, { signal });
      await stage.caller.registerFactory("one", () => new Probe(asksBack), { concurrency: "sequential" });
      const call = stage.caller.sendMessage(Ask({ text: "go" }), new AgentId("free", "k"));
      await expect(call).rejects.toMatchObject({ message: expect.stringMatching(/^More than 10 handlers wait/) });
      expect(keys).toBeLessThanOrEqual(20);
    });

    unless("no-streams", "get loop-detected, if they read streams of each other", async () => {
      await using stage = await openStage(bounded);
      let handlers = 0;
      const reads = (to: string): Handle =>
        async function* ({ text }, { signal }, probe) {
          handlers += 1;
          return yield* probe.stream(Ask({ text }), AgentId.parse(to), { signal });
        };
      await play(stage, "ping", reads("pong/k"));
      await play(stage, "pong", reads("ping/k"), "caller");
      const call = stage.caller.sendMessage(Ask({ text: "go" }), new AgentId("ping", "k"));
      await expect(call).rejects.toMatchObject({ code: "loop-detected" });
      expect(handlers).toBeLessThanOrEqual(70);
    });

    test("get loop-detected, if the first handler handles an event", async () => {
      await using stage = await openStage(bounded);
      const seen = await playWithoutEnd(stage, () => ({}), turn);
      await play(stage, "first", (_message, _context, probe) =>
        ask(probe, "ping/k", "go").catch(({ code }) => stage.texts.put(code)),
      );
      await stage.callee.addSubscription(new TypeSubscription("first", "first"));
      await stage.caller.publishMessage(Note({ text: "go" }), new TopicId("first", "k"));
      expect(await stage.texts.take()).toBe("loop-detected");
      expect(seen.handlers).toBeLessThanOrEqual(70);
    });

    test("have more than 1 000 handlers by default", async () => {
      await using stage = await openStage();
      const seen = await playWithoutEnd(
        stage,
        ({ signal }) => ({ signal }),
        () => undefined,
      );
      const call = stage.caller.sendMessage(Ask({ text: "go" }), new AgentId("ping", "k"));
      await expect(call).rejects.toMatchObject({ code: "loop-detected" });
      expect(seen.handlers).toBeGreaterThan(1_000);
      expect(seen.handlers).toBeLessThanOrEqual(1_210);
    });
  });

  describe("a long chain of calls", () => {
    /** An agent that calls itself as often as its message says. */
    const countsDown: Handle = async ({ text }, _context, probe) => {
      await turn();
      if (text === "0") return Answer({ text: "the end" });
      return ask(probe, probe.id.toString(), String(Number(text) - 1));
    };

    test.each<[string, WorldOptions["callee"], number]>([
      ["within the bound", { guards }, 20],
      ["within a larger bound", { guards: { calls: { maxHandlers: 200 } } }, 200],
      ["of any length without guards", { guards: false }, 1_300],
    ])("goes to its end %s", async (_what, options, calls) => {
      await using stage = await openStage({ caller: { ...options }, callee: { ...options } });
      await play(stage, "deep", countsDown);
      const answer = await stage.caller.sendMessage(Ask({ text: String(calls) }), new AgentId("deep", "k"));
      expect(answer.text).toBe("the end");
    });
  });

  describe("many calls at once are no chain", () => {
    test("if each of them comes back to the agent that many handlers of have called", async () => {
      await using stage = await openStage({
        caller: { guards: { calls: { maxHandlers: 4 } } },
        callee: { guards: { calls: { maxHandlers: 4 } } },
      });
      await play(stage, "desk", async ({ text }, _context, probe) => {
        await turn();
        return text === "back" ? Answer({ text: "seen" }) : ask(probe, "clerk/k", text);
      });
      await play(stage, "clerk", async (_message, _context, probe) => ask(probe, "desk/k", "back"), "caller");
      const calls = Array.from({ length: 300 }, () =>
        stage.caller.sendMessage(Ask({ text: "go" }), new AgentId("desk", "k")),
      );
      for (const { text } of await Promise.all(calls)) expect(text).toBe("seen");
    });

    test("if one handler makes them, several at a time, and each comes back to its agent", async () => {
      const few = { guards: { calls: { maxHandlers: 10 } } };
      await using stage = await openStage({ caller: few, callee: few });
      let left = 200;
      await play(stage, "lead", async ({ text }, _context, probe) => {
        await turn();
        if (text !== "go") {
          await turn();
          return Answer({ text });
        }
        const works = async () => {
          while (left > 0) {
            left -= 1;
            await ask(probe, "hand/k", String(left));
          }
        };
        const long = ask(probe, "hand/k", "long");
        await Promise.all([works(), works(), works(), long]);
        return Answer({ text: "done" });
      });
      await play(
        stage,
        "hand",
        async ({ text }, _context, probe) => {
          while (text === "long" && left > 0) await turn();
          return ask(probe, "lead/k", text);
        },
        "caller",
      );
      // Others keep the runtimes counting.
      await play(stage, "busy", async () => {
        while (left > 0) await turn();
        return Answer({ text: "" });
      });
      const others = Array.from({ length: 20 }, () =>
        stage.caller.sendMessage(Ask({ text: "" }), new AgentId("busy", "k")),
      );
      expect((await stage.caller.sendMessage(Ask({ text: "go" }), new AgentId("lead", "k"))).text).toBe("done");
      await Promise.all(others);
    });
  });
}
