import type { MetricHistogram, Metrics } from "../core/internal.ts";
import type { ReplyFields } from "./prompt-messages.ts";
import type { FinishedStep } from "./sdk.ts";

/** Counts what the model calls of one turn use. */
export class Meter {
  inputTokens = 0;
  outputTokens = 0;
  modelCalls = 0;
  /** The last step that was finished. */
  last: FinishedStep | undefined;
  readonly #record: RecordUsage | undefined;

  constructor(record: RecordUsage | undefined) {
    this.#record = record;
  }

  /** Continues to count for a turn that has begun at a worker that was lost. */
  resume(used: Pick<ReplyFields, "input_tokens" | "output_tokens" | "model_calls">): void {
    this.inputTokens += used.input_tokens;
    this.outputTokens += used.output_tokens;
    this.modelCalls += used.model_calls;
  }

  add(step: FinishedStep): void {
    this.inputTokens += step.usage.inputTokens ?? 0;
    this.outputTokens += step.usage.outputTokens ?? 0;
    this.modelCalls += 1;
    this.last = step;
    this.#record?.(step);
  }
}

/** Records the tokens of a step. */
export type RecordUsage = (step: FinishedStep) => void;

/** Upper bounds of the buckets for tokens, as the GenAI conventions of OpenTelemetry name them. */
const boundaries = [1, 4, 16, 64, 256, 1_024, 4_096, 16_384, 65_536, 262_144, 1_048_576, 4_194_304];

/** Returns what records tokens under the name and labels of the GenAI conventions. Undefined: nothing measures. */
export function usageRecorder(metrics: Metrics | undefined): RecordUsage | undefined {
  if (metrics === undefined) return undefined;
  const description = "Tokens that calls of models have read and written.";
  const tokens = metrics.histogram("gen_ai.client.token.usage", {
    kind: "histogram",
    unit: "{token}",
    description,
    boundaries,
  });
  return ({ model, usage }) => {
    const labels = {
      "gen_ai.operation.name": "chat",
      "gen_ai.provider.name": model.provider,
      "gen_ai.request.model": model.modelId,
    };
    recordTokens(tokens, usage.inputTokens, { ...labels, "gen_ai.token.type": "input" });
    recordTokens(tokens, usage.outputTokens, { ...labels, "gen_ai.token.type": "output" });
  };
}

function recordTokens(
  tokens: MetricHistogram,
  count: number | undefined,
  labels: Readonly<Record<string, string>>,
): void {
  if (count !== undefined) tokens.record(count, labels);
}
