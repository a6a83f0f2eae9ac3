import type { MetricLabels, Metrics } from "../../core/internal.ts";
import type { WorkerCounters } from "../worker-counters.ts";
import { type WorkerMetricName, workerMetrics } from "./worker-metric-table.ts";
import type { WorkerTimes } from "./worker-times.ts";

/** The measured sides of a worker. */
export interface MeasuredWorker {
  readonly counts: Readonly<WorkerCounters>;
  readonly isConnected: boolean;
  readonly handlers: { readonly running: number; readonly parked: number };
  readonly queuedCount: number;
  readonly pendingCallsCount: number;
  readonly times: WorkerTimes | undefined;
  /** Milliseconds since the oldest message that waits for its turn was first seen to wait. */
  readonly oldestTurnMs: number;
}

type Report = (name: WorkerMetricName, value: number, labels?: MetricLabels) => void;

/** Measures a worker. Returns what ends that. */
export function measureWorker(metrics: Metrics, read: () => MeasuredWorker): () => void {
  return metrics.observe(workerMetrics, (report) => readWorker(read(), report));
}

function each(report: Report, name: WorkerMetricName, label: string, values: Readonly<Record<string, number>>): void {
  for (const [text, value] of Object.entries(values)) report(name, value, { [label]: text });
}

function readWorker(worker: MeasuredWorker, report: Report): void {
  const { counts, isConnected, handlers, queuedCount, pendingCallsCount } = worker;
  worker.times?.read(report);
  report("troupe.worker.connected", isConnected ? 1 : 0);
  report("troupe.worker.reconnections", counts.reconnections);
  each(report, "troupe.worker.handlers", "state", { ...handlers });
  report("troupe.worker.handlers.failed", counts.failedEventHandlers);
  report("troupe.worker.calls.pending", pendingCallsCount);
  report("troupe.worker.calls.abandoned", counts.abandonedCalls);
  report("troupe.worker.queue", queuedCount);
  report("troupe.worker.turns.age", worker.oldestTurnMs / 1_000);
  const ended = Object.values(counts.deactivations).reduce((sum, count) => sum + count, 0);
  report("troupe.worker.agents", Math.max(0, counts.activations - ended));
  report("troupe.worker.activations", counts.activations);
  each(report, "troupe.worker.deactivations", "reason", counts.deactivations);
  each(report, "troupe.worker.agents.disturbed", "problem", {
    forced: counts.forcedDeactivations,
    "over-cap": counts.overCap,
  });
  each(report, "troupe.worker.dropped", "reason", {
    "unreadable-frame": counts.unreadableFrames,
    "unreadable-event": counts.unreadableEvents,
    unrouted: counts.unroutedEvents,
    "after-stop": counts.eventsAfterStop,
    duplicate: counts.duplicateEvents,
    lost: counts.lostEvents,
    unconfirmed: counts.unconfirmedEvents,
    unread: counts.unreadFrames,
    "parking-full": counts.droppedEvents,
    guarded: counts.guardedEvents,
    "unexpected-answer": counts.unexpectedAnswers,
    "unsent-answer": counts.unsentAnswers,
  });
  each(report, "troupe.worker.refused", "reason", {
    "queue-full": counts.overloadedSends,
    "parking-full": counts.refusedCalls,
  });
}
