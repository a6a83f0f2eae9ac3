import { errorText, type Metrics } from "../../core/internal.ts";
import { HttpProblem } from "../../http/internal.ts";

/** Writes the metrics that are collected now. */
type Collect = () => Promise<string>;

/**
 * Writes the metrics of a host for Prometheus. Measuring begins with the first question, so that it costs nothing before. Rejects with
 * a problem if a package is not installed.
 */
export class PrometheusText {
  readonly #measure: (metrics: Metrics) => () => void;
  readonly #load: typeof loadCollector;
  #collect: Promise<Collect> | undefined;
  #end: () => void = () => undefined;

  /** `measure` begins, and returns what ends it. */
  constructor(measure: (metrics: Metrics) => () => void, load: typeof loadCollector = loadCollector) {
    this.#measure = measure;
    this.#load = load;
  }

  async text(): Promise<string> {
    this.#collect ??= this.#begin().catch((error: unknown) => {
      // The packages may be installed meanwhile.
      this.#collect = undefined;
      throw error;
    });
    const collect = await this.#collect;
    return await collect();
  }

  /** Measures no more. */
  close(): void {
    this.#end();
  }

  async #begin(): Promise<Collect> {
    const { metrics, collect } = await this.#load();
    this.#end = this.#measure(metrics);
    return collect;
  }
}

async function loadCollector(): Promise<{ readonly metrics: Metrics; readonly collect: Collect }> {
  const { MeterProvider, PrometheusExporter, PrometheusSerializer, openTelemetryMetrics } = await loadPackages();
  const reader = new PrometheusExporter({ preventServerStart: true });
  const meterProvider = new MeterProvider({ readers: [reader] });
  const metrics = openTelemetryMetrics({ meterProvider });
  if (metrics === undefined) throw new TypeError("The meter provider has no meter.");
  const serializer = new PrometheusSerializer(undefined, false, undefined, true, true);
  const collect = async (): Promise<string> => {
    const { resourceMetrics, errors } = await reader.collect();
    if (errors.length > 0) throw new Error(`Metrics could not be read: ${errors.map(errorText).join("; ")}`);
    return `${serializer.serialize(resourceMetrics)}\n`;
  };
  return { metrics, collect };
}

async function loadPackages() {
  try {
    const [api, sdk, prometheus] = await Promise.all([
      import("../../telemetry/otel/index.ts"),
      import("@opentelemetry/sdk-metrics"),
      import("@opentelemetry/exporter-prometheus"),
    ]);
    return { ...api, ...sdk, ...prometheus };
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "ERR_MODULE_NOT_FOUND")) throw error;
    const advice =
      "Install the packages of the metrics beside troupe: `npm install @opentelemetry/api @opentelemetry/sdk-metrics @opentelemetry/exporter-prometheus`";
    throw new HttpProblem(501, "not-accessible", advice, { cause: error });
  }
}
