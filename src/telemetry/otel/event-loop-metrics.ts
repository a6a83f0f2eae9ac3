import { type EventLoopUtilization, type IntervalHistogram, monitorEventLoopDelay, performance } from "node:perf_hooks";
import { gauge, type MetricTable, type ReportMetric } from "../../core/internal.ts";

// The names are those of OpenTelemetry's conventions for Node.js.
/** Metrics of the event loop of this process, since the collection before. */
export const eventLoopMetrics = {
  "nodejs.eventloop.delay.p50": gauge("s", "Delay of the event loop that half of all delays do not exceed."),
  "nodejs.eventloop.delay.p99": gauge("s", "Delay of the event loop that 99 of 100 delays do not exceed."),
  "nodejs.eventloop.delay.max": gauge("s", "Longest delay of the event loop."),
  "nodejs.eventloop.utilization": gauge("1", "Share of time in which the event loop was busy, from 0 to 1."),
} as const satisfies MetricTable;

/** Milliseconds between two looks at the event loop. */
const resolutionMs = 20;
const nanosPerSecond = 1e9;

interface Observing {
  observeAlone(table: MetricTable, read: (report: ReportMetric) => void): () => void;
}

/** Measures the event loop while a host or a worker is measured. */
export class EventLoopMetrics {
  readonly #metrics: Observing;
  #users = 0;
  #end: () => void = () => undefined;

  constructor(metrics: Observing) {
    this.#metrics = metrics;
  }

  /** Begins with the first user. Returns what ends this use. */
  use(): () => void {
    this.#users += 1;
    if (this.#users === 1) this.#begin();
    let isOver = false;
    return () => {
      if (isOver) return;
      isOver = true;
      this.#users -= 1;
      if (this.#users === 0) this.#end();
    };
  }

  #begin(): void {
    const delays = monitorEventLoopDelay({ resolution: resolutionMs });
    delays.enable();
    let before = performance.eventLoopUtilization();
    const end = this.#metrics.observeAlone(eventLoopMetrics, (report) => {
      before = readEventLoop(report, delays, before);
    });
    this.#end = () => {
      end();
      delays.disable();
    };
  }
}

function readEventLoop(
  report: ReportMetric,
  delays: IntervalHistogram,
  before: EventLoopUtilization,
): EventLoopUtilization {
  const seconds = (nanos: number): number => Math.max(0, nanos / nanosPerSecond - resolutionMs / 1_000);
  report("nodejs.eventloop.delay.p50", seconds(delays.percentile(50)));
  report("nodejs.eventloop.delay.p99", seconds(delays.percentile(99)));
  report("nodejs.eventloop.delay.max", seconds(delays.max));
  delays.reset();
  const now = performance.eventLoopUtilization();
  report("nodejs.eventloop.utilization", performance.eventLoopUtilization(now, before).utilization);
  return now;
}
