import type { Timer } from "../../core/internal.ts";
import type { HostOccurrence } from "../../host/internal.ts";
import type { AdminHost } from "../admin-host.ts";
import { LatencyHistogram } from "./latency-histogram.ts";
import { TypeActivity, type TypeActivityRow } from "./type-activity.ts";

/** Bounds of what is kept. They are no options, because no user has needed another value yet. */
export const activityLimits = {
  /** Milliseconds of a step, and steps that are kept: five minutes. */
  stepMs: 2_000,
  steps: 150,
  /** Milliseconds for which the host is listened to after it was asked for the last time. */
  lingerMs: 30_000,
} as const;

/** The outcomes within one step of time. */
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

/** Calls and events of a host, as numbers over time. */
export interface ActivityAnswer {
  readonly stepMs: number;
  /** The number of the newest step. It begins anew with the host. */
  readonly step: number;
  /** The oldest first. Only steps that are over. */
  readonly steps: readonly ActivityStep[];
  /** Agent types of the last minute, the slowest first. */
  readonly types: readonly TypeActivityRow[];
}

type Counts = { -readonly [Name in "calls" | "failed" | "abandoned" | "events" | "missed" | "commits"]: number };

interface Step extends Counts {
  readonly startedMs: number;
  readonly time: string;
  readonly durations: LatencyHistogram;
}

/** One time of listening to the host. */
interface Watch {
  readonly end: () => void;
  readonly steps: ActivityStep[];
  readonly types: TypeActivity;
  current: Step;
  timer: Timer;
  askedMs: number;
}

/**
 * Counts the calls and events of a host over time, for operators who watch. It listens to the host from the first question to half a minute
 * after the last one. Otherwise it counts and keeps nothing.
 */
export class Activity {
  readonly #host: Pick<AdminHost, "clock" | "observe">;
  #watch: Watch | undefined;
  #number = 0;

  constructor(host: Pick<AdminHost, "clock" | "observe">) {
    this.#host = host;
  }

  get isListening(): boolean {
    return this.#watch !== undefined;
  }

  /** Returns the steps after the one with this number. The first question begins the listening, and gets none. */
  read(after: number): ActivityAnswer {
    const watch = this.#watch ?? this.#begin();
    this.#watch = watch;
    watch.askedMs = this.#host.clock.now();
    const steps = watch.steps.filter(({ number }) => number > after);
    return { stepMs: activityLimits.stepMs, step: this.#number, steps, types: watch.types.rows(watch.askedMs) };
  }

  /** Counts no more, and forgets all. */
  close(): void {
    this.#watch?.timer.cancel();
    this.#watch?.end();
    this.#watch = undefined;
  }

  #begin(): Watch {
    const { clock } = this.#host;
    const types = new TypeActivity();
    const askedMs = clock.now();
    types.passTo(askedMs);
    const watch: Watch = {
      ...{ steps: [], types, current: this.#newStep(), timer: this.#nextStep(), askedMs },
      end: this.#host.observe((what) => note(what, watch.current, types)),
    };
    return watch;
  }

  #newStep(): Step {
    const { clock } = this.#host;
    return {
      ...{ calls: 0, failed: 0, abandoned: 0, events: 0, missed: 0, commits: 0 },
      ...{ startedMs: clock.now(), time: new Date(clock.wallNow()).toISOString(), durations: new LatencyHistogram() },
    };
  }

  #nextStep(): Timer {
    return this.#host.clock.setTimer(activityLimits.stepMs, () => this.#step(), { keepAlive: false });
  }

  #step(): void {
    const watch = this.#watch;
    if (watch === undefined) return;
    const nowMs = this.#host.clock.now();
    // Exact enough for the calls of a minute. The clock is not asked for each call.
    watch.types.passTo(nowMs);
    if (nowMs - watch.askedMs >= activityLimits.lingerMs) {
      this.close();
      return;
    }
    this.#number += 1;
    const { durations, startedMs, ...counts } = watch.current;
    watch.steps.push({
      ...{ number: this.#number, ms: nowMs - startedMs, ...counts },
      ...{ p50Ms: durations.quantile(0.5) ?? null, p95Ms: durations.quantile(0.95) ?? null },
      maxMs: durations.count === 0 ? null : durations.maxMs,
    });
    if (watch.steps.length > activityLimits.steps) watch.steps.shift();
    watch.current = this.#newStep();
    watch.timer = this.#nextStep();
  }
}

function note(what: HostOccurrence, step: Step, types: TypeActivity): void {
  switch (what.at) {
    case "call": {
      const { ms, targetType, targetId } = what;
      const bucket = LatencyHistogram.bucketOf(ms);
      step.calls += 1;
      if (what.outcome === "failed") step.failed += 1;
      if (what.outcome === "abandoned") step.abandoned += 1;
      step.durations.add(ms, bucket);
      // A type that no worker serves may be anything that a caller writes.
      types.add(targetId === undefined ? undefined : targetType, ms, bucket, what.outcome !== "answered");
      return;
    }
    case "event":
      step.events += 1;
      step.missed += what.missed;
      return;
    case "commit":
      step.commits += 1;
      return;
    default:
  }
}
