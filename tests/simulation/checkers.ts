import { hostCallTimeoutMs } from "./host-seat.ts";
import { areServersQuiet, keptCheckers } from "./kept/kept-checkers.ts";
import { Story } from "./kept/story.ts";
import type { CallRecord, EventRecord, Ledger } from "./ledger.ts";
import { ringAsTold, ringOf } from "./rings.ts";
import { streamsAreWhole } from "./streams.ts";

export interface Breach {
  readonly checker: string;
  readonly text: string;
}

type Report = (text: string) => void;

/** What Troupe promises, read off the ledger when all is over. */
export function checkLedger(ledger: Ledger): readonly Breach[] {
  const found: Breach[] = [...ledger.breaches];
  for (const [checker, check] of [...Object.entries(checkers), ...Object.entries(keptCheckers)])
    check(ledger, (text) => found.push({ checker, text }));
  return found;
}

const checkers: { readonly [name: string]: (ledger: Ledger, report: Report) => void } = {
  outcomes: everythingHasAnOutcome,
  answers: answersAreRight,
  once: callsAreHandledOnce,
  failures: failuresHaveACause,
  deadlock: deadlocksAreRings,
  signals: handlersAreToldTheTruth,
  order: eventsComeInOrder,
  events: eventsComeOnceAndOnlyToSubscribers,
  losses: noEventIsLostWithoutAFault,
  streams: (ledger, report) => streamsAreWhole(ledger, (call) => isUndisturbed(call, ledger), report),
};

/** Whose trouble may touch a call: its host, its caller, and all who serve its type. */
function partiesOf({ callerSeat, servers, plan }: CallRecord): readonly string[] {
  const store = plan.kept === undefined ? [] : ["store"];
  return ["host", `w${callerSeat}`, ...store, ...servers.map((seat) => `w${seat}`)];
}

/** Whether nothing has disturbed a call. An operator's drain of its worker does not, as long as another one has the agent. */
function isUndisturbed({ callerSeat, servers, plan, startedAt, endedAt }: CallRecord, ledger: Ledger): boolean {
  const store = plan.kept === undefined ? [] : ["store"];
  return (
    ledger.wereQuiet(["host", `w${callerSeat}`, ...store], startedAt, endedAt) &&
    areServersQuiet(servers, ledger, startedAt, endedAt)
  );
}

/** Whoever still lives has an outcome for all that it asked. */
function everythingHasAnOutcome({ calls, requests }: Ledger, report: Report): void {
  for (const { name, process, outcome, target } of calls) {
    if (process.isAlive && outcome === undefined) report(`${name} of ${process.name} to ${target} never ended`);
  }
  for (const { name, process, isSettled } of requests) {
    if (process?.isAlive !== false && !isSettled) report(`${name} never ended`);
  }
}

/** An answer is the one that the handler gave to this very call, and a handler's error the one that it threw. */
function answersAreRight({ calls }: Ledger, report: Report): void {
  for (const call of calls) {
    const { name, outcome, target, runs } = call;
    if (outcome?.at !== "answered") continue;
    const answer = JSON.stringify(outcome.value);
    const isGiven = runs.some(
      ({ token, agent, ended }) =>
        ended === "answered" &&
        answer === JSON.stringify({ call: name, by: agent, token }) &&
        agent === target.toString(),
    );
    if (!isGiven) report(`${name} to ${target} was answered with ${answer}, which its handler did not say`);
  }
}

function callsAreHandledOnce({ calls }: Ledger, report: Report): void {
  for (const { name, runs, target, plan } of calls) {
    // A persistent agent may begin again what is not stored; the lines of its state are counted.
    if (runs.length > 1 && plan.kept === undefined) report(`${name} was handled ${runs.length} times`);
    for (const { agent } of runs) if (agent !== target.toString()) report(`${name} to ${target} reached ${agent}`);
  }
}

/** An answer is under way for so many milliseconds at most, on lines that don't stall. */
const longestWayMs = 8_000;

/** A call fails for a reason that was there: its own bounds, its handler, or a fault at somebody who had a part in it. */
function failuresHaveACause(ledger: Ledger, report: Report): void {
  for (const call of ledger.calls) {
    const why = whyUnexplained(call, ledger);
    if (why !== undefined) report(`${call.name} to ${call.target} ${why}`);
  }
}

function whyUnexplained(call: CallRecord, ledger: Ledger): string | undefined {
  const { outcome, plan, runs, target, abortedMs, startedMs, endedMs, isBoundByCaller } = call;
  if (outcome?.at !== "failed" || ledger.isRetired(call.process, call.endedAt)) return undefined;
  const { code, text } = outcome;
  const told = `failed with ${code} (${text})`;
  const waitedMs = endedMs - startedMs;
  if (plan.kept?.isRepeated === true && code !== "handler-failed") return undefined;
  const isQuiet = isUndisturbed(call, ledger);
  switch (code) {
    case "handler-failed":
      return runs.some(({ ended }) => ended === "threw") ? undefined : `${told}, and its handler threw nothing`;
    case "cancelled":
      return abortedMs !== undefined ? undefined : `${told}, and nobody cancelled it`;
    case "timed-out": {
      if (isBoundByCaller) return undefined;
      if (waitedMs < Math.min(plan.timeoutMs ?? Number.POSITIVE_INFINITY, hostCallTimeoutMs)) {
        return `${told} after ${waitedMs} ms, too early`;
      }
      const hadEnded = runs.some((run) => run.endedMs < endedMs - longestWayMs);
      // A reader that stalls hears of it late. The checker of streams looks at these.
      return isQuiet && hadEnded && plan.stream === undefined
        ? `${told} though its handler had ended long ago`
        : undefined;
    }
    case "undeliverable":
      if (target.type === "nobody") return undefined;
      return isQuiet ? `${told}, and nothing was broken` : undefined;
    case "overloaded":
      return isQuiet && ledger.overflow().overloadedCalls === 0 ? `${told}, and no queue was full` : undefined;
    case "deadlock":
      // Another checker looks at these.
      return undefined;
    case "state-unknown":
    case "state-unavailable":
      return isQuiet ? `${told}, and the store was well` : undefined;
    case "state-conflict":
      return ledger.kept.hasOtherWriters(target.toString()) || ledger.kept.mayHaveMixed(call) || !isQuiet
        ? undefined
        : `${told}, and nobody else has written`;
    case "disconnected":
    case "shutting-down":
    case "wrong-state":
      if (outcome.isUnhandled && mayMeetChange(call, ledger)) return undefined;
      return isQuiet ? `${told}, and nothing was broken` : undefined;
    default:
      return `${told}, which no caller expects`;
  }
}

/** Whether the call may have come by a connection that its worker leaves for a newer one: then no handler sees it. */
function mayMeetChange({ servers, startedAt, endedAt }: CallRecord, ledger: Ledger): boolean {
  return servers.some((seat) => {
    const isChanging = ledger.changes.some(({ process, at }) => process.name.startsWith(`w${seat}#`) && at < endedAt);
    return isChanging && !ledger.wereQuiet([`w${seat}`], startedAt, endedAt);
  });
}

/** A call that fails as `deadlock` was in a ring, as far as its host could know. No ring waits until the time of its calls is up. */
function deadlocksAreRings(ledger: Ledger, report: Report): void {
  const moments = new Set(ledger.hearing.moments());
  for (const { startedMs, endedMs, runs } of ledger.calls) {
    for (const ms of [startedMs, endedMs, ...runs.flatMap(({ begunMs, endedMs: ended }) => [begunMs, ended])])
      moments.add(ms);
  }
  moments.delete(Number.POSITIVE_INFINITY);
  for (const call of ledger.calls) {
    if (call.outcome?.at !== "failed") continue;
    const { code } = call.outcome;
    const { name, target, startedMs, endedMs } = call;
    if (code === "deadlock") {
      const isRing = [...moments].some((ms) => ms > startedMs && ms <= endedMs && ringAsTold(call, ledger, ms));
      if (!isRing) report(`${name} to ${target} failed as deadlock, and was in no ring`);
    }
    if (code !== "timed-out" || ledger.hasSlots) continue;
    const ring = ringOf(call, ledger, endedMs);
    const before = ringOf(call, ledger, endedMs - longestWayMs);
    // One ring after the other may be found and broken meanwhile.
    if (ring === undefined || before === undefined || ring.some((one) => !before.includes(one))) continue;
    const parties = ring.flatMap(partiesOf);
    const fromMoment = Math.min(...ring.map(({ startedAt }) => startedAt));
    if (!ledger.wereQuiet(parties, fromMoment, call.endedAt)) continue;
    report(`${name} to ${target} timed out in a ring of ${ring.map((one) => one.name).join(", ")}`);
  }
}

/** A handler's signal aborts for a reason that was there, and soon after it. */
function handlersAreToldTheTruth(ledger: Ledger, report: Report): void {
  for (const call of ledger.calls) {
    const { name, runs, plan, abortedMs, isBoundByCaller, startedMs } = call;
    if (plan.behaviour.ends !== "patient") continue;
    const parties = partiesOf(call);
    for (const { told, token, begunMs } of runs) {
      if (told === undefined) continue;
      const isQuiet = ledger.wereQuiet(parties, call.startedAt);
      const why = isQuiet ? whyUntrue(told.code, call) : undefined;
      if (why !== undefined) report(`${token} was told ${told.code} for ${name}, ${why}`);
      const unwantedMs = Math.min(
        abortedMs ?? Number.POSITIVE_INFINITY,
        startedMs + (plan.timeoutMs ?? hostCallTimeoutMs),
      );
      const listensMs = Math.max(unwantedMs, begunMs) + plan.behaviour.delayMs + nestedMs(plan);
      if (isQuiet && !isBoundByCaller && told.atMs > listensMs + longestWayMs) {
        report(`${token} was told ${told.code} for ${name} only after ${told.atMs - unwantedMs} ms`);
      }
    }
  }
}

function whyUntrue(code: string, { abortedMs, isBoundByCaller }: CallRecord): string | undefined {
  switch (code) {
    case "timed-out":
      return undefined;
    case "cancelled":
      return abortedMs !== undefined || isBoundByCaller ? undefined : "and nobody cancelled it";
    default:
      return "and nothing was broken";
  }
}

/** How long a handler may be busy with calls of its own before it listens to its signal. */
function nestedMs({ behaviour }: CallRecord["plan"]): number {
  return behaviour.nested.length * 2 * hostCallTimeoutMs;
}

/**
 * From one publisher to one agent: in the order of publishing. While the worker of either has two connections, what is on its way on one
 * may come behind what goes on the other. The host may also send by the newer one first: for an agent of a shared type, before the worker
 * has registered its other types anew. They hear that event, too.
 */
function eventsComeInOrder({ events, changes }: Ledger, report: Report): void {
  const heard = new Map<string, { readonly at: number; readonly event: EventRecord; readonly receiver: string }[]>();
  for (const event of events) {
    for (const { process, agent, at } of event.receipts) {
      // Events of a turn leave when that is stored: each agent's own keep their order.
      const way = `${event.turn === undefined ? event.process.name : event.sender} to ${agent} in ${process}`;
      heard.set(way, [...(heard.get(way) ?? []), { at, event, receiver: process }]);
    }
  }
  for (const [way, list] of heard) {
    const heardInOrder = list.sort((one, other) => one.at - other.at);
    for (const [index, { event, receiver }] of heardInOrder.entries()) {
      const { event: before, at: heardAt } = heardInOrder[index - 1] ?? { at: 0 };
      if (before === undefined || before.order < event.order) continue;
      const hasChanged = changes.some(({ process, at, endedAt }) => {
        // It may have gone by a connection that is slower, and the other one later by the other connection.
        const isOfEither = process === event.process || process.name === receiver;
        return isOfEither && at < heardAt && event.publishedAt < endedAt;
      });
      if (!hasChanged) report(`${way}: ${event.name} came after ${before.name}`);
    }
  }
}

function eventsComeOnceAndOnlyToSubscribers({ events, subscriptions }: Ledger, report: Report): void {
  for (const event of events) {
    const seen = new Set<string>();
    for (const { agent, process, seat, at } of event.receipts) {
      const receiver = `${agent} in ${process}`;
      if (seen.has(receiver)) report(`${event.name} came to ${receiver} twice`);
      seen.add(receiver);
      if (agent === String(event.sender)) report(`${event.name} came back to its sender ${agent}`);
      const isWanted = subscriptions.some(
        (one) =>
          one.seat === seat &&
          one.matches(event.topic) &&
          one.asked < at &&
          (one.to ?? Number.POSITIVE_INFINITY) > event.publishedAt,
      );
      if (!isWanted) report(`${event.name} on ${event.topic} came to ${receiver}, which had no subscription`);
    }
  }
}

/** An event reaches every subscriber, unless something broke after it was published, or had not recovered yet. */
function noEventIsLostWithoutAFault(ledger: Ledger, report: Report): void {
  const lost = lostEvents(ledger);
  // Dropped and counted.
  if (lost.length > ledger.overflow().droppedEvents) for (const text of lost) report(text);
}

function lostEvents(ledger: Ledger): readonly string[] {
  const lost: string[] = [];
  const story = new Story(ledger.kept);
  for (const event of ledger.events) {
    if (event.outcome !== "published" || !event.process.isAlive) continue;
    if (event.turn !== undefined && !story.isKept(event.turn)) continue;
    for (const one of ledger.subscriptions) {
      if (ledger.isKeptType(one.agentType)) continue;
      if (ledger.hasEnded(one.to) || one.confirmed === undefined || one.confirmed > event.publishedAt) continue;
      const agent = `${one.agentType}/news`;
      if (!one.matches(event.topic) || agent === String(event.sender)) continue;
      // A store that can't say whether it has written the turn takes its events with it.
      const store = event.turn === undefined ? [] : ["store"];
      const parties = ["host", ...store, `w${event.seat}`, `w${one.seat}`];
      if (!ledger.wereQuiet(parties, event.publishedAt)) continue;
      const isHeard = event.receipts.some((receipt) => receipt.agent === agent && receipt.process === one.process.name);
      if (!isHeard) lost.push(`${event.name} on ${event.topic} never came to ${agent} in ${one.process.name}`);
    }
  }
  return lost;
}
