import type { CallRecord, Ledger, Run } from "./ledger.ts";

/** Returns the calls of a ring through this one, at that time: each handler waits for the call that it makes. */
export function ringOf(call: CallRecord, ledger: Ledger, ms: number): readonly CallRecord[] | undefined {
  return ringIn(call, ledger, {
    isPending: ({ startedMs, endedMs }) => startedMs < ms && endedMs >= ms,
    isAwaited: (from, { of, run }) => {
      if (!isOpen(run, ms)) return false;
      return from.runs.some((own) => isOpen(own, ms)) ? of === from : waitsBehind(from, run, ledger, ms);
    },
    isMadeBy: (to, run) => to.parentRun === run,
  });
}

/**
 * Returns the calls of a ring through this one, as a host must see it at that time. It differs from what is in two ways. The path of a call
 * without its handler's signal names all handlers of its agent that run. And the word of a worker may be on its way: for the host, a caller
 * waits until it has read that the caller has given the call up; a call waits behind a turn until it has read that the turn has ended.
 */
export function ringAsTold(call: CallRecord, ledger: Ledger, ms: number): readonly CallRecord[] | undefined {
  const { hearing } = ledger;
  return ringIn(call, ledger, {
    isPending: ({ name, startedMs, endedMs }) => startedMs < ms && (endedMs >= ms || hearing.isPending(name, ms)),
    isAwaited: (from, { of, run }) => {
      if (run.begunMs >= ms) return false;
      // The answer of an own run that has ended is on its way.
      if (from.runs.some((own) => isOpen(own, ms)) || of === from) return of === from;
      if (run.endedMs >= ms) return waitsBehind(from, run, ledger, ms);
      return hearing.isBehind(from.name, of.name, ms) && waitsBehind(from, run, ledger, run.endedMs);
    },
    isMadeBy: (to, run) => {
      if (to.parentRun === run) return true;
      if (to.parent === undefined || to.plan.inheritsSignal) return false;
      return to.parent.target.toString() === run.agent && to.process.name === run.process;
    },
  });
}

interface RunOf {
  readonly of: CallRecord;
  readonly run: Run;
}

/** What waits for what at one time. */
interface View {
  isPending(call: CallRecord): boolean;
  /** Whether a pending call waits for a run: of its own handler, or of another one before it. */
  isAwaited(from: CallRecord, running: RunOf): boolean;
  isMadeBy(to: CallRecord, run: Run): boolean;
}

function ringIn(call: CallRecord, ledger: Ledger, view: View): readonly CallRecord[] | undefined {
  const calls = ledger.calls.filter((one) => view.isPending(one));
  if (!calls.includes(call)) return undefined;
  const runs = ledger.calls.flatMap((of) => of.runs.map((run) => ({ of, run })));
  const reachedBy = new Map<CallRecord, CallRecord>();
  const reached = [call];
  for (const from of reached) {
    for (const running of runs) {
      if (!view.isAwaited(from, running)) continue;
      for (const to of calls) {
        if (!view.isMadeBy(to, running.run)) continue;
        if (to === call) return wayTo(from, reachedBy);
        if (reachedBy.has(to)) continue;
        reachedBy.set(to, from);
        reached.push(to);
      }
    }
  }
  return undefined;
}

function isOpen({ begunMs, endedMs }: Run, ms: number): boolean {
  return begunMs < ms && endedMs >= ms;
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

function wayTo(last: CallRecord, reachedBy: ReadonlyMap<CallRecord, CallRecord>): readonly CallRecord[] {
  const way = [last];
  for (let one = reachedBy.get(last); one !== undefined; one = reachedBy.get(one)) way.push(one);
  return way;
}
