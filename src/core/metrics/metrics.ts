/** The kind of a metric. A `counter` only grows; a `gauge` is a number of now; a `histogram` has the distribution of single values. */
export type MetricKind = "counter" | "gauge" | "histogram";

/** Describes one metric. */
export interface MetricDetails {
  readonly kind: MetricKind;
  /** As UCUM writes it: `s`, `By`, `1`, or what is counted in braces, such as `{call}`. */
  readonly unit: string;
  readonly description: string;
  /** Upper bounds of the buckets of a histogram. */
  readonly boundaries?: readonly number[] | undefined;
}

/** Descriptions of metrics by their names, such as `troupe.host.calls`. */
export interface MetricTable {
  readonly [name: string]: MetricDetails;
}

/** Labels of one value. Their number of combinations must be bounded. */
export interface MetricLabels {
  readonly [label: string]: string;
}

/** Takes single values, such as how long each call took. */
export interface MetricHistogram {
  record(value: number, labels: MetricLabels): void;
}

/** Reports the present value of a counter or gauge. */
export type ReportMetric = (name: string, value: number, labels?: MetricLabels) => void;

/**
 * Takes the metrics of a host or a worker: `openTelemetryMetrics` of `troupe/telemetry/otel` makes one. A host or worker without one holds
 * undefined and measures nothing.
 */
export interface Metrics {
  /** Creates a histogram. */
  histogram(name: string, details: MetricDetails): MetricHistogram;
  /**
   * Calls `read` whenever the metrics are collected; it reports the present values of counters and gauges of the table. Returns what ends that.
   * `read` must not throw.
   */
  observe(table: MetricTable, read: (report: ReportMetric) => void): () => void;
}

/** Upper bounds of the buckets of a duration, in seconds. */
export const durationBoundaries: readonly number[] = [
  0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300,
];

export function counter(unit: string, description: string): MetricDetails {
  return { kind: "counter", unit, description };
}

export function gauge(unit: string, description: string): MetricDetails {
  return { kind: "gauge", unit, description };
}

/** Describes a histogram of durations in seconds. */
export function duration(description: string): MetricDetails {
  return { kind: "histogram", unit: "s", description, boundaries: durationBoundaries };
}
