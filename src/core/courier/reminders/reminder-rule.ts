import { TroupeError } from "../../errors.ts";
import {
  type CronPatterns,
  dueAfter,
  firstDue,
  type MissedTicks,
  type ReminderOptions,
  type Repetition,
  shortestPeriodMs,
  type When,
} from "./when.ts";

/** The part of a reminder that its store does not read. It is about the tick that fires next. */
export interface ReminderRule {
  readonly repeats: Repetition;
  readonly missed: MissedTicks;
  /** When the tick is due; an attempt may be later. */
  readonly dueMs: number;
  /** 1 with the first. */
  readonly tick: number;
  /** Ticks right before it that were not fired. */
  readonly unfired: number;
  /** Times in a row that it could not be delivered. */
  readonly waits: number;
  /** Set with `all`: missed ticks up to this time fire. Counting those of a cron pattern is dear, and is done once. */
  readonly allUntilMs?: number | undefined;
  /** Names this setting: ticks of two settings may be due at the same time. Undefined: an older program has set it. */
  readonly setId?: string | undefined;
}

/** The decision about a reminder that is due. */
export type TickDecision =
  /** Fire the tick of this rule. */
  | { readonly at: "fire"; readonly rule: ReminderRule }
  /** Fire nothing; this rule is next. Undefined: the reminder is over. */
  | { readonly at: "skip"; readonly next: ReminderRule | undefined };

/** The times by which a reminder that is due is decided. */
export interface TickMoment {
  readonly nowMs: number;
  /** When this process could fire reminders first. */
  readonly openedMs: number;
  readonly cron: CronPatterns | undefined;
}

/** Missed ticks of a cron pattern that are counted one by one; of every reminder so many are fired at most with `all`. */
const mostMissed = 1_000;
/** Ticks of a cron pattern that are counted in one step. */
const stepTicks = 20;

/** Returns the rule of a reminder that is set now. Throws `invalid-argument` for invalid times. */
export function ruleOf(
  when: When,
  { missed = "once" }: ReminderOptions,
  nowMs: number,
  cron: CronPatterns | undefined,
): ReminderRule {
  return { ...firstDue(when, nowMs, cron), missed, tick: 1, unfired: 0, waits: 0 };
}

export function formatRule({ repeats, missed, dueMs, tick, unfired, waits, allUntilMs, setId }: ReminderRule): string {
  return JSON.stringify({ repeats, missed, dueMs, tick, unfired, waits, allUntilMs, setId });
}

/** Parses the text of `formatRule`. Throws `invalid-argument` for any other text. */
export function parseRule(text: string): ReminderRule {
  let rule: unknown;
  try {
    rule = JSON.parse(text);
  } catch {
    throw unreadable(text);
  }
  if (!isRule(rule)) throw unreadable(text);
  return rule;
}

/**
 * Decides what a reminder that is due fires. A tick is missed if it was due before this process could fire it (`openedMs`), or if a later
 * one is due, too.
 */
export function decideTick(rule: ReminderRule, moment: TickMoment): TickDecision {
  const steps = decidingTick(rule, moment);
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
  }
}

/** As `decideTick`, in steps: many missed ticks of a cron pattern take long. */
export function* decidingTick(
  rule: ReminderRule,
  { nowMs, openedMs, cron }: TickMoment,
): Generator<undefined, TickDecision> {
  const following = dueAfter(rule.repeats, rule.dueMs, cron);
  const isAlone = following === undefined || following > nowMs;
  if (isAlone && (rule.dueMs >= openedMs || rule.missed !== "skip")) return { at: "fire", rule };
  if (rule.allUntilMs !== undefined && rule.dueMs <= rule.allUntilMs) return { at: "fire", rule };
  const due = yield* dueTicks(rule, nowMs, cron);
  switch (rule.missed) {
    case "skip":
      return { at: "skip", next: afterGivingUp(due.newest, cron) };
    case "once":
      return { at: "fire", rule: due.newest };
    case "all":
      return { at: "fire", rule: { ...due.oldest, allUntilMs: due.newest.dueMs } };
  }
}

/** Returns the rule of the tick after this one, or undefined if the reminder is over. */
export function afterFiring(rule: ReminderRule, cron: CronPatterns | undefined): ReminderRule | undefined {
  return following(rule, 0, cron);
}

/** As `afterFiring`, for a tick that was not fired. */
export function afterGivingUp(rule: ReminderRule, cron: CronPatterns | undefined): ReminderRule | undefined {
  return following(rule, rule.unfired + 1, cron);
}

/**
 * Returns the tick that comes next by a wall clock that was set back. That is an earlier one of the same number, if the times between the
 * two were passed while the clock was ahead. Else it is the rule itself.
 */
export function tickBySetBack(rule: ReminderRule, nowMs: number, cron: CronPatterns | undefined): ReminderRule {
  const { repeats, dueMs, tick } = rule;
  if (repeats.at === "once" || dueMs <= nowMs) return rule;
  if (repeats.at === "cron") return { ...rule, dueMs: Math.min(dueMs, dueAfter(repeats, nowMs, cron) ?? dueMs) };
  // The first tick may be far away by its `from`.
  if (tick === 1) return rule;
  const whole = Math.ceil((dueMs - nowMs) / repeats.periodMs) - 1;
  return { ...rule, dueMs: dueMs - whole * repeats.periodMs };
}

function following(rule: ReminderRule, unfired: number, cron: CronPatterns | undefined): ReminderRule | undefined {
  const dueMs = dueAfter(rule.repeats, rule.dueMs, cron);
  return dueMs === undefined ? undefined : { ...rule, dueMs, tick: rule.tick + 1, unfired, waits: 0 };
}

/** Returns the newest tick that is due, and the oldest of the last 1,000. */
function* dueTicks(rule: ReminderRule, nowMs: number, cron: CronPatterns | undefined) {
  const { repeats } = rule;
  if (repeats.at === "every") {
    const after = (count: number) => laterBy(rule, count, rule.dueMs + count * repeats.periodMs);
    const count = Math.floor((nowMs - rule.dueMs) / repeats.periodMs);
    return { oldest: after(Math.max(0, count + 1 - mostMissed)), newest: after(count) };
  }
  const counted = yield* countTo(rule, nowMs, cron);
  if (counted.isAll) return { oldest: rule, newest: counted.rule };
  // Of more missed ticks, only the last ones are looked for. The number of those between is not known, and not counted.
  const fromMs = Math.max(counted.rule.dueMs, nowMs - mostMissed * gapAfter(repeats, nowMs, cron));
  const dueMs = dueAfter(repeats, fromMs, cron);
  if (dueMs === undefined || dueMs > nowMs) return { oldest: counted.rule, newest: counted.rule };
  const oldest = laterBy(counted.rule, 1, dueMs);
  return { oldest, newest: (yield* countTo(oldest, nowMs, cron)).rule };
}

/** Goes from tick to tick up to now, at most 1,000 times. */
function* countTo(rule: ReminderRule, nowMs: number, cron: CronPatterns | undefined) {
  let { dueMs } = rule;
  for (let count = 0; count < mostMissed; count += 1) {
    if (count % stepTicks === stepTicks - 1) yield undefined;
    const next = dueAfter(rule.repeats, dueMs, cron);
    if (next === undefined || next > nowMs) return { rule: laterBy(rule, count, dueMs), isAll: true };
    dueMs = next;
  }
  return { rule: laterBy(rule, mostMissed, dueMs), isAll: false };
}

function laterBy(rule: ReminderRule, count: number, dueMs: number): ReminderRule {
  return { ...rule, dueMs, tick: rule.tick + count, unfired: rule.unfired + count };
}

/** Milliseconds between the next two times of a pattern. */
function gapAfter(repeats: Repetition, nowMs: number, cron: CronPatterns | undefined): number {
  const first = dueAfter(repeats, nowMs, cron);
  const second = first === undefined ? undefined : dueAfter(repeats, first, cron);
  return first === undefined || second === undefined ? 0 : second - first;
}

/** Reads the text of a rule that another process has made. Throws `invalid-argument`. It does not read a cron pattern. */
export function readStoredRule(text: string, dueMs: number): ReminderRule {
  if (text.length > longestRule) throw unreadable(text);
  const rule = parseRule(text);
  const { repeats } = rule;
  const isTooOften = repeats.at === "every" && repeats.periodMs < shortestPeriodMs;
  if (rule.dueMs !== dueMs || isTooOften) throw unreadable(text);
  return rule;
}

/** Characters of the text of a rule. */
const longestRule = 4_096;
/** Characters of the id of a setting, which each message of a tick has. */
const longestSetId = 256;

function isRule(value: unknown): value is ReminderRule {
  if (typeof value !== "object" || value === null) return false;
  const { repeats, missed, dueMs, tick, unfired, waits, setId } = value as Partial<Record<keyof ReminderRule, unknown>>;
  const areNumbers = [dueMs, tick, unfired, waits].every(
    (number) => typeof number === "number" && Number.isFinite(number),
  );
  const isSetIdValid = setId === undefined || (typeof setId === "string" && setId.length <= longestSetId);
  return (
    areNumbers && isSetIdValid && isRepetition(repeats) && (missed === "skip" || missed === "once" || missed === "all")
  );
}

function isRepetition(value: unknown): value is Repetition {
  if (typeof value !== "object" || value === null || !("at" in value)) return false;
  const { at, periodMs, pattern, timeZone } = value as Record<string, unknown>;
  if (at === "once") return true;
  if (at === "every") return typeof periodMs === "number" && periodMs >= 1;
  return at === "cron" && typeof pattern === "string" && typeof timeZone === "string";
}

function unreadable(text: string): TroupeError {
  const shown = JSON.stringify(text.slice(0, 100));
  return new TroupeError("invalid-argument", `A reminder has a rule that this version of Troupe can't read: ${shown}.`);
}
