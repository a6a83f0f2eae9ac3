import {
  CappedLabels,
  type Clock,
  isThenable,
  type Layer,
  type MetricLabels,
  type Metrics,
} from "../../core/internal.ts";
import { type WorkerMetricName, workerHistograms } from "./worker-metric-table.ts";

interface Counts {
  done: number;
  failed: number;
}

type Outcome = keyof Counts;

/** The handlers and calls of one agent type. */
interface OfType {
  readonly labels: { readonly type: string };
  readonly handled: { readonly call: Counts; readonly event: Counts };
  readonly calls: Counts;
}

const none = (): Counts => ({ done: 0, failed: 0 });

/**
 * Measures how long handlers and calls of a worker take, and counts them by their outcome. The durations have one label, since each label costs
 * every message.
 */
export class WorkerTimes {
  readonly #clock: Clock;
  readonly #handlers;
  readonly #calls;
  readonly #types = new Set<OfType>();
  readonly #byType = new CappedLabels<OfType>((type) => {
    const made = { labels: { type }, handled: { call: none(), event: none() }, calls: none() };
    this.#types.add(made);
    return made;
  });

  constructor(metrics: Metrics, clock: Clock) {
    this.#clock = clock;
    const histogram = (name: keyof typeof workerHistograms) => metrics.histogram(name, workerHistograms[name]);
    this.#handlers = histogram("troupe.worker.handler.duration");
    this.#calls = histogram("troupe.worker.call.duration");
  }

  /** The layer that measures handlers. */
  readonly layer: Layer = ({ agentId, context }, next) => {
    const { labels, handled } = this.#byType.of(agentId.type);
    const counts = handled[context.topicId === undefined ? "call" : "event"];
    const beganMs = this.#clock.now();
    return measured(next, (outcome) => {
      counts[outcome] += 1;
      this.#handlers.record((this.#clock.now() - beganMs) / 1_000, labels);
    });
  };

  /** Measures a call. */
  call<T>(agentType: string, make: () => T): T {
    const { labels, calls } = this.#byType.of(agentType);
    const beganMs = this.#clock.now();
    return measured(make, (outcome) => {
      calls[outcome] += 1;
      this.#calls.record((this.#clock.now() - beganMs) / 1_000, labels);
    });
  }

  /** Reports what was counted. */
  read(report: (name: WorkerMetricName, value: number, labels: MetricLabels) => void): void {
    for (const { labels, handled, calls } of this.#types) {
      for (const [kind, counts] of Object.entries(handled))
        for (const [outcome, count] of Object.entries(counts))
          report("troupe.worker.handled", count, { ...labels, kind, outcome });
      for (const [outcome, count] of Object.entries(calls))
        report("troupe.worker.calls", count, { ...labels, outcome });
    }
  }
}

/** Runs `body`, and tells how it or its promise has ended. Returns the same, so that nothing else changes. */
function measured<T>(body: () => T, end: (outcome: Outcome) => void): T {
  let result: T;
  try {
    result = body();
  } catch (error) {
    end("failed");
    throw error;
  }
  if (isThenable(result)) {
    result.then(
      () => end("done"),
      () => end("failed"),
    );
  } else end("done");
  return result;
}
