import {
  CappedLabels,
  type Clock,
  isThenable,
  type Layer,
  type MetricLabels,
  type Metrics,
} from "../../core/internal.ts";
import { workerHistograms } from "./worker-metric-table.ts";

type Outcome = "done" | "failed";

interface HandlerLabels {
  readonly call: Readonly<Record<Outcome, MetricLabels>>;
  readonly event: Readonly<Record<Outcome, MetricLabels>>;
}

/** Measures how long handlers and calls of a worker take. */
export class WorkerTimes {
  readonly #clock: Clock;
  readonly #handlers;
  readonly #calls;
  readonly #handlerLabels = new CappedLabels<HandlerLabels>((type) => ({
    call: { done: { type, kind: "call", outcome: "done" }, failed: { type, kind: "call", outcome: "failed" } },
    event: { done: { type, kind: "event", outcome: "done" }, failed: { type, kind: "event", outcome: "failed" } },
  }));
  readonly #callLabels = new CappedLabels<Readonly<Record<Outcome, MetricLabels>>>((type) => ({
    done: { type, outcome: "done" },
    failed: { type, outcome: "failed" },
  }));

  constructor(metrics: Metrics, clock: Clock) {
    this.#clock = clock;
    const histogram = (name: keyof typeof workerHistograms) => metrics.histogram(name, workerHistograms[name]);
    this.#handlers = histogram("troupe.worker.handler.duration");
    this.#calls = histogram("troupe.worker.call.duration");
  }

  /** The layer that measures handlers. */
  readonly layer: Layer = ({ agentId, context }, next) => {
    const labels = this.#handlerLabels.of(agentId.type)[context.topicId === undefined ? "call" : "event"];
    const beganMs = this.#clock.now();
    const end = (outcome: Outcome): void =>
      this.#handlers.record((this.#clock.now() - beganMs) / 1_000, labels[outcome]);
    return measured(next, end);
  };

  /** Measures a call. */
  call<T>(agentType: string, make: () => T): T {
    const beganMs = this.#clock.now();
    return measured(make, (outcome) =>
      this.#calls.record((this.#clock.now() - beganMs) / 1_000, this.#callLabels.of(agentType)[outcome]),
    );
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
