import type { Ledger } from "../ledger.ts";
import { sharedPart } from "../ledger.ts";
import type { DrainRecord } from "./kept-ledger.ts";

/** A notice and its answer take so long at most, on lines that don't stall. */
const longestWayMs = 8_000;
/** Hosts look for what is left now and then. */
const slackMs = 1_000;

/**
 * An operator's drain ends in its time. Then the worker has no agent of a shared type and no turn of one, until it starts again. The host
 * takes away no agent that had the time to leave.
 */
export function drainedWorkersHaveNoAgents(ledger: Ledger, report: (text: string) => void): void {
  for (const drain of ledger.kept.drains) {
    const { name, seat, outcome, beganAt, beganMs, endedAt, endedMs } = drain;
    if (outcome === undefined) continue;
    const dueMs = dueOf(drain, ledger);
    if (endedMs > dueMs + slackMs) report(`${name} took ${endedMs - beganMs} ms, and had ${dueMs - beganMs}`);
    if (outcome.at !== "drained") continue;
    if (outcome.revokedAgents === 0) for (const text of left(drain, ledger)) report(text);
    // The drain itself disturbs nothing but the worker's own types.
    const parties = ["host", "store", sharedPart(`w${seat}`)];
    if (outcome.revokedAgents === 0 || dueMs - beganMs <= longestWayMs) continue;
    const wereQuiet = ledger.wereQuiet(parties, beganAt, endedAt);
    const wereBusy = sharedTurns(drain, ledger).some(({ endedMs: turnMs }) => turnMs > dueMs - longestWayMs);
    if (wereQuiet && !wereBusy)
      report(`${name} took ${outcome.revokedAgents} agents away, and all had been free to leave`);
  }
}

/** Says what of the worker's shared types was there after the drain, or began. */
function left(drain: DrainRecord, ledger: Ledger): readonly string[] {
  const { name, process, endedAt } = drain;
  const { activations, starts } = ledger.kept;
  const startsAgainAt =
    starts.find((start) => start.process === process && start.at > endedAt)?.at ?? Number.POSITIVE_INFINITY;
  // A worker whose connection was lost meanwhile has not heard of it, and may come back. One that goes from another host to this one may still
  // have agents that the other has placed: they end with its connection there.
  const parties = ["host", sharedPart(`w${drain.seat}`)];
  const live = activations.filter(
    ({ process: place, agent, activatedAt, deactivatedAt }) =>
      place === process &&
      isShared(agent, ledger) &&
      (activatedAt ?? Number.POSITIVE_INFINITY) < endedAt &&
      (deactivatedAt ?? Number.POSITIVE_INFINITY) > endedAt &&
      ledger.wereQuiet(parties, drain.beganAt, endedAt),
  );
  const begun = sharedTurns(drain, ledger).filter(
    ({ begunAt }) => begunAt > endedAt && begunAt < startsAgainAt && ledger.wereQuiet(parties, drain.beganAt, begunAt),
  );
  return [
    ...live.map((one) => `${name} has ended, and ${one.name} of ${one.agent} is live`),
    ...begun.map(({ token, agent }) => `${name} had ended, and then ${token} of ${agent} began`),
  ];
}

/**
 * When the host takes the rest away: by the last word that an operator has said about this worker, which may be sooner than the words before.
 * What is said to another host counts there alone, and what is said to a host that does not know the worker counts nowhere: it has no outcome.
 */
function dueOf(drain: DrainRecord, ledger: Ledger): number {
  const { host, process, endedAt } = drain;
  const said = ledger.kept.drains.filter(
    (one) => one.host === host && one.process === process && one.beganAt < endedAt && one.outcome !== undefined,
  );
  const { beganMs, graceMs } = said.at(-1) ?? drain;
  return beganMs + graceMs;
}

/** Turns of agents of shared types in the worker's process. */
function sharedTurns({ process }: DrainRecord, ledger: Ledger) {
  return ledger.kept.turns.filter(({ activation, agent }) => activation.process === process && isShared(agent, ledger));
}

function isShared(agent: string, ledger: Ledger): boolean {
  return ledger.serversOf(agent.slice(0, agent.indexOf("/"))).length > 1;
}
