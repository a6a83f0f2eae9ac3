import { getEventListeners } from "node:events";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { expect, test } from "vitest";
import { AgentId, type CallScope, SingleThreadedAgentRuntime, scopeOf, withScope } from "../../../src/core/index.ts";

setFlagsFromString("--expose-gc");
// The flag adds the function, which collects at once.
const collect = runInNewContext("gc") as () => void;

const scope: CallScope = {
  agentId: new AgentId("type", "key"),
  runtime: new SingleThreadedAgentRuntime(),
  deadline: undefined,
  path: [],
  depth: 0,
};

test("withScope joins signals: the first that aborts gives its reason, and the scope is there", () => {
  const [one, two] = [new AbortController(), new AbortController()];
  const signal = withScope([one.signal, two.signal], scope);
  expect(scopeOf(signal)).toBe(scope);
  expect([scopeOf(one.signal), scopeOf(two.signal)]).toEqual([undefined, undefined]);
  two.abort("second");
  one.abort("first");
  expect(signal.reason).toBe("second");
  expect(withScope(one.signal, scope).reason).toBe("first");
  // A program in JavaScript may pass anything.
  expect(() => withScope([one.signal, "x" as unknown as AbortSignal], scope)).toThrow("must be an AbortSignal");
});

test("a signal with a scope that only its listener keeps aborts, however often the memory is collected", async () => {
  const source = new AbortController();
  const reasons: unknown[] = [];
  (() => {
    const signal = withScope(source.signal, scope);
    signal.addEventListener("abort", function (this: AbortSignal) {
      reasons.push(this.reason);
    });
  })();
  for (let n = 0; n < 5; n += 1) {
    collect();
    await new Promise(setImmediate);
  }
  source.abort("late");
  expect(reasons).toEqual(["late"]);
});

test("a signal that lives on keeps nothing of the signals with a scope that are garbage", async () => {
  const source = new AbortController();
  const heapAfter = async (count: number): Promise<number> => {
    for (let n = 0; n < count; n += 1) withScope(source.signal, scope);
    do {
      collect();
      await new Promise(setImmediate);
    } while (getEventListeners(source.signal, "abort").length > 0);
    return process.memoryUsage().heapUsed;
  };
  const before = await heapAfter(15_000);
  for (let n = 0; n < 5; n += 1) await heapAfter(15_000);
  // Each that the source keeps takes 70 bytes: 6 MB.
  expect((await heapAfter(15_000)) - before).toBeLessThan(2_500_000);
});
