import { describe, expect, test } from "vitest";
import { Gate } from "../../support/gate.ts";
import { ask, type Body, cast } from "./actors.ts";
import type { Stage, Suite, WorldOptions } from "./world.ts";

const stuck = (stuckAfterMs: number): WorldOptions => ({ caller: { stuckAfterMs }, callee: { stuckAfterMs } });

/** Starts the named agents, and lets each call its next one when all have begun. Returns how each ended. */
async function ringOf(stage: Stage, next: { readonly [type: string]: string }, through?: string): Promise<string[]> {
  const types = Object.keys(next);
  const allBegun = new Gate();
  let begun = 0;
  const body: Body = async (text, agent, { signal }) => {
    if (text !== "out") return `${agent.id.type} answered`;
    begun += 1;
    if (begun === types.length) allBegun.open();
    await allBegun.opened;
    return agent.ask(through ?? next[agent.id.type] ?? "", next[agent.id.type] ?? "", { signal });
  };
  const passOn: Body = (text, agent, { signal }) => agent.ask(text, "in", { signal });
  await cast(stage, {
    ...Object.fromEntries(types.map((type, at) => [type, [at % 2 ? "caller" : "callee", "sequential", body] as const])),
    ...(through !== undefined && { [through]: ["callee", "interleaved", passOn] as const }),
  });
  const ends = await Promise.allSettled(types.map((type) => ask(stage, type, "out")));
  return ends.map((end) => (end.status === "fulfilled" ? end.value : `${end.reason.code}: ${end.reason.message}`));
}

export function describeRings({ openStage }: Suite): void {
  describe("calls of sequential agents that wait for each other", () => {
    test("end with deadlock for one of two, whose text has the ring, and with an answer for the other", async () => {
      await using stage = await openStage(stuck(20));
      const ends = await ringOf(stage, { a: "b", b: "a" });
      const failed = ends.find((end) => end.startsWith("deadlock"));
      expect(failed).toMatch(/These calls wait for each other: (a\/k → b\/k → a\/k|b\/k → a\/k → b\/k)\./);
      expect(ends.filter((end) => end !== failed)).toEqual([expect.stringMatching(/^[ab] answered$/)]);
    });

    test("end with deadlock for one of four", async () => {
      await using stage = await openStage(stuck(20));
      const ends = await ringOf(stage, { a: "b", b: "c", c: "d", d: "a" });
      expect(ends.filter((end) => end.startsWith("deadlock"))).toHaveLength(1);
      expect(ends.filter((end) => end.endsWith("answered"))).toHaveLength(3);
    });

    test("are found in a ring that goes through an agent which interleaves", async () => {
      await using stage = await openStage(stuck(20));
      const ends = await ringOf(stage, { a: "b", b: "a" }, "between");
      expect(ends.filter((end) => end.startsWith("deadlock"))).toHaveLength(1);
      expect(ends.filter((end) => end.endsWith("answered"))).toHaveLength(1);
    });

    test("fail no call that waits behind a turn which has given up the call that came back to it", async () => {
      await using stage = await openStage(stuck(5));
      const [begun, givenUp, waits, go] = [new Gate(), new Gate(), new Gate(), new Gate()];
      const unwanted = new AbortController();
      const heard = new Gate<string>();
      await cast(stage, {
        a: [
          "callee",
          "sequential",
          async (text, a) => {
            if (text !== "out") return "a had its turn";
            await a.ask("b", "slow", { signal: unwanted.signal }).catch(() => undefined);
            await go.opened;
            return "a is done";
          },
        ],
        b: [
          "caller",
          "sequential",
          async (_text, b, { signal }) => {
            begun.open();
            await new Promise((resolve) => signal.addEventListener("abort", resolve));
            givenUp.open();
            await waits.opened;
            const answer = b.ask("c", "in");
            void answer.then(heard.open, (error: unknown) => heard.open(String(error)));
            return answer;
          },
        ],
        c: [
          "callee",
          "sequential",
          (text, c) => {
            if (text !== "out") return "c had its turn";
            const answer = c.ask("a", "in");
            waits.open();
            return answer;
          },
        ],
      });
      const first = ask(stage, "a", "out");
      await begun.opened;
      unwanted.abort();
      await givenUp.opened;
      const second = ask(stage, "c", "out");
      await waits.opened;
      // When a later ring has been found, the calls above were reported too.
      expect(await ringOf(stage, { x: "y", y: "x" })).toContainEqual(expect.stringMatching(/^deadlock/));
      go.open();
      expect(await Promise.all([first, second])).toEqual(["a is done", "a had its turn"]);
      expect(await heard.opened).toBe("c had its turn");
    });

    test("fail no call that waits behind a turn which has given up the call to an agent that interleaves", async () => {
      await using stage = await openStage(stuck(5));
      const [cBegun, begun, waits, go] = [new Gate(), new Gate(), new Gate(), new Gate()];
      const heard = new Gate<string>();
      const unwanted = new AbortController();
      await cast(stage, {
        a: [
          "callee",
          "sequential",
          async (text, a) => {
            if (text !== "out") return "a had its turn";
            await a.ask("b", "slow", { signal: unwanted.signal }).catch(() => undefined);
            waits.open();
            await go.opened;
            return "a is done";
          },
        ],
        b: [
          "caller",
          "interleaved",
          (_text, b) => {
            const answer = b.ask("c", "in");
            void answer.then(heard.open, (error: unknown) => heard.open(String(error)));
            begun.open();
            return answer;
          },
        ],
        c: [
          "callee",
          "sequential",
          async (text, c) => {
            if (text !== "out") return "c had its turn";
            cBegun.open();
            await waits.opened;
            return c.ask("a", "in");
          },
        ],
      });
      const second = ask(stage, "c", "out");
      await cBegun.opened;
      const first = ask(stage, "a", "out");
      await begun.opened;
      unwanted.abort();
      // When a later ring has been found, the calls above were reported too.
      expect(await ringOf(stage, { x: "y", y: "x" })).toContainEqual(expect.stringMatching(/^deadlock/));
      go.open();
      expect(await Promise.all([first, second])).toEqual(["a is done", "a had its turn"]);
      expect(await heard.opened).toBe("c had its turn");
    });

    test("are found between a turn and the handler of a call that it has given up", async () => {
      await using stage = await openStage(stuck(20));
      const [begun, cameBack] = [new Gate(), new Gate()];
      const unwanted = new AbortController();
      const ends: string[] = [];
      const endOf = (call: Promise<string>) =>
        call.then(
          (answer) => ends.push(answer),
          ({ code }: { readonly code: string }) => ends.push(code),
        );
      await cast(stage, {
        a: [
          "callee",
          "sequential",
          async (text, a, { signal }) => {
            if (text !== "out") return "a had its turn";
            await a.ask("b", "slow", { signal: unwanted.signal }).catch(() => undefined);
            await cameBack.opened;
            await endOf(a.ask("b", "in", { signal }));
            return "a is done";
          },
        ],
        b: [
          "caller",
          "sequential",
          async (text, b, { signal }) => {
            if (text === "in") return "b had its turn";
            begun.open();
            await new Promise((resolve) => signal.addEventListener("abort", resolve));
            const end = endOf(b.ask("a", "in"));
            cameBack.open();
            await end;
            return "b is done";
          },
        ],
      });
      const first = ask(stage, "a", "out");
      await begun.opened;
      unwanted.abort();
      expect(await first).toBe("a is done");
      await ask(stage, "b", "in");
      expect(ends.filter((end) => end === "deadlock")).toHaveLength(1);
      expect(ends.filter((end) => end.endsWith("had its turn"))).toHaveLength(1);
    });

    test("fail no call that waits for a turn which ends by itself", async () => {
      await using stage = await openStage(stuck(5));
      const go = new Gate();
      const begun = new Gate();
      await cast(stage, {
        a: ["callee", "sequential", (text, a, { signal }) => (text === "out" ? a.ask("busy", "in", { signal }) : "a")],
        busy: [
          "callee",
          "sequential",
          async (text) => {
            if (text !== "out") return "had its turn";
            begun.open();
            await go.opened;
            return "done";
          },
        ],
      });
      const first = ask(stage, "busy", "out");
      await begun.opened;
      const second = ask(stage, "a", "out");
      // When a later ring has been found, the call above was reported too.
      expect(await ringOf(stage, { x: "y", y: "x" })).toContainEqual(expect.stringMatching(/^deadlock/));
      go.open();
      expect(await Promise.all([first, second])).toEqual(["done", "had its turn"]);
    });
  });
}
