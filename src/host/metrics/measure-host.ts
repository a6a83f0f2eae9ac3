import { CappedLabels, type CountedQueue, type MetricLabels, type Metrics, QueueAges } from "../../core/internal.ts";
import type { CallOccurrence, CommitOccurrence, HostObserver } from "../observer.ts";
import type { Session } from "../sessions/session.ts";
import { hostHistograms, hostMetrics } from "./host-metric-table.ts";
import { type MeasuredCounters, readHost } from "./host-readings.ts";

/** The measured sides of a host. */
export interface MeasuredHost {
  counters(): MeasuredCounters;
  /** Milliseconds that the oldest pending call has waited for its outcome; 0 without pending calls. */
  oldestCallMs(): number;
  queues(): HostQueues;
  isReady(): boolean;
  /** Milliseconds of the host's clock. */
  now(): number;
  /** Tells an observer what happens from now on. Returns what ends that. */
  observe(observer: HostObserver): () => void;
}

/** The queues of a host that is alone. */
export interface QueuesHere {
  readonly sessions: Iterable<Pick<Session, "sentFrames" | "queuedFrames">>;
  readonly commits: CountedQueue;
  /** Milliseconds since the oldest told message or durable event that waits was sent. */
  readonly mailMs: number;
}

/** The queues of a host. */
export interface HostQueues extends QueuesHere {
  readonly links: readonly CountedQueue[];
}

/** Measures a host. Returns what ends that. */
export function measureHost(metrics: Metrics, host: MeasuredHost): () => void {
  const calls = new CallTally();
  const ages = { workers: new QueueAges(), links: new QueueAges(), commits: new QueueAges() };
  const endReading = metrics.observe(hostMetrics, (report) => {
    calls.read((value, labels) => report("troupe.host.calls.by.type", value, labels));
    readHost(host.counters(), report);
    report("troupe.host.calls.oldest", host.oldestCallMs() / 1_000);
    const { sessions, links, commits, mailMs } = host.queues();
    const nowMs = host.now();
    for (const [queue, ms] of [
      ["workers", ages.workers.read(counted(sessions), nowMs)],
      ["links", ages.links.read(links, nowMs)],
      ["commits", ages.commits.read([commits], nowMs)],
      ["mail", mailMs],
    ] as const)
      report("troupe.host.queue.age", ms / 1_000, { queue });
    report("troupe.host.ready", host.isReady() ? 1 : 0);
  });
  const endObserving = host.observe(durationsOf(metrics, calls));
  return () => {
    endReading();
    endObserving();
  };
}

function* counted(sessions: QueuesHere["sessions"]): Iterable<CountedQueue> {
  for (const session of sessions) yield { key: session, entered: session.sentFrames, waiting: session.queuedFrames };
}

type Labelled<Outcome extends string> = Readonly<Record<Outcome, MetricLabels>>;

/** The calls to one agent type. */
interface CallsOfType {
  readonly labels: { readonly type: string };
  readonly counts: Record<CallOccurrence["outcome"], number>;
}

/** Counts calls by type and outcome. A histogram with both labels would cost each call twice as much. */
class CallTally {
  readonly #types = new Set<CallsOfType>();
  readonly #byType = new CappedLabels<CallsOfType>((type) => {
    const made = { labels: { type }, counts: { answered: 0, failed: 0, abandoned: 0 } };
    this.#types.add(made);
    return made;
  });

  /** Counts a call; returns the label of its type. */
  count({ targetType, outcome }: CallOccurrence): MetricLabels {
    const { labels, counts } = this.#byType.of(targetType);
    counts[outcome] += 1;
    return labels;
  }

  read(report: (value: number, labels: MetricLabels) => void): void {
    for (const { labels, counts } of this.#types)
      for (const [outcome, count] of Object.entries(counts)) report(count, { ...labels, outcome });
  }
}

/** Returns the observer that records how long calls, commits, mail and reminders take. It makes no labels for a message. */
function durationsOf(metrics: Metrics, tally: CallTally): HostObserver {
  const histogram = (name: keyof typeof hostHistograms) => metrics.histogram(name, hostHistograms[name]);
  const calls = histogram("troupe.host.call.duration");
  const commits = histogram("troupe.host.commit.duration");
  const mail = histogram("troupe.host.mail.age");
  const reminders = histogram("troupe.host.reminder.delay");
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
        if (what.targetId !== undefined) calls.record(what.ms / 1_000, tally.count(what));
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
