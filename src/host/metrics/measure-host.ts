import { CappedLabels, type MetricLabels, type Metrics } from "../../core/internal.ts";
import type { CallOccurrence, CommitOccurrence, HostObserver } from "../observer.ts";
import { hostHistograms, hostMetrics } from "./host-metric-table.ts";
import { type MeasuredCounters, readHost } from "./host-readings.ts";

/** What is measured of a host. */
export interface MeasuredHost {
  counters(): MeasuredCounters;
  /** Milliseconds since the oldest call came that has no outcome; 0: there is none. */
  oldestCallMs(): number;
  isReady(): boolean;
  /** Tells an observer what happens from now on. Returns what ends that. */
  observe(observer: HostObserver): () => void;
}

/** Measures a host. Returns what ends that. */
export function measureHost(metrics: Metrics, host: MeasuredHost): () => void {
  const endReading = metrics.observe(hostMetrics, (report) => {
    readHost(host.counters(), report);
    report("troupe.host.calls.oldest", host.oldestCallMs() / 1_000);
    report("troupe.host.ready", host.isReady() ? 1 : 0);
  });
  const endObserving = host.observe(durationsOf(metrics));
  return () => {
    endReading();
    endObserving();
  };
}

type Labelled<Outcome extends string> = Readonly<Record<Outcome, MetricLabels>>;

/** Returns the observer that records how long calls, commits, mail and reminders take. It makes no labels for a message. */
function durationsOf(metrics: Metrics): HostObserver {
  const histogram = (name: keyof typeof hostHistograms) => metrics.histogram(name, hostHistograms[name]);
  const calls = histogram("troupe.host.call.duration");
  const commits = histogram("troupe.host.commit.duration");
  const mail = histogram("troupe.host.mail.age");
  const reminders = histogram("troupe.host.reminder.delay");
  const callLabels = new CappedLabels<Labelled<CallOccurrence["outcome"]>>((type) => ({
    answered: { type, outcome: "answered" },
    failed: { type, outcome: "failed" },
    abandoned: { type, outcome: "abandoned" },
  }));
  const commitLabels = new CappedLabels<Labelled<CommitOccurrence["outcome"]>>((type) => ({
    committed: { type, outcome: "committed" },
    conflict: { type, outcome: "conflict" },
    stale: { type, outcome: "stale" },
    refused: { type, outcome: "refused" },
    failed: { type, outcome: "failed" },
    unknown: { type, outcome: "unknown" },
  }));
  const keptLabels = new CappedLabels<MetricLabels>((type) => ({ type }));
  return (what) => {
    switch (what.at) {
      case "call":
        // Of a type that no worker serves, the caller alone has chosen the name.
        if (what.targetId !== undefined) calls.record(what.ms / 1_000, callLabels.of(what.targetType)[what.outcome]);
        return;
      case "commit":
        commits.record(what.ms / 1_000, commitLabels.of(what.agentType)[what.outcome]);
        return;
      case "mail":
        if (what.what === "delivered") mail.record(what.ageMs / 1_000, keptLabels.of(what.agentType));
        return;
      case "reminder":
        if (what.what === "fired") reminders.record(what.lateMs / 1_000, keptLabels.of(what.agentType));
        return;
      default:
        return;
    }
  };
}
