import { UiPart } from "../teams/internal.ts";
import type { StepCall } from "./history.ts";

/** A part as it comes from a stream or a log. */
type AnyPart = { readonly type: string; readonly [name: string]: unknown };

/** Whether a tool call waits for its outcome, as far as the reader was told. */
interface ToldCall {
  hasInput: boolean;
  hasOutcome: boolean;
  /** Offset of the first chunk that the reader was not told of the agent that the tool asks by a run. */
  agentNext: number;
}

/** Knows what the readers of one turn have been told, by the parts of its UI message stream. */
export class ToldParts {
  hasStart = false;
  hasFinish = false;
  isInStep = false;
  /** Steps that have ended. */
  steps = 0;
  /** The text of the last step. */
  text = "";
  /** Texts and parts of reasoning that have not ended, by id. */
  readonly #open = new Map<string, "text" | "reasoning">();
  readonly #calls = new Map<string, ToldCall>();

  /** Reads the chunks of a run. */
  static of(chunks: Iterable<{ readonly chunk: unknown }>): ToldParts {
    const told = new ToldParts();
    for (const { chunk } of chunks) if (UiPart.is(chunk)) told.take(chunk);
    return told;
  }

  take(part: AnyPart): void {
    const id = String(part.id);
    switch (part.type) {
      case "start":
        this.hasStart = true;
        break;
      case "start-step":
        this.isInStep = true;
        this.text = "";
        this.#calls.clear();
        break;
      case "finish-step":
        this.isInStep = false;
        this.steps += 1;
        break;
      case "finish":
        this.hasFinish = true;
        break;
      case "text-start":
      case "text-delta":
        this.#open.set(id, "text");
        if (typeof part.delta === "string") this.text += part.delta;
        break;
      case "reasoning-start":
      case "reasoning-delta":
        this.#open.set(id, "reasoning");
        break;
      case "text-end":
      case "reasoning-end":
        this.#open.delete(id);
        break;
      default:
        this.#takeCall(part);
    }
  }

  #takeCall({ type, toolCallId, preliminary, data }: AnyPart): void {
    if (type === "data-agent") {
      const { toolCallId: of, offset } = { toolCallId: "", offset: -1, ...(typeof data === "object" ? data : {}) };
      this.#callOf(of).agentNext = offset + 1;
    } else if (typeof toolCallId === "string" && type.startsWith("tool-")) {
      const call = this.#callOf(toolCallId);
      if (type === "tool-input-available" || type === "tool-input-error") call.hasInput = true;
      if (type === "tool-input-error" || (type.startsWith("tool-output-") && preliminary !== true))
        call.hasOutcome = true;
    }
  }

  #callOf(id: string): ToldCall {
    const known = this.#calls.get(id) ?? { hasInput: false, hasOutcome: false, agentNext: 0 };
    this.#calls.set(id, known);
    return known;
  }

  hasInput(toolCallId: string): boolean {
    return this.#calls.get(toolCallId)?.hasInput === true;
  }

  /** The offset of the first chunk that the reader was not told of the agent that a tool asks by a run. */
  agentNext(toolCallId: string): number {
    return this.#calls.get(toolCallId)?.agentNext ?? 0;
  }

  /** Yields the ends of what a lost step has left open. Its tool calls have not run. */
  *close(): Generator<UiPart, void, undefined> {
    yield* this.#closeTexts();
    for (const [toolCallId, { hasOutcome, hasInput }] of this.#calls) {
      const errorText = "The worker was lost before this tool ran.";
      // A call that was told by its chunks alone is none that the stream has begun.
      if (!hasOutcome && (hasInput || this.isInStep))
        yield this.#tell({ type: "tool-output-error", toolCallId, errorText });
    }
    if (this.isInStep) yield this.#tell({ type: "finish-step" });
  }

  /** Yields what is missing before the outcomes of tool calls: the ends of texts, and the calls. */
  *callsOf(calls: readonly StepCall[]): Generator<UiPart, void, undefined> {
    const untold = calls.filter(({ id }) => !this.hasInput(id));
    if (untold.length > 0 && !this.isInStep) yield this.#tell({ type: "start-step" });
    yield* this.#closeTexts();
    for (const { id: toolCallId, name: toolName, input } of untold)
      yield this.#tell({ type: "tool-input-available", toolCallId, toolName, input });
  }

  /** Yields the outcomes of tool calls that the reader was not told, and the end of the step. */
  *outcomesOf(calls: readonly StepCall[]): Generator<UiPart, void, undefined> {
    for (const { id: toolCallId, result = "", failed } of calls) {
      if (this.#callOf(toolCallId).hasOutcome) continue;
      if (failed === true) yield this.#tell({ type: "tool-output-error", toolCallId, errorText: result });
      else yield this.#tell({ type: "tool-output-available", toolCallId, output: outputOf(result) });
    }
    yield* this.close();
  }

  *#closeTexts(): Generator<UiPart, void, undefined> {
    for (const [id, kind] of [...this.#open]) yield this.#tell({ type: `${kind}-end`, id });
  }

  #tell(part: AnyPart): UiPart {
    this.take(part);
    return UiPart(part);
  }
}

/** Returns the value of a saved result. */
export function outputOf(result: string): unknown {
  try {
    return JSON.parse(result);
  } catch {
    // An older version has saved errors as text.
    return result;
  }
}
