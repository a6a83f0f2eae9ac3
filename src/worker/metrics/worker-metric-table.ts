import { counter, duration, gauge, type MetricTable } from "../../core/internal.ts";

/** The counters and gauges of a worker. docs/operations.md describes each. */
export const workerMetrics = {
  "troupe.worker.connected": gauge("1", "1 while the worker has a host, else 0."),
  "troupe.worker.reconnections": counter("{connection}", "Times that the worker has reconnected."),
  "troupe.worker.handlers": gauge(
    "{handler}",
    "Messages that handlers work on (running) and that wait for a slot (parked).",
  ),
  "troupe.worker.handlers.failed": counter("{handler}", "Handlers of events that failed."),
  "troupe.worker.handled": counter("{message}", "Messages that handlers have ended with, by type, kind and outcome."),
  "troupe.worker.calls": counter("{call}", "Calls of this worker with an outcome, by type and outcome."),
  "troupe.worker.calls.pending": gauge("{call}", "Calls of this worker without an outcome."),
  "troupe.worker.calls.abandoned": counter("{call}", "Calls to this worker that their callers gave up."),
  "troupe.worker.queue": gauge("{message}", "Calls and events that wait for a host, or for a slow host."),
  "troupe.worker.turns.age": gauge("s", "Age of the oldest message that waits for its turn at an agent."),
  "troupe.worker.agents": gauge("{agent}", "Live agents."),
  "troupe.worker.activations": counter("{agent}", "Agents that became live."),
  "troupe.worker.deactivations": counter("{agent}", "Activations that ended, by the reason."),
  "troupe.worker.agents.disturbed": counter("{agent}", "Activations with a problem, by its kind."),
  "troupe.worker.dropped": counter("{message}", "Messages that the worker dropped, by the reason."),
  "troupe.worker.refused": counter("{message}", "Messages that the worker refused, by the reason."),
} as const satisfies MetricTable;

/** The histograms of a worker. */
export const workerHistograms = {
  "troupe.worker.handler.duration": duration("Time that a handler took."),
  "troupe.worker.call.duration": duration("Time from the beginning of a call of this worker to its outcome."),
} as const satisfies MetricTable;

export type WorkerMetricName = keyof typeof workerMetrics;
