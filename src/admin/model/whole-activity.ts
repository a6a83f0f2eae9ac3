import type { ActivityRow, RowAtHost } from "../../host/internal.ts";
import { activityLimits } from "./activity.ts";
import { LatencyHistogram } from "./latency-histogram.ts";
import { mostTypes, type TypeActivityRow, type TypeDurations, typeRows } from "./type-activity.ts";

/** The outcomes within one step of time, at all hosts that were asked. */
export interface ActivityStep {
  /** Grows by one with each step. */
  readonly number: number;
  /** When it began. */
  readonly time: string;
  readonly ms: number;
  /** Calls that got their outcome: all, those that the host failed, and those whose caller no longer waited. */
  readonly calls: number;
  readonly failed: number;
  readonly abandoned: number;
  /** Events, and deliveries of them that a worker missed. */
  readonly events: number;
  readonly missed: number;
  readonly commits: number;
  /** Half of the calls took no longer, and 95 of 100. Null: there was none. */
  readonly p50Ms: number | null;
  readonly p95Ms: number | null;
  readonly maxMs: number | null;
}

/** Calls and events of hosts, as numbers over time. */
export interface WholeActivity {
  readonly stepMs: number;
  /** The number of the newest step. Numbers go on over restarts of the host. */
  readonly step: number;
  /** The oldest first. Only steps that are over. */
  readonly steps: readonly ActivityStep[];
  /** Agent types of the last minute, the slowest first. */
  readonly types: readonly TypeActivityRow[];
}

/** Steps by which the numbers of another host may be late, because its clock or its answer is. */
const lateSteps = 1;

/** How many steps a host is asked for by a reader that knows those up to `after`. */
export function stepsAfter(after: number, nowMs: number): number {
  const { stepMs, steps } = activityLimits;
  return Math.max(1, Math.min(steps, newestAt(nowMs, stepMs) - after + 2 * lateSteps));
}

/**
 * Adds what hosts have told, step by step. The time of a step is reckoned back from the answer, so that the clocks of the hosts do not matter. It ends
 * with the newest step that all of them have told, or the one before the newest.
 */
export function wholeActivity(
  rows: readonly RowAtHost<ActivityRow>[],
  { nowMs, after }: { readonly nowMs: number; readonly after: number },
): WholeActivity {
  const { stepMs } = activityLimits;
  const newest = newestAt(nowMs, stepMs);
  const bySteps = new Map<number, ActivityRow[]>();
  const byTypes = new Map<string | null, ActivityRow[]>();
  const ends = new Map<string, number>();
  for (const row of rows) {
    if (row.kind === "type") {
      addTo(byTypes, row.type, row);
      continue;
    }
    const number = Math.floor((nowMs - row.ageMs - Math.min(row.ms, stepMs) / 2) / stepMs);
    const hostId = row.host?.hostId ?? "";
    ends.set(hostId, Math.max(number, ends.get(hostId) ?? 0));
    if (number > after) addTo(bySteps, number, row);
  }
  const step = Math.max(newest - lateSteps, Math.min(newest, ...ends.values()));
  const steps = [...bySteps]
    .filter(([number]) => number <= step)
    .sort(([one], [other]) => one - other)
    .map(([number, parts]) => stepOf(number, parts));
  const types = typeRows([...byTypes].map(([type, parts]) => typeOf(type, parts))).slice(0, mostTypes);
  return { stepMs, step, steps, types };
}

/** The number of the newest step that is over. */
function newestAt(nowMs: number, stepMs: number): number {
  return Math.floor(nowMs / stepMs) - 1;
}

function addTo<Key>(map: Map<Key, ActivityRow[]>, key: Key, row: ActivityRow): void {
  const known = map.get(key);
  if (known === undefined) map.set(key, [row]);
  else known.push(row);
}

function stepOf(number: number, parts: readonly ActivityRow[]): ActivityStep {
  const durations = durationsOf(parts);
  return {
    ...{ number, time: new Date(number * activityLimits.stepMs).toISOString() },
    ms: parts.reduce((longest, { ms }) => Math.max(longest, ms), 0),
    ...{ calls: sumOf(parts, "calls"), failed: sumOf(parts, "failed"), abandoned: sumOf(parts, "abandoned") },
    ...{ events: sumOf(parts, "events"), missed: sumOf(parts, "missed"), commits: sumOf(parts, "commits") },
    ...{ p50Ms: durations.quantile(0.5) ?? null, p95Ms: durations.quantile(0.95) ?? null },
    maxMs: durations.count === 0 ? null : durations.maxMs,
  };
}

function typeOf(type: string | null, parts: readonly ActivityRow[]): TypeDurations {
  return { type: type ?? undefined, failed: sumOf(parts, "failed"), durations: durationsOf(parts) };
}

function durationsOf(parts: readonly ActivityRow[]): LatencyHistogram {
  const durations = new LatencyHistogram();
  for (const { durations: told, maxMs } of parts) durations.addList(told, maxMs);
  return durations;
}

type Counted = "calls" | "failed" | "abandoned" | "events" | "missed" | "commits";

function sumOf(parts: readonly ActivityRow[], name: Counted): number {
  return parts.reduce((sum, part) => sum + part[name], 0);
}
