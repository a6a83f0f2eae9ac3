import { describe, expect, test } from "vitest";
import { AgentId, type MessageContext, type SendOptions, withScope } from "../../../src/core/index.ts";
import { Gate } from "../../support/gate.ts";
import { Actor, ask, type Body, cast } from "./actors.ts";
import { Ask, type Suite, type WorldOptions } from "./world.ts";

const ways: [string, (context: MessageContext) => SendOptions][] = [
  ["with its signal", ({ signal }) => ({ signal })],
  ["with its scope", ({ scope }) => ({ scope })],
  ["with a signal that has its scope", ({ scope }) => ({ signal: withScope(new AbortController().signal, scope) })],
  ["without either", () => ({})],
];

/** Its turn goes on while it is not given up. */
const waysOfRunning: typeof ways = [
  ...ways,
  ["with a signal that AbortSignal.any makes of its own", ({ signal }) => ({ signal: AbortSignal.any([signal]) })],
];

export function describeReEntrancy({ openStage }: Suite): void {
  describe("a call that comes back to a sequential agent", () => {
    test.each(waysOfRunning)("from itself, made %s, is let in", async (_way, options) => {
      await using stage = await openStage();
      const log = await cast(stage, {
        a: [
          "callee",
          "sequential",
          (text, a, context) => (text === "out" ? a.ask("a", "in", options(context)) : "done"),
        ],
      });
      expect(await ask(stage, "a", "out")).toBe("done");
      expect(log).toEqual(["a begins out", "a begins in", "a ends in", "a ends out"]);
    });

    test.each(waysOfRunning)(
      "by way of two other agents, of which one interleaves, made %s, is let in",
      async (_way, options) => {
        await using stage = await openStage();
        const log = await cast(stage, {
          a: [
            "callee",
            "sequential",
            (text, a, context) => (text === "out" ? a.ask("b", text, options(context)) : "done"),
          ],
          b: ["caller", "interleaved", (text, b, context) => b.ask("c", text, options(context))],
          c: ["callee", "sequential", (_text, c, context) => c.ask("a", "in", options(context))],
        });
        expect(await ask(stage, "a", "out")).toBe("done");
        expect(log).toEqual([
          "a begins out",
          "b begins out",
          "c begins out",
          "a begins in",
          "a ends in",
          "c ends out",
          "b ends out",
          "a ends out",
        ]);
      },
    );

    test.each(ways.slice(1))(
      "from a handler whose call its turn has given up, made %s, waits for its turn",
      async (_way, options) => {
        await using stage = await openStage();
        const [begun, cameBack, go] = [new Gate(), new Gate(), new Gate()];
        const unwanted = new AbortController();
        const log = await cast(stage, {
          a: [
            "callee",
            "sequential",
            async (text, a) => {
              if (text !== "out") return "a had its turn";
              await a.ask("b", "in", { signal: unwanted.signal }).catch(() => undefined);
              await go.opened;
              return "a is done";
            },
          ],
          b: [
            "caller",
            "sequential",
            async (_text, b, context) => {
              begun.open();
              await new Promise((resolve) => context.signal.addEventListener("abort", resolve));
              expect(context.scope.path.map(({ type }) => type)).toEqual(["b"]);
              const answer = b.ask("a", "in", options(context));
              cameBack.open();
              return answer;
            },
          ],
          echo: ["callee", "interleaved", (text) => text],
        });
        const first = ask(stage, "a", "out");
        await begun.opened;
        unwanted.abort();
        await cameBack.opened;
        await ask(stage, "echo", "all before has arrived");
        go.open();
        expect(await first).toBe("a is done");
        expect(await ask(stage, "a", "last")).toBe("a had its turn");
        expect(log.filter((line) => line.startsWith("a"))).toEqual([
          ...["a begins out", "a ends out", "a begins in", "a ends in", "a begins last", "a ends last"],
        ]);
      },
    );

    test.each(ways)(
      "from code that goes on after its handler's answer, made %s, waits for its turn",
      async (_way, options) => {
        await using stage = await openStage();
        const [answered, cameBack, go] = [new Gate(), new Gate(), new Gate()];
        const goesOn: Promise<string>[] = [];
        const log = await cast(stage, {
          a: [
            "callee",
            "sequential",
            async (text, a) => {
              if (text !== "out") return "a had its turn";
              await a.ask("b", "in");
              answered.open();
              await go.opened;
              return "a is done";
            },
          ],
          b: [
            "caller",
            "sequential",
            (_text, b, context) => {
              const own = options(context);
              const goOn = async () => {
                await answered.opened;
                expect(context.scope.path).toEqual([]);
                const answer = b.ask("a", "in", own);
                cameBack.open();
                return answer;
              };
              goesOn.push(goOn());
              return "b goes on";
            },
          ],
          echo: ["callee", "interleaved", (text) => text],
        });
        const first = ask(stage, "a", "out");
        await cameBack.opened;
        await ask(stage, "echo", "all before has arrived");
        go.open();
        expect(await Promise.all([first, ...goesOn])).toEqual(["a is done", "a had its turn"]);
        expect(log.filter((line) => line.startsWith("a"))).toEqual([
          ...["a begins out", "a ends out", "a begins in", "a ends in"],
        ]);
      },
    );

    test("is let in before a call that waits, and the call that waits has its turn afterwards", async () => {
      await using stage = await openStage();
      const go = new Gate();
      const begun = new Gate();
      const log = await cast(stage, {
        a: [
          "callee",
          "sequential",
          async (text, a, { signal }) => {
            if (text !== "out") return text;
            begun.open();
            await go.opened;
            return a.ask("b", "in", { signal });
          },
        ],
        b: ["callee", "interleaved", (text, b, { signal }) => (text === "in" ? b.ask("a", "in", { signal }) : text)],
      });
      const first = ask(stage, "a", "out");
      await begun.opened;
      const second = ask(stage, "a", "other");
      await ask(stage, "b", "all before has arrived");
      go.open();
      expect(await Promise.all([first, second])).toEqual(["in", "other"]);
      expect(log.filter((line) => line.startsWith("a"))).toEqual([
        "a begins out",
        "a begins in",
        "a ends in",
        "a ends out",
        "a begins other",
        "a ends other",
      ]);
    });

    test("twice at once, by two agents that its turn asks, is let in one after the other", async () => {
      await using stage = await openStage();
      const comeBack: Body = (text, b, { signal }) => b.ask("a", text, { signal });
      const log = await cast(stage, {
        a: [
          "callee",
          "sequential",
          async (text, a, { signal }) => {
            if (text === "out") {
              const both = ["b", "c"].map((type) => a.ask(type, type, { signal }));
              return (await Promise.all(both)).join();
            }
            await new Promise((resolve) => setImmediate(resolve));
            return text;
          },
        ],
        b: ["caller", "interleaved", comeBack],
        c: ["caller", "interleaved", comeBack],
      });
      expect(await ask(stage, "a", "out")).toBe("b,c");
      const turns = log.filter((line) => line.startsWith("a"));
      const [first, second] = turns[1] === "a begins b" ? ["b", "c"] : ["c", "b"];
      expect(turns).toEqual(
        ["out", first, first, second, second, "out"].map(
          (text, at) => `a ${[0, 1, 3].includes(at) ? "begins" : "ends"} ${text}`,
        ),
      );
    });

    test.each<[string, WorldOptions["callee"], number]>([
      ["9 turns of the agent", {}, 9],
      ["as many as the option guards allows", { guards: { calls: { maxRevisits: 3 } } }, 4],
      ["as many of all agents as the option guards allows", { guards: { calls: { maxDepth: 5 } } }, 5],
      ["32 turns at most, without guards", { guards: false }, 32],
    ])("without end, fails as loop-detected after %s", async (_how, callee, turns) => {
      await using stage = await openStage({ callee: { ...callee } });
      const log = await cast(stage, { a: ["callee", "sequential", (text, a) => a.ask("a", text)] });
      await expect(ask(stage, "a", "again")).rejects.toMatchObject({
        code: "loop-detected",
        message: expect.stringContaining("a/k → a/k"),
      });
      expect(log).toHaveLength(turns);
    });

    test("is not a loop because many chains have come to one agent that calls without its signal", async () => {
      await using stage = await openStage();
      const count = 60;
      const all = new Gate();
      let come = 0;
      const log = await cast(stage, {
        hub: [
          "caller",
          "interleaved",
          async (text, hub) => {
            come += 1;
            if (come === count) all.open();
            await all.opened;
            return hub.ask("first", text);
          },
        ],
        first: ["callee", "sequential", (text, first) => first.ask("second", text)],
        second: ["callee", "sequential", (text) => text],
      });
      await stage.callee.registerFactory("many", () => new Actor((text, many) => many.ask("hub", text), log), {
        concurrency: "sequential",
      });
      const texts = Array.from({ length: count }, (_, at) => String(at));
      const answers = texts.map((text) => stage.caller.sendMessage(Ask({ text }), new AgentId("many", text)));
      expect((await Promise.all(answers)).map(({ text }) => text)).toEqual(texts);
    });

    test("tells its handler which turns wait for it", async () => {
      await using stage = await openStage();
      const paths: string[][] = [];
      const pathOf = ({ scope }: MessageContext) => scope.path.map(({ type, key }) => `${type}/${key}`);
      await cast(stage, {
        a: ["callee", "sequential", (_text, a, context) => a.ask("b", "x", { scope: context.scope })],
        b: [
          "caller",
          "interleaved",
          (_text, _b, context) => {
            paths.push(pathOf(context));
            return "";
          },
        ],
      });
      await ask(stage, "a", "x");
      await ask(stage, "b", "y");
      expect(paths).toEqual([["a/k"], []]);
    });
  });
}
