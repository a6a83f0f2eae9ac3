import { createNoopMeter, type Meter, type MeterProvider, metrics, type Observable } from "@opentelemetry/api";
import {
  assertOptions,
  type MetricDetails,
  type MetricHistogram,
  type MetricLabels,
  type Metrics,
  type MetricTable,
  optionShape,
  type ReportMetric,
  withMethods,
} from "../../core/internal.ts";
import { EventLoopMetrics } from "./event-loop-metrics.ts";

/** Name of the meter of all metrics. */
export const meterName = "troupe";

/** Options of `openTelemetryMetrics`. */
export interface OpenTelemetryMetricsOptions {
  /** Provider of the meter. Default: the global provider at the time of the call. */
  readonly meterProvider?: MeterProvider | undefined;
}

const shape = optionShape<OpenTelemetryMetricsOptions>({
  meterProvider: withMethods("a MeterProvider of OpenTelemetry", "getMeter"),
});

/**
 * Takes the metrics of hosts and workers by the metrics API of OpenTelemetry, and those of the event loop. Returns undefined, so that measuring
 * costs nothing, if no provider is given or registered.
 *
 * @example
 * ```ts
 * const host = new GrpcWorkerAgentRuntimeHost("127.0.0.1:50051", { metrics: openTelemetryMetrics() });
 * ```
 */
export function openTelemetryMetrics(options: OpenTelemetryMetricsOptions = {}): Metrics | undefined {
  assertOptions(options, shape, "openTelemetryMetrics");
  const meter = (options.meterProvider ?? metrics.getMeterProvider()).getMeter(meterName);
  return meter === createNoopMeter() ? undefined : new OpenTelemetryMetrics(meter);
}

/** Hosts and workers that have ended and were not read since. */
const mostEnded = 16;

class OpenTelemetryMetrics implements Metrics {
  readonly #meter: Meter;
  readonly #eventLoop: EventLoopMetrics;
  /** Removals of what has ended and is read once more. */
  #ended: (() => void)[] = [];

  constructor(meter: Meter) {
    this.#meter = meter;
    this.#eventLoop = new EventLoopMetrics(this);
  }

  histogram(name: string, { unit, description, boundaries }: MetricDetails): MetricHistogram {
    const advice = boundaries === undefined ? {} : { advice: { explicitBucketBoundaries: [...boundaries] } };
    const histogram = this.#meter.createHistogram(name, { unit, description, ...advice });
    return { record: (value: number, labels: MetricLabels) => histogram.record(value, labels) };
  }

  observe(table: MetricTable, read: (report: ReportMetric) => void): () => void {
    const release = this.#eventLoop.use();
    const end = this.observeAlone(table, read);
    return () => {
      end();
      release();
    };
  }

  /** Observes without the event loop. */
  observeAlone(table: MetricTable, read: (report: ReportMetric) => void): () => void {
    const instruments = new Map<string, Observable>();
    for (const [name, details] of Object.entries(table)) instruments.set(name, this.#observable(name, details));
    const all = [...instruments.values()];
    let isLast = false;
    const callback: Parameters<Meter["addBatchObservableCallback"]>[0] = (result) => {
      read((name, value, labels) => {
        const instrument = instruments.get(name);
        if (instrument !== undefined) result.observe(instrument, value, labels);
      });
      if (!isLast) return;
      // The SDK is going through its callbacks.
      queueMicrotask(remove);
      this.#ended = this.#ended.filter((other) => other !== remove);
    };
    this.#meter.addBatchObservableCallback(callback, all);
    const remove = (): void => this.#meter.removeBatchObservableCallback(callback, all);
    return () => {
      isLast = true;
      this.#removeLater(remove);
    };
  }

  /** A host that has ended is read once more, since the values of its last reading stay. Without a reader the oldest ones go unread. */
  #removeLater(remove: () => void): void {
    this.#ended.push(remove);
    if (this.#ended.length > mostEnded) this.#ended.shift()?.();
  }

  #observable(name: string, { kind, unit, description }: MetricDetails): Observable {
    return kind === "counter"
      ? this.#meter.createObservableCounter(name, { unit, description })
      : this.#meter.createObservableGauge(name, { unit, description });
  }
}
