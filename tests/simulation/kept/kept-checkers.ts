import { compareEpochs } from "../../../src/core/internal.ts";
import { type CallRecord, type Ledger, sharedPart } from "../ledger.ts";
import { drainedWorkersHaveNoAgents } from "./drain-checker.ts";
import { endsTurns } from "./kept-agent.ts";
import type { Turn, Written } from "./kept-ledger.ts";
import { Story } from "./story.ts";

type Report = (text: string) => void;

/** What Troupe promises of persistent agents. */
export const keptCheckers: { readonly [name: string]: (ledger: Ledger, report: Report) => void } = {
  versions: statesGrowLineByLine,
  state: answersAreWritten,
  unchanged: failedCallsChangeNothing,
  single: agentsAreInOnePlace,
  once: causesCountOnce,
  effects: effectsGoWithTheirTurn,
  told: toldMessagesAreHandled,
  reminders: remindersFire,
  "kept order": callsKeepTheirOrder,
  life: activationsBeginAndEnd,
  drains: drainedWorkersHaveNoAgents,
};

/** Revisions rise by one, epochs never fall, and each state is the one before and some lines more. */
function statesGrowLineByLine({ kept }: Ledger, report: Report): void {
  const eTags = new Set<string>();
  for (const [agent, all] of kept.written) {
    let before: Written | undefined;
    let revision = 0;
    let list: readonly string[] = [];
    for (const written of all) {
      const named = `revision ${written.revision} of ${agent}`;
      const { epoch } = written;
      if (epoch !== undefined && before?.epoch !== undefined && compareEpochs(before.epoch, epoch) > 0)
        report(`${named} was written under an older epoch than the one before`);
      if (epoch !== undefined) before = written;
      if (written.write === "delete") [revision, list] = [0, []];
      if (written.write !== "put") continue;
      if (written.revision !== revision + 1) report(`${named} followed revision ${revision}`);
      if (eTags.has(written.eTag)) report(`${named} has the eTag of another`);
      eTags.add(written.eTag);
      const lost = list.find((line, index) => written.list[index] !== line);
      if (lost !== undefined) report(`${named} has lost or moved the line ${lost}, which was stored`);
      const twice = written.list.find((line, index) => written.list.indexOf(line) !== index);
      if (twice !== undefined) report(`${named} has the line ${twice} twice`);
      [revision, list] = [written.revision, written.list];
    }
  }
  for (const { agent, line, isSaved } of kept.stockSaves) {
    const isThere = kept.written.get(agent)?.some((written) => written.list.includes(line)) === true;
    if (isSaved && !isThere) report(`${line} of ${agent}, which a stock client was told to be saved, was never stored`);
  }
}

/** An answer is never ahead of the stored state, and the run that gave it stands there once. */
function answersAreWritten(ledger: Ledger, report: Report): void {
  const story = new Story(ledger.kept);
  for (const { name, target, plan, outcome, endedAt } of ledger.calls) {
    if (plan.kept === undefined || plan.kept.reads || outcome?.at !== "answered") continue;
    const token = tokenOf(outcome.value);
    const turn = token === undefined ? undefined : story.turn(token);
    if (turn === undefined) {
      report(`${name} to ${target} was answered by no turn: ${JSON.stringify(outcome.value)}`);
      continue;
    }
    const writtenAt = story.writtenAt(turn);
    if (writtenAt === undefined) report(`${name} to ${target} was answered by ${turn.token}, which was never stored`);
    else if (writtenAt > endedAt) report(`${name} to ${target} was answered before ${turn.token} was stored`);
  }
  for (const turn of ledger.kept.turns) {
    if (turn.ended === "badly" && story.writtenAt(turn) !== undefined && !story.isExposed(turn))
      report(`${turn.token} of ${turn.agent} failed, and its line was stored`);
    if (turn.isReading && story.writtenAt(turn) !== undefined)
      report(`${turn.token} of ${turn.agent} only reads, and its line was stored`);
  }
}

/** Outcomes after which the turn may have been written, by what the caller itself has decided or by what nobody can know. */
const unsureCodes: ReadonlySet<string> = new Set(["cancelled", "timed-out", "state-unknown"]);

/** The same of calls whose answers come in parts: that leaves behind the commit, and its reader may not take the chunks before it. */
const unsureCodesOfStreams: ReadonlySet<string> = new Set(["disconnected", "overloaded"]);

/** A call that fails while its host and its caller's line live has changed nothing, but for the codes that say so. */
function failedCallsChangeNothing(ledger: Ledger, report: Report): void {
  const story = new Story(ledger.kept);
  const turnsOf = groupBy(ledger.kept.turns, ({ call }) => call?.name);
  const hasArrived = arrivalsOf(ledger);
  for (const call of ledger.calls) {
    const { plan, outcome, name, target } = call;
    if (plan.kept === undefined || plan.kept.isRepeated || outcome?.at !== "failed") continue;
    if (unsureCodes.has(outcome.code) || call.isBoundByCaller) continue;
    if (plan.stream !== undefined && unsureCodesOfStreams.has(outcome.code)) continue;
    if (!ledger.wereQuiet(["host", `w${call.callerSeat}`], call.startedAt, call.endedAt)) continue;
    if (ledger.isRetired(call.process, call.endedAt)) continue;
    for (const turn of turnsOf.get(name) ?? []) {
      if (story.isExposed(turn)) continue;
      // The turn for which it waited had ended before its worker heard of the ring.
      if (outcome.code === "deadlock" && turn.begunAt > call.endedAt) continue;
      const told = `${name} to ${target} failed with ${outcome.code} (${outcome.text})`;
      if (story.hasLeftTrace(turn)) report(`${told}, and ${turn.token} was stored`);
      const effect = turn.effects.find(
        (one) => hasArrived(one) && !story.hasLeftInside(turn, effectMoment(ledger, one) ?? Number.POSITIVE_INFINITY),
      );
      if (effect !== undefined) report(`${told}, and ${effect} of ${turn.token} left`);
    }
  }
}

/** Turns of one agent do not overlap in two activations while nothing is broken; of those that overlap one is never stored. */
function agentsAreInOnePlace(ledger: Ledger, report: Report): void {
  const story = new Story(ledger.kept);
  for (const [agent, turns] of groupBy(ledger.kept.turns, (turn) => turn.agent)) {
    for (const [index, later] of turns.entries()) {
      for (const earlier of turns.slice(0, index)) {
        if (earlier.activation === later.activation) continue;
        const overlap = earlier.endedAt > later.begunAt && earlier.activation.process.isAlive;
        const [one, other] = [story.writtenAt(earlier), story.writtenAt(later)];
        const bothCount = one !== undefined && other !== undefined && !story.hasDeleted(agent);
        if (bothCount && one > later.begunAt && other > earlier.begunAt)
          report(`${earlier.token} and ${later.token} of ${agent} overlapped in two activations, and both were stored`);
        if (!overlap || mayOverlap(earlier, later, ledger)) continue;
        const places = `${earlier.activation.name} and ${later.activation.name}`;
        report(`${later.token} of ${agent} began while ${earlier.token} ran elsewhere (${places})`);
      }
    }
  }
}

/** The first activation is one that its runtime has given up, or whose worker the host has lost. */
function mayOverlap(earlier: Turn, later: Turn, ledger: Ledger): boolean {
  const { reason, deactivatedAt = Number.POSITIVE_INFINITY } = earlier.activation;
  if (endsTurns(reason) && deactivatedAt < later.begunAt) return true;
  if (earlier.activation.process === later.activation.process && earlier.activation.reason !== undefined) return false;
  const servers = seatsOf(earlier.agent, ledger).map((seat) => `w${seat}`);
  // An operator's drain is no reason, whoever is left.
  const parties = ["host", "store", ...(servers.length > 1 ? servers.map(sharedPart) : servers)];
  return !ledger.wereQuiet(parties, earlier.activation.madeAt, later.begunAt);
}

/** Whether nothing has disturbed those that serve a type. An operator's drain of one does not, as long as another one has the agents. */
export function areServersQuiet(servers: readonly number[], ledger: Ledger, from: number, to: number): boolean {
  const names = servers.map((seat) => `w${seat}`);
  const mayBeDrained = names.length > 1 && names.some((name) => ledger.wereQuiet([name], from, to));
  return ledger.wereQuiet(mayBeDrained ? names.map(sharedPart) : names, from, to);
}

/** A call, an event, a told message, a tick: each has one line, however often it came. */
function causesCountOnce({ kept }: Ledger, report: Report): void {
  const story = new Story(kept);
  for (const [agent, all] of kept.written) {
    for (const { list: lines, revision } of all) {
      // A turn that fails after a part of it was stored may come again.
      const list = lines.filter((line) => !story.mayComeAgain(line));
      const causes = list.map((line) => line.slice(0, line.indexOf("@")));
      const twice = causes.find((cause, index) => causes.indexOf(cause) !== index);
      if (twice === undefined) continue;
      report(
        `${twice} stands twice in revision ${revision} of ${agent}: ${list.filter((line) => line.startsWith(`${twice}@`)).join(", ")}`,
      );
      break;
    }
  }
}

/** What a turn publishes, tells or sets leaves if, and only if, the turn is stored. */
function effectsGoWithTheirTurn(ledger: Ledger, report: Report): void {
  const { kept } = ledger;
  const story = new Story(kept);
  const hasArrived = arrivalsOf(ledger);
  for (const turn of kept.turns) {
    if (turn.effects.length === 0 || story.hasWritten(turn)) continue;
    for (const effect of turn.effects)
      if (hasArrived(effect)) report(`${effect} of ${turn.token} left, and the turn was never stored`);
  }
}

/** Tells of an event, a told message or a reminder of a turn whether some agent had it. */
function arrivalsOf(ledger: Ledger): (effect: string) => boolean {
  const handled = new Set(ledger.kept.turns.map(({ cause }) => cause.split(".")[0]));
  return (effect) => {
    const event = ledger.eventNamed(effect);
    const isHeard = event !== undefined && event.receipts.length + event.keptReceipts.length > 0;
    return isHeard || handled.has(effect);
  };
}

/** When a turn published an event, told a message or set a reminder. */
function effectMoment(ledger: Ledger, effect: string): number | undefined {
  const { kept } = ledger;
  return ledger.eventNamed(effect)?.publishedAt ?? kept.tellNamed(effect)?.toldAt ?? kept.reminderNamed(effect)?.setAt;
}

/** A told message that was kept is handled once in the end. */
function toldMessagesAreHandled({ kept }: Ledger, report: Report): void {
  const story = new Story(kept);
  for (const { name, agent, turn, outcome, toldAt } of kept.tells) {
    const isKept = turn === undefined ? outcome === "kept" : story.isKept(turn);
    if (!isKept || story.hasDeleted(agent, turn?.begunAt ?? toldAt)) continue;
    if (!story.has(agent, name)) report(`${name} was told to ${agent} and never handled`);
  }
  for (const letter of kept.deadLetters) report(`a dead letter: ${letter}`);
}

/** A reminder fires until it is cancelled, replaced or over, and not after a cancellation that is stored. */
function remindersFire({ kept }: Ledger, report: Report): void {
  const story = new Story(kept);
  for (const { name, agent, place, turn, setAt } of kept.reminders) {
    if (!story.isKept(turn)) continue;
    const settled = story.effectAt(turn, setAt);
    const endings = endingsOf(kept, agent, place)
      .filter(({ at }) => at !== setAt)
      .map((ending) => ({ ...ending, writtenAt: story.effectAt(ending.turn, ending.at) }))
      .filter(({ at, writtenAt }) => writtenAt > settled || (writtenAt === settled && at > setAt));
    if (endings.length === 0 && !story.hasDeleted(agent, turn.begunAt) && !story.has(agent, name))
      report(`${name}, which ${turn.token} set, never fired`);
    const endedAt = Math.min(
      ...endings.filter((ending) => story.isKept(ending.turn)).map(({ writtenAt }) => writtenAt),
    );
    for (const tick of kept.turns) {
      const writtenAt = story.writtenAt(tick) ?? 0;
      // A deletion after the end of the activation does not say that the tick was stored.
      const { deactivatedAt = Number.POSITIVE_INFINITY } = tick.activation;
      const isCertain = story.hasLeftTrace(tick) || writtenAt < deactivatedAt;
      const isLate = tick.cause.startsWith(`${name}.`) && isCertain && writtenAt > endedAt;
      if (isLate) report(`${tick.token} was stored after its reminder had been cancelled or replaced`);
    }
  }
}

/** The turns that cancel or replace a reminder in that place, and when they did. */
function endingsOf({ turns, reminders }: Ledger["kept"], agent: string, place: string) {
  const cancels = turns
    .filter((turn) => turn.agent === agent)
    .flatMap((turn) => turn.cancels.filter((one) => one.place === place).map(({ at }) => ({ turn, at })));
  const sets = reminders.filter((one) => one.agent === agent && one.place === place);
  return [...cancels, ...sets.map(({ turn, setAt }) => ({ turn, at: setAt }))];
}

/**
 * One caller's calls to one agent have their turns in the order in which they were sent, as long as nothing breaks. While a worker changes its
 * connection, what is on its way on the older one may come behind what goes on the newer one.
 */
function callsKeepTheirOrder(ledger: Ledger, report: Report): void {
  const story = new Story(ledger.kept);
  const first = new Map<string, Turn>();
  for (const turn of ledger.kept.turns) {
    if (turn.call !== undefined && !first.has(turn.call.name)) first.set(turn.call.name, turn);
  }
  const calls = ledger.calls.filter(({ plan, parent, outcome }) => {
    return plan.kept !== undefined && !plan.kept.isRepeated && parent === undefined && outcome?.at === "answered";
  });
  for (const [index, later] of calls.entries()) {
    for (const earlier of calls.slice(0, index)) {
      if (earlier.process !== later.process || !earlier.target.equals(later.target)) continue;
      const [one, other] = [first.get(earlier.name), first.get(later.name)];
      if (one === undefined || other === undefined || one.begunAt < other.begunAt) continue;
      const [from, to] = [earlier.startedAt, later.endedAt];
      const isQuiet = ledger.wereQuiet(["host", "store", `w${earlier.callerSeat}`], from, to);
      if (!isQuiet || !areServersQuiet(earlier.servers, ledger, from, to)) continue;
      if (story.hasConflicts(earlier.target.toString()) || mayMeetChange(later, ledger, from)) continue;
      report(`${later.name} of ${later.process.name} had its turn at ${later.target} before ${earlier.name}`);
    }
  }
}

/** Whether one of those that serve a call had two connections between that moment and the end of the call. */
function mayMeetChange({ servers, endedAt: to }: CallRecord, { changes }: Ledger, from: number): boolean {
  const names = servers.map((seat) => `w${seat}#`);
  return changes.some(({ process, at, endedAt }) => {
    return at < to && endedAt > from && names.some((name) => process.name.startsWith(name));
  });
}

/** No turn of an activation before it was activated, none after its end: that was seen at once. The end comes once and late enough. */
function activationsBeginAndEnd({ kept }: Ledger, report: Report): void {
  for (const turn of kept.turns) {
    const { deactivatedAt, reason, name } = turn.activation;
    if (deactivatedAt === undefined || endsTurns(reason) || turn.endedAt <= deactivatedAt) continue;
    if (turn.activation.process.isAlive) report(`${name} was deactivated (${reason}) while ${turn.token} ran`);
  }
}

function seatsOf(agent: string, ledger: Ledger): readonly number[] {
  return ledger.serversOf(agent.slice(0, agent.indexOf("/")));
}

function groupBy<Key, Value>(values: readonly Value[], keyOf: (value: Value) => Key): Map<Key, Value[]> {
  const groups = new Map<Key, Value[]>();
  for (const value of values) {
    const group = groups.get(keyOf(value)) ?? [];
    groups.set(keyOf(value), group);
    group.push(value);
  }
  return groups;
}

function tokenOf(answer: unknown): string | undefined {
  if (typeof answer !== "object" || answer === null || !("token" in answer)) return undefined;
  return String(answer.token);
}
