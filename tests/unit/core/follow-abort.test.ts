import { getEventListeners } from "node:events";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { expect, test } from "vitest";
import { joinSignals } from "../../../src/core/internal.ts";

setFlagsFromString("--expose-gc");
// The flag adds the function, which collects at once.
const collect = runInNewContext("gc") as () => void;

const listenersOf = ({ signal }: AbortController): number => getEventListeners(signal, "abort").length;

test("a joined signal aborts with the reason of the first that aborts, and leaves the others", () => {
  const [one, two] = [new AbortController(), new AbortController()];
  const { signal } = joinSignals(one.signal, undefined, two.signal);
  const reasons: unknown[] = [];
  signal.addEventListener("abort", () => reasons.push(signal.reason));
  two.abort("second");
  one.abort("first");
  expect(reasons).toEqual(["second"]);
  expect([listenersOf(one), listenersOf(two)]).toEqual([0, 0]);
});

test("a signal that is joined with an aborted one has aborted, and follows none", () => {
  const [one, two] = [new AbortController(), new AbortController()];
  two.abort("before");
  const { signal } = joinSignals(one.signal, two.signal);
  expect([signal.aborted, signal.reason]).toEqual([true, "before"]);
  expect(listenersOf(one)).toBe(0);
});

test("a joined signal that has let go does not abort any more", () => {
  const one = new AbortController();
  const { signal, letGo } = joinSignals(one.signal);
  letGo();
  letGo();
  one.abort();
  expect(signal.aborted).toBe(false);
});

test("many signals joined at once put one listener on their source, and none when all have let go", () => {
  const source = new AbortController();
  const joined = Array.from({ length: 100 }, () => joinSignals(source.signal, new AbortController().signal));
  expect(listenersOf(source)).toBe(1);
  for (const { letGo } of joined) letGo();
  expect(listenersOf(source)).toBe(0);
});

test("a source that lives on keeps no byte of a signal that has let go", () => {
  const source = new AbortController();
  const heapAfter = (count: number): number => {
    for (let n = 0; n < count; n += 1) joinSignals(source.signal).letGo();
    collect();
    return process.memoryUsage().heapUsed;
  };
  const before = heapAfter(5_000);
  // AbortSignal.any leaves 60 bytes or more for each: 3 MB.
  expect(heapAfter(50_000) - before).toBeLessThan(1_500_000);
});
