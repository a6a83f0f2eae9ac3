import type { CallRecord, Ledger, Run } from "./ledger.ts";

/**
 * Returns the calls of a ring through this one, at that time. `as it is`: a handler waits for the call that it makes. `as told`: the path of
 * a call without its handler's signal names all handlers of its agent that run.
 */
export function ringOf(
  call: CallRecord,
  ledger: Ledger,
  ms: number,
  how: "as it is" | "as told",
): readonly CallRecord[] | undefined {
  const calls = ledger.calls.filter(({ startedMs, endedMs }) => startedMs < ms && endedMs >= ms);
  if (!calls.includes(call)) return undefined;
  const running = ledger.calls.flatMap((of) => of.runs.filter(isOpen(ms)).map((run) => ({ of, run })));
  const reachedBy = new Map<CallRecord, CallRecord>();
  const reached = [call];
  for (const from of reached) {
    for (const { of, run } of running) {
      const isAwaited = from.runs.some(isOpen(ms)) ? of === from : waitsBehind(from, run, ledger, ms);
      if (!isAwaited) continue;
      for (const to of calls) {
        if (!isMadeBy(to, run, how)) continue;
        if (to === call) return wayTo(from, reachedBy);
        if (reachedBy.has(to)) continue;
        reachedBy.set(to, from);
        reached.push(to);
      }
    }
  }
  return undefined;
}

function isOpen(ms: number): (run: Run) => boolean {
  return ({ begunMs, endedMs }) => begunMs < ms && endedMs >= ms;
}

/**
 * Whether a call without a handler waits for a turn at the same sequential agent. A turn that waits for the call lets it in. A turn does
 * not wait for what a call goes on to make that it has given up.
 */
function waitsBehind(waiting: CallRecord, run: Run, ledger: Ledger, ms: number): boolean {
  if (run.agent !== waiting.target.toString() || !ledger.sequentialTypes.has(waiting.target.type)) return false;
  for (let one: CallRecord | undefined = waiting; one !== undefined && one.endedMs >= ms; one = one.parent)
    if (one.parentRun === run) return false;
  return true;
}

function isMadeBy(call: CallRecord, run: Run, how: "as it is" | "as told"): boolean {
  if (call.parentRun === run) return true;
  if (how === "as it is" || call.parent === undefined || call.plan.inheritsSignal) return false;
  return call.parent.target.toString() === run.agent && call.process.name === run.process;
}

function wayTo(last: CallRecord, reachedBy: ReadonlyMap<CallRecord, CallRecord>): readonly CallRecord[] {
  const way = [last];
  for (let one = reachedBy.get(last); one !== undefined; one = reachedBy.get(one)) way.push(one);
  return way;
}
