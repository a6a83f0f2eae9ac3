import type { Timer } from "../../core/internal.ts";
import { type ActivityRow, type HostOccurrence, isOtherHost, type KeptActivity } from "../../host/internal.ts";
import type { AdminHost } from "../admin-host.ts";
import { LatencyHistogram } from "./latency-histogram.ts";
import { TypeActivity, type TypeDurations } from "./type-activity.ts";

/** Bounds of what is kept. They are no options, because no user has needed another value yet. */
export const activityLimits = {
  /** Milliseconds of a step, and steps that are kept: five minutes. */
  stepMs: 2_000,
  steps: 150,
  /** Milliseconds for which the host is listened to after it was asked for the last time. */
  lingerMs: 30_000,
} as const;

/** The places of agent types begin behind those of all steps. */
const firstType = 1_000;

type Counts = { -readonly [Name in "calls" | "failed" | "abandoned" | "events" | "missed" | "commits"]: number };

/** Counts what has happened in one step: of the callers and publishers of this host, or of those of other hosts. */
interface Tally extends Counts {
  readonly durations: LatencyHistogram;
}

interface Step {
  readonly startedMs: number;
  readonly own: Tally;
  readonly forwarded: Tally;
}

/** A step that is over. */
interface KeptStep {
  readonly endedMs: number;
  readonly own: StepFacts;
  /** Undefined: no call came from another host. */
  readonly forwarded: StepFacts | undefined;
}

type StepFacts = Omit<ActivityRow, "number" | "ageMs">;

/** One time of listening to the host. */
interface Watch {
  readonly end: () => void;
  readonly steps: KeptStep[];
  /** The types of calls of this host's callers, and of those that came from other hosts. */
  readonly types: TypeActivity;
  readonly forwardedTypes: TypeActivity;
  current: Step;
  timer: Timer;
  askedMs: number;
}

/**
 * Counts the calls and events of a host over time, for operators who watch. It listens to the host from the first question to half a minute
 * after the last one. Otherwise it counts and keeps nothing. Steps begin at whole multiples of their length since 1970, so that those of
 * several hosts can be added.
 */
export class Activity implements KeptActivity {
  readonly #host: Pick<AdminHost, "clock" | "observe">;
  /** Milliseconds from the start of the clock to 1970. They stay the same, though the time of the machine is set. */
  readonly #sinceMs: number;
  #watch: Watch | undefined;

  constructor(host: Pick<AdminHost, "clock" | "observe">) {
    this.#host = host;
    this.#sinceMs = host.clock.wallNow() - host.clock.now();
  }

  get isListening(): boolean {
    return this.#watch !== undefined;
  }

  /** Milliseconds since 1970, which never go back. */
  get nowMs(): number {
    return this.#sinceMs + this.#host.clock.now();
  }

  /** The first question begins the listening, and gets none. */
  rows({ steps, withForwarded }: Parameters<KeptActivity["rows"]>[0]): readonly ActivityRow[] {
    const watch = this.#watch ?? this.#begin();
    this.#watch = watch;
    const nowMs = this.#host.clock.now();
    watch.askedMs = nowMs;
    const ofSteps = watch.steps.slice(steps === 0 ? watch.steps.length : -steps).flatMap((step) => {
      const facts = withForwarded && step.forwarded !== undefined ? [step.own, step.forwarded] : [step.own];
      return facts.map((one) => ({ ...one, ageMs: nowMs - step.endedMs }));
    });
    const types = [...watch.types.durations(nowMs), ...(withForwarded ? watch.forwardedTypes.durations(nowMs) : [])];
    return [
      ...ofSteps.map((row, at) => ({ ...row, number: at + 1 })),
      ...slowestFirst(types).map((one, at) => ({ ...factsOfType(one), number: firstType + at })),
    ];
  }

  /** Counts no more, and forgets all. */
  close(): void {
    this.#watch?.timer.cancel();
    this.#watch?.end();
    this.#watch = undefined;
  }

  #begin(): Watch {
    const { clock } = this.#host;
    const [types, forwardedTypes] = [new TypeActivity(), new TypeActivity()];
    const askedMs = clock.now();
    for (const one of [types, forwardedTypes]) one.passTo(askedMs);
    const watch: Watch = {
      ...{ steps: [], types, forwardedTypes, current: this.#newStep(), timer: this.#nextStep(), askedMs },
      end: this.#host.observe((what) => note(what, watch)),
    };
    return watch;
  }

  #newStep(): Step {
    return { startedMs: this.#host.clock.now(), own: newTally(), forwarded: newTally() };
  }

  #nextStep(): Timer {
    const { stepMs } = activityLimits;
    return this.#host.clock.setTimer(stepMs - (this.nowMs % stepMs), () => this.#step(), { keepAlive: false });
  }

  #step(): void {
    const watch = this.#watch;
    if (watch === undefined) return;
    const nowMs = this.#host.clock.now();
    // Exact enough for the calls of a minute. The clock is not asked for each call.
    watch.types.passTo(nowMs);
    watch.forwardedTypes.passTo(nowMs);
    if (nowMs - watch.askedMs >= activityLimits.lingerMs) {
      this.close();
      return;
    }
    const { startedMs, own, forwarded } = watch.current;
    const ms = nowMs - startedMs;
    watch.steps.push({
      ...{ endedMs: nowMs, own: factsOf(own, ms) },
      forwarded: forwarded.calls === 0 ? undefined : factsOf(forwarded, ms),
    });
    if (watch.steps.length > activityLimits.steps) watch.steps.shift();
    watch.current = this.#newStep();
    watch.timer = this.#nextStep();
  }
}

function newTally(): Tally {
  const counts = { calls: 0, failed: 0, abandoned: 0, events: 0, missed: 0, commits: 0 };
  return { ...counts, durations: new LatencyHistogram() };
}

function factsOf({ durations, ...counts }: Tally, ms: number): StepFacts {
  return { kind: "step", ms, type: null, ...counts, maxMs: durations.maxMs, durations: durations.list() };
}

function factsOfType({ type, failed, durations }: TypeDurations): Omit<ActivityRow, "number"> {
  const none = { ageMs: 0, ms: 0, abandoned: 0, events: 0, missed: 0, commits: 0 };
  const { count: calls, maxMs } = durations;
  return { kind: "type", ...none, type: type ?? null, calls, failed, maxMs, durations: durations.list() };
}

function slowestFirst(types: readonly TypeDurations[]): readonly TypeDurations[] {
  const slowness = ({ durations }: TypeDurations): number => durations.quantile(0.95) ?? 0;
  return types.toSorted((one, other) => slowness(other) - slowness(one));
}

function note(what: HostOccurrence, { current, types, forwardedTypes }: Watch): void {
  switch (what.at) {
    case "call": {
      const { ms, targetType, targetId } = what;
      const isForwarded = isOtherHost(what.callerId);
      const tally = isForwarded ? current.forwarded : current.own;
      const bucket = LatencyHistogram.bucketOf(ms);
      tally.calls += 1;
      if (what.outcome === "failed") tally.failed += 1;
      if (what.outcome === "abandoned") tally.abandoned += 1;
      tally.durations.add(ms, bucket);
      // A type that no worker serves may be anything that a caller writes.
      const type = targetId === undefined ? undefined : targetType;
      (isForwarded ? forwardedTypes : types).add(type, ms, bucket, what.outcome !== "answered");
      return;
    }
    case "event":
      current.own.events += 1;
      current.own.missed += what.missed;
      return;
    case "commit":
      current.own.commits += 1;
      return;
    default:
  }
}
