import { DataPointType, type HistogramMetricData, MeterProvider, MetricReader } from "@opentelemetry/sdk-metrics";
import type { MetricLabels, Metrics } from "../../src/core/index.ts";
import { openTelemetryMetrics } from "../../src/telemetry/otel/index.ts";

class ManualReader extends MetricReader {
  protected override async onForceFlush(): Promise<void> {}
  protected override async onShutdown(): Promise<void> {}
}

/** Collects metrics by the real SDK of OpenTelemetry. */
export class MetricsRecorder {
  readonly #reader = new ManualReader();
  readonly metrics: Metrics;

  constructor() {
    const metrics = openTelemetryMetrics({ meterProvider: new MeterProvider({ readers: [this.#reader] }) });
    if (metrics === undefined) throw new Error("The provider has no meter.");
    this.metrics = metrics;
  }

  /** The names of all metrics that have values now. */
  async names(): Promise<readonly string[]> {
    return [...(await this.#collect())].filter(([, { dataPoints }]) => dataPoints.length > 0).map(([name]) => name);
  }

  /** The values of a metric with their labels; the counts of a histogram. */
  async values(name: string): Promise<readonly { readonly labels: MetricLabels; readonly value: number }[]> {
    const found = (await this.#collect()).get(name);
    if (found === undefined) return [];
    if (found.dataPointType === DataPointType.HISTOGRAM) {
      return found.dataPoints.map(({ attributes, value }) => ({ labels: labelsOf(attributes), value: value.count }));
    }
    // The others have numbers.
    return found.dataPoints.map(({ attributes, value }) => ({ labels: labelsOf(attributes), value: Number(value) }));
  }

  /** The one value with these labels. Undefined: there is none. */
  async value(name: string, labels: MetricLabels = {}): Promise<number | undefined> {
    const wanted = JSON.stringify(labels);
    return (await this.values(name)).find((one) => JSON.stringify(one.labels) === wanted)?.value;
  }

  /** The sum of the values of a histogram. */
  async sum(name: string): Promise<number> {
    const found = (await this.#collect()).get(name);
    if (found?.dataPointType !== DataPointType.HISTOGRAM) return 0;
    const { dataPoints }: HistogramMetricData = found;
    return dataPoints.reduce((sum, { value }) => sum + (value.sum ?? 0), 0);
  }

  async #collect() {
    const { resourceMetrics, errors } = await this.#reader.collect();
    if (errors.length > 0) throw errors[0];
    return new Map(
      resourceMetrics.scopeMetrics.flatMap(({ metrics }) => metrics.map((one) => [one.descriptor.name, one] as const)),
    );
  }
}

function labelsOf(attributes: object): MetricLabels {
  return Object.fromEntries(Object.entries(attributes).map(([name, value]) => [name, String(value)]));
}
