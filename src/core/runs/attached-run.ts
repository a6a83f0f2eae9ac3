import type { AgentRuntime } from "../agent-runtime.ts";
import { AgentId } from "../agents/agent-id.ts";
import type { Clock } from "../clock.ts";
import { assertAnswer } from "../delivery/assert-answer.ts";
import { abortError } from "../delivery/calls/call-bounds.ts";
import { MessageDroppedException, TimedOutError, TroupeError } from "../errors.ts";
import { followAbort, unfollowAbort } from "../follow-abort.ts";
import { DropMessage, type InterventionChain } from "../intervention.ts";
import type { CodecRegistry } from "../serialization/codec-registry.ts";
import type { MessageOf, MessageType } from "../serialization/message-type.ts";
import { assertOptions, optionShape } from "../validation/assert-options.ts";
import { number, signal } from "../validation/option-kinds.ts";
import { quoted, someTime, wrongValue } from "../validation/option-values.ts";
import { decodeText } from "./encoded-text.ts";
import { endingWithReader } from "./leaving-reader.ts";
import type { ReadRunOptions, Run, RunAnswerOptions, RunChunk, RunState, RunStatus } from "./run.ts";
import { errorOfRun, knownCode } from "./run-end.ts";
import { CancelRun, GetRun, ReadRun, type RunPage, type RunPart, type RunStatusFields } from "./run-messages.ts";
import { longestReadMs } from "./run-reading.ts";

/** A run, and the one that asks for it. */
export interface AttachedRunName {
  readonly agentId: AgentId;
  readonly id: string;
  /** The owner with which the run was started. Empty: none. */
  readonly owner: string;
  readonly sender: AgentId | undefined;
  /** The type of the message that started the run. Undefined: it is not known. */
  readonly message: MessageType | undefined;
  /** Whether the run was there: if it is not found any more, it is gone. */
  readonly isKnown: boolean;
}

export interface AttachedRunParts extends AttachedRunName {
  readonly runtime: AgentRuntime;
  readonly codecs: CodecRegistry;
  readonly interventions: InterventionChain;
  readonly clock: Clock;
}

/** Milliseconds for which a reader tries to go on after the connection was lost. */
const longestLossMs = 120_000;
const firstPauseMs = 50;
const longestPauseMs = 2_000;
const lossCodes: ReadonlySet<string> = new Set(["disconnected", "undeliverable", "shutting-down", "timed-out"]);

const readShape = optionShape<ReadRunOptions>({ from: number({ from: 0, to: Number.MAX_SAFE_INTEGER }), signal });
const answerShape = optionShape<RunAnswerOptions>({ timeoutMs: number(someTime), signal });

/** A run of an agent anywhere, as its readers see it. */
export class AttachedRun implements Run<unknown, unknown> {
  readonly id: string;
  readonly agentId: AgentId;
  readonly #parts: AttachedRunParts;
  #isKnown: boolean;

  constructor(parts: AttachedRunParts) {
    this.#parts = parts;
    this.#isKnown = parts.isKnown;
    this.id = parts.id;
    this.agentId = parts.agentId;
    const { codecs, message } = parts;
    for (const type of [message?.answer, message?.chunk]) if (type !== undefined) codecs.add(type);
  }

  async status({ signal }: { readonly signal?: AbortSignal | undefined } = {}): Promise<RunStatus> {
    return await this.#status(GetRun({ run_id: this.id, owner: this.#parts.owner }), signal);
  }

  async cancel(reason = ""): Promise<RunStatus> {
    return await this.#status(
      CancelRun({ run_id: this.id, reason: reason.slice(0, 1_000), owner: this.#parts.owner }),
      undefined,
    );
  }

  [Symbol.asyncIterator](): AsyncIterator<unknown, unknown, unknown> {
    return endingWithReader((left) => this.#chunks(left));
  }

  read(options: ReadRunOptions = {}): AsyncIterable<RunChunk<unknown>, unknown, unknown> {
    assertOptions(options, readShape, "read");
    if (options.from !== undefined && !Number.isSafeInteger(options.from)) {
      throw wrongValue("The offset `from` must be a whole number of at least 0", options.from);
    }
    return { [Symbol.asyncIterator]: () => endingWithReader((left) => this.#read(options, left)) };
  }

  async answer(options: RunAnswerOptions = {}): Promise<unknown> {
    assertOptions(options, answerShape, "answer");
    const { signal, timeoutMs } = options;
    const { clock } = this.#parts;
    const untilMs = timeoutMs === undefined ? Number.POSITIVE_INFINITY : clock.now() + timeoutMs;
    const losses = new Losses(clock, signal);
    for (;;) {
      const leftMs = untilMs - clock.now();
      if (leftMs <= 0)
        throw new TimedOutError(`Run "${this.id}" of ${this.agentId} did not end in ${timeoutMs} ms. It continues.`);
      const wait_ms = Math.ceil(Math.min(leftMs, longestReadMs));
      let page: RunPage | undefined;
      try {
        const ask = ReadRun({ run_id: this.id, from_offset: -1, max_chunks: 0, wait_ms, owner: this.#parts.owner });
        page = await this.#parts.runtime.sendMessage(ask, this.agentId, this.#options(signal));
        this.#isKnown = true;
        losses.none();
      } catch (error) {
        await losses.pause(this.#seenError(error));
      }
      if (page?.is_end === true) return await this.#outcome(page);
    }
  }

  async *#chunks(left: AbortSignal): AsyncGenerator<unknown, unknown, unknown> {
    const chunks = this.#read({}, left);
    try {
      for (;;) {
        const step = await chunks.next();
        if (step.done === true) return step.value;
        yield step.value.chunk;
      }
    } finally {
      await chunks.return(undefined);
    }
  }

  /** `left` aborts when the reader leaves, also while it waits. */
  async *#read(
    { from = -1, signal }: ReadRunOptions,
    left: AbortSignal,
  ): AsyncGenerator<RunChunk<unknown>, unknown, unknown> {
    const { runtime, clock, owner } = this.#parts;
    const losses = new Losses(clock, signal, left);
    let offset = from;
    for (;;) {
      let page: RunPage | undefined;
      try {
        const ask = ReadRun({ run_id: this.id, from_offset: offset, max_chunks: 1_000, wait_ms: longestReadMs, owner });
        const stream = runtime.stream(ask, this.agentId, this.#options(signal));
        const leave = () => stream.cancel(left.reason);
        followAbort(left, leave);
        try {
          for await (const part of stream) {
            this.#isKnown = true;
            losses.none();
            const seen = this.#seen(part);
            offset = part.offset + 1;
            if (seen !== undefined) yield seen;
          }
          page = await stream.answer;
        } finally {
          unfollowAbort(left, leave);
        }
        this.#isKnown = true;
        losses.none();
      } catch (error) {
        await losses.pause(this.#seenError(error));
      }
      if (page === undefined) continue;
      // A host that passes no chunks on gives them with the page.
      const { chunk_type, chunk_content_type } = page;
      for (const [index, chunk] of page.chunks.entries()) {
        const seen = this.#seen({ offset: page.offset + index, chunk_type, chunk_content_type, chunk });
        offset = page.offset + index + 1;
        if (seen !== undefined) yield seen;
      }
      if (offset < 0) offset = page.offset;
      if (page.is_end) return await this.#outcome(page);
    }
  }

  async #status(
    ask: MessageOf<typeof GetRun> | MessageOf<typeof CancelRun>,
    signal: AbortSignal | undefined,
  ): Promise<RunStatus> {
    try {
      const { runtime } = this.#parts;
      const status = await runtime.sendMessage<GetRun | CancelRun>(ask, this.agentId, this.#options(signal));
      this.#isKnown = true;
      return toStatus(status);
    } catch (error) {
      throw this.#seenError(error);
    }
  }

  /** A run that was there, and is not found any more, is gone. */
  #seenError(error: unknown): unknown {
    if (!this.#isKnown || !(error instanceof TroupeError) || error.code !== "not-found") return error;
    const why = "Its worker has ended, its agent has moved to another worker, or its time is over.";
    const text = `Run ${quoted(this.id)} of ${this.agentId} is not kept any more. ${why} Start it again.`;
    return new TroupeError("gone", text, { cause: error });
  }

  /** Returns the chunk to hand out. Undefined: an intervention dropped it. */
  #seen({ offset, chunk_type, chunk_content_type, chunk: text }: RunPartFields): RunChunk<unknown> | undefined {
    const { codecs, interventions, sender } = this.#parts;
    const chunk = decodeText(codecs, { typeName: chunk_type, contentType: chunk_content_type, text });
    if (!interventions.seesChunk) return { offset, chunk };
    const seen = interventions.onChunk(chunk, { sender: this.agentId, recipient: sender });
    return seen === DropMessage ? undefined : { offset, chunk: seen };
  }

  async #outcome({ error_code, error, answer_type, answer_content_type, answer: text }: RunPage): Promise<unknown> {
    if (error_code !== "") throw errorOfRun(error_code, error);
    const { codecs, interventions, sender, message } = this.#parts;
    const answer = decodeText(codecs, { typeName: answer_type, contentType: answer_content_type, text });
    assertAnswer(answer, message?.answer, this.agentId);
    if (!interventions.seesResponse) return answer;
    const seen = await interventions.onResponse(answer, { sender: this.agentId, recipient: sender });
    if (seen === DropMessage) throw new MessageDroppedException();
    return seen;
  }

  #options(signal: AbortSignal | undefined) {
    return { sender: this.#parts.sender, signal };
  }
}

type RunPartFields = Pick<RunPart, "offset" | "chunk_type" | "chunk_content_type" | "chunk">;

/** Lets a reader go on after its connection was lost. Readings that have never succeeded fail at once. */
class Losses {
  readonly #clock: Clock;
  readonly #signal: AbortSignal | undefined;
  readonly #left: AbortSignal | undefined;
  #hasSucceeded = false;
  #lostMs: number | undefined;
  #pauseMs = firstPauseMs;

  constructor(clock: Clock, signal: AbortSignal | undefined, left?: AbortSignal) {
    this.#clock = clock;
    this.#signal = signal;
    this.#left = left;
  }

  /** A reading has succeeded. */
  none(): void {
    this.#hasSucceeded = true;
    this.#lostMs = undefined;
    this.#pauseMs = firstPauseMs;
  }

  /** Waits before the next attempt. Throws the error if there is to be none. */
  async pause(error: unknown): Promise<void> {
    const signal = this.#signal;
    const left = this.#left;
    if (left?.aborted === true || !this.#mayGoOn(error)) throw error;
    const pauseMs = this.#pauseMs;
    this.#pauseMs = Math.min(2 * pauseMs, longestPauseMs);
    await new Promise<void>((resolve) => {
      const end = () => {
        timer.cancel();
        unfollowAbort(signal, end);
        unfollowAbort(left, end);
        resolve();
      };
      const timer = this.#clock.setTimer(pauseMs, end, { keepAlive: true });
      followAbort(signal, end);
      followAbort(left, end);
    });
    for (const one of [signal, left]) if (one?.aborted === true) throw abortError(one);
  }

  #mayGoOn(error: unknown): boolean {
    const nowMs = this.#clock.now();
    this.#lostMs ??= nowMs;
    if (!(error instanceof TroupeError) || !lossCodes.has(error.code)) return false;
    return this.#hasSucceeded && this.#signal?.aborted !== true && nowMs - this.#lostMs < longestLossMs;
  }
}

/** Returns the status that a worker tells. */
export function toStatus(fields: RunStatusFields): RunStatus {
  const { run_id: id, agent, status, first, next, owner, started_at, updated_at, error_code, error } = fields;
  return {
    ...{ id, agentId: AgentId.parse(agent), status: toState(status), first, next, owner },
    startedAt: new Date(started_at),
    updatedAt: new Date(updated_at),
    ...(error_code !== "" && { error: { code: knownCode(error_code), message: error } }),
  };
}

function toState(status: string): RunState {
  switch (status) {
    case "completed":
    case "failed":
    case "cancelled":
      return status;
    default:
      return "working";
  }
}
