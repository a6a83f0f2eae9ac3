import { TroupeError } from "../../errors.ts";
import { assertOptions, optionShape } from "../../validation/assert-options.ts";
import { word } from "../../validation/option-kinds.ts";
import { describe, quoted, wrongValue } from "../../validation/option-values.ts";

/** A length of time as a text: `90s`, `30m`, `12h`, `7d`. */
export type Duration = `${number}${"s" | "m" | "h" | "d"}`;

/** When a reminder is due. A number is in milliseconds. */
export type When =
  /** Once, so long after it is set. */
  | { readonly after: number | Duration }
  /** Once, at this time; at once if the time has passed. */
  | { readonly at: Date }
  /** Again and again, at least 1 s apart. All due times count from the first: `from`, or one period after it is set. */
  | { readonly every: number | Duration; readonly from?: Date | undefined }
  /** At the times of a cron pattern, in an IANA time zone such as `Europe/Lisbon`. Default: UTC. Needs `troupe/cron`. */
  | { readonly cron: string; readonly timeZone?: string | undefined };

/** The policy for ticks that were not fired because no process was there. */
export type MissedTicks = "skip" | "once" | "all";

/** Options of `remindMe`. */
export interface ReminderOptions {
  /**
   * Policy for ticks that no process could fire: `skip` fires none, `once` one for all, and `all` each, at most 1 000. Default: `once`.
   * With `skip`, a reminder that is due once and was missed is over.
   */
  readonly missed?: MissedTicks | undefined;
}

/** The reminder that began a turn: `context.reminder`. */
export interface ReminderTickInfo {
  readonly name: string;
  /** When this tick was due; the turn begins later than that, never earlier. */
  readonly dueAt: Date;
  /** 1 with the first tick. */
  readonly tick: number;
  /** Ticks right before this one that were not fired. */
  readonly missed: number;
}

/** A reminder of an agent. */
export interface ReminderInfo {
  readonly name: string;
  /** When it fires next. */
  readonly dueAt: Date;
  /** Undefined: it fires once. */
  readonly repeats: { readonly everyMs: number } | { readonly cron: string; readonly timeZone: string } | undefined;
  readonly missed: MissedTicks;
}

/** Finds the times of cron patterns. `cronPatterns` of `troupe/cron` is one. */
export interface CronPatterns {
  /**
   * Returns the first time of a pattern that is later than `afterMs`, in milliseconds since 1970, or undefined if the pattern never comes again. Throws
   * `invalid-argument` for a pattern or a time zone that it can't read.
   */
  next(pattern: string, timeZone: string, afterMs: number): number | undefined;
}

/** When a reminder is due again, after its first time. */
export type Repetition =
  | { readonly at: "once" }
  | { readonly at: "every"; readonly periodMs: number }
  | { readonly at: "cron"; readonly pattern: string; readonly timeZone: string };

/** Milliseconds between two ticks, at least. */
export const shortestPeriodMs = 1_000;
/** A hundred years. */
const longestMs = 100 * 366 * 24 * 60 * 60 * 1_000;
const unitMs = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;
const durationPattern = /^(\d+(?:\.\d+)?)([smhd])$/;
const optionsShape = optionShape<ReminderOptions>({ missed: word("skip", "once", "all") });

/** Checks the options of `remindMe`. */
export function assertReminderOptions(options: unknown): void {
  assertOptions(options, optionsShape, "remindMe");
}

/** Returns when a reminder that is set now is due first, and how it repeats. Throws `invalid-argument` for invalid times. */
export function firstDue(
  when: When,
  wallMs: number,
  cron: CronPatterns | undefined,
): { readonly dueMs: number; readonly repeats: Repetition } {
  const fields = oneKindOf(when);
  // A clock may know parts of milliseconds; due times are whole, and not early.
  const nowMs = Math.ceil(wallMs);
  if ("after" in fields)
    return { dueMs: withinReach(nowMs + millisecondsOf(fields.after, "after"), nowMs), repeats: once };
  if ("at" in fields) return { dueMs: Math.max(nowMs, withinReach(timeOf(fields.at, "at"), nowMs)), repeats: once };
  if ("every" in fields) return firstOfEvery(fields, nowMs);
  return firstOfCron(fields, nowMs, cron);
}

/** Returns when a reminder is due next after a time at which it was due. Undefined: never. */
export function dueAfter(repeats: Repetition, dueMs: number, cron: CronPatterns | undefined): number | undefined {
  switch (repeats.at) {
    case "once":
      return undefined;
    case "every":
      return dueMs + repeats.periodMs;
    case "cron":
      return neededCron(cron).next(repeats.pattern, repeats.timeZone, dueMs);
  }
}

const once: Repetition = { at: "once" };

function firstOfEvery({ every, from }: Extract<When, { readonly every: unknown }>, nowMs: number) {
  const periodMs = millisecondsOf(every, "every");
  if (periodMs < shortestPeriodMs || periodMs > longestMs) {
    throw invalid(
      `The period of a reminder must be from 1 s to 100 years, not ${typeof every === "number" ? `${every} ms` : describe(every)}`,
    );
  }
  const repeats: Repetition = { at: "every", periodMs };
  if (from === undefined) return { dueMs: nowMs + periodMs, repeats };
  const firstMs = withinReach(timeOf(from, "from"), nowMs);
  const passed = Math.max(0, Math.ceil((nowMs - firstMs) / periodMs));
  return { dueMs: firstMs + passed * periodMs, repeats };
}

function firstOfCron(
  { cron: pattern, timeZone = "UTC" }: Extract<When, { readonly cron: unknown }>,
  nowMs: number,
  cron: CronPatterns | undefined,
) {
  if (typeof pattern !== "string") throw wrongValue('A cron pattern must be a text, such as "0 9 * * 1-5"', pattern);
  if (typeof timeZone !== "string") throw wrongValue('A time zone must be a text, such as "Europe/Lisbon"', timeZone);
  const dueMs = neededCron(cron).next(pattern, timeZone, nowMs);
  if (dueMs === undefined)
    throw invalid(`The cron pattern ${quoted(pattern)} never comes. Correct its day or its month`);
  return { dueMs: withinReach(dueMs, nowMs), repeats: { at: "cron", pattern, timeZone } as const };
}

function neededCron(cron: CronPatterns | undefined): CronPatterns {
  if (cron !== undefined) return cron;
  const how =
    'npm install croner@11, import { cronPatterns } from "troupe/cron", and give the runtime the option cron: cronPatterns';
  throw invalid(`This runtime does not know cron patterns: ${how}`);
}

function oneKindOf(when: unknown): When {
  const hint = 'one of { after: "30m" }, { at: date }, { every: "1h" } and { cron: "0 9 * * 1-5" }';
  if (typeof when !== "object" || when === null) throw wrongValue(`When a reminder is due must be ${hint}`, when);
  const kinds = ["after", "at", "every", "cron"].filter((kind) => Reflect.get(when, kind) !== undefined);
  if (kinds.length !== 1) throw invalid(`When a reminder is due must be ${hint}, and it has ${kinds.length} of them`);
  const [kind = ""] = kinds;
  const allowed: readonly string[] = { every: ["every", "from"], cron: ["cron", "timeZone"] }[kind] ?? [kind];
  const unknown = Object.keys(when).find((name) => !allowed.includes(name) && Reflect.get(when, name) !== undefined);
  if (unknown !== undefined) throw invalid(`A reminder with ${kind} has no ${quoted(unknown)}: write ${hint}`);
  // Exactly one of the four names is there.
  return when as When;
}

function millisecondsOf(value: unknown, name: string): number {
  if (typeof value === "number" && value >= 0 && value <= longestMs) return Math.ceil(value);
  const [, count, unit] = (typeof value === "string" && durationPattern.exec(value)) || [];
  if (count !== undefined && unit !== undefined) {
    // The pattern admits no other unit.
    const ms = Math.ceil(Number(count) * unitMs[unit as keyof typeof unitMs]);
    if (ms <= longestMs) return ms;
  }
  const texts = 'a text such as "90s", "30m", "12h" or "7d"';
  throw wrongValue(`The ${name} of a reminder must be a number of milliseconds, or ${texts}, up to 100 years`, value);
}

function timeOf(value: unknown, name: string): number {
  if (value instanceof Date && Number.isFinite(value.getTime())) return value.getTime();
  throw wrongValue(`The ${name} of a reminder must be a valid Date`, value);
}

function withinReach(dueMs: number, nowMs: number): number {
  if (dueMs - nowMs <= longestMs) return dueMs;
  throw invalid("A reminder must be due within 100 years");
}

function invalid(text: string): TroupeError {
  return new TroupeError("invalid-argument", `${text}.`);
}
