import type { AgentId } from "../agents/agent-id.ts";
import type { MessageMetadata } from "../delivery/message-metadata.ts";
import type { ErrorCode } from "../errors.ts";
import type { CallScope } from "../scope/call-scope.ts";
import type { AnswerOf, ChunkOf, MessageOf, MessageType } from "../serialization/message-type.ts";

/** The state of a run. `working`: its handler has not ended. */
export type RunState = "working" | "completed" | "failed" | "cancelled";

/** The present of a run. */
export interface RunStatus {
  readonly id: string;
  readonly agentId: AgentId;
  readonly status: RunState;
  /** The offset of the first chunk that is kept. */
  readonly first: number;
  /** The offset of the next chunk: the number of chunks so far. */
  readonly next: number;
  /** The text that the start gave. Empty: none. */
  readonly owner: string;
  readonly startedAt: Date;
  /** When its status or its number of chunks changed last. */
  readonly updatedAt: Date;
  /** Set if the run has failed or was cancelled. */
  readonly error?: { readonly code: ErrorCode; readonly message: string } | undefined;
}

/** One chunk of a run. */
export interface RunChunk<Chunk> {
  readonly offset: number;
  readonly chunk: Chunk;
}

/** Options of `AgentRuntime.startRun`. All are optional. */
export interface StartRunOptions {
  /** Names the run among those of its agent: 1 to 256 characters. Default: a new id. */
  readonly id?: string | undefined;
  /** Milliseconds for which the run is kept after its end; at most the `keepMs` of its worker. Default: that `keepMs`. */
  readonly keepMs?: number | undefined;
  /** Milliseconds that the whole run may take. Then it fails as `timed-out`. Default: no limit. */
  readonly timeoutMs?: number | undefined;
  /**
   * The one to whom the run belongs, at most 256 characters, such as the name of a user. Only callers that give the same text find the run. Where no
   * host knows its callers, those with the same text share one part of the bounds. Default: none.
   */
  readonly owner?: string | undefined;
  /** The agent on whose behalf the run is started. Default: no agent. */
  readonly sender?: AgentId | undefined;
  /** Ends the wait for the start, and not the run. */
  readonly signal?: AbortSignal | undefined;
  /** The handler that starts the run, `context.scope`. It bounds the wait for the start. */
  readonly scope?: CallScope | undefined;
  /** Text values that the handler finds in `context.metadata`. Bounds and names: as for calls. Default: none. */
  readonly metadata?: MessageMetadata | undefined;
}

/** Options of `AgentRuntime.attachRun`. All are optional. */
export interface AttachRunOptions<Type extends MessageType = MessageType> {
  /** The `owner` with which the run was started. With another one the run is `not-found`. Default: none. */
  readonly owner?: string | undefined;
  /** The type of the message that started the run. The runtime knows its answer and its chunks from then on. Default: those that it knows. */
  readonly message?: Type | undefined;
  /** The agent on whose behalf the run is read. Default: no agent. */
  readonly sender?: AgentId | undefined;
}

/** Options of `Run.read`. All are optional. */
export interface ReadRunOptions {
  /** The offset of the first chunk to read. `gone` if it is not kept any more. Default: the first one that is kept. */
  readonly from?: number | undefined;
  /** Ends the reading, and not the run. */
  readonly signal?: AbortSignal | undefined;
}

/** Options of `Run.answer`. All are optional. */
export interface RunAnswerOptions {
  /** Ends the wait, and not the run. */
  readonly signal?: AbortSignal | undefined;
  /** Milliseconds until the wait ends with `TimedOutError`. The run continues. Default: no limit. */
  readonly timeoutMs?: number | undefined;
}

/** Options of `AgentRuntime.listRuns`. All are optional. */
export interface ListRunsOptions {
  /** Only runs in this state. Default: all. */
  readonly status?: RunState | undefined;
  /** Only runs that were started with this owner. Default: only those without one. */
  readonly owner?: string | undefined;
  /** The id behind which the list continues, the `after` of the page before. Default: from the oldest run. */
  readonly after?: string | undefined;
  /** Most runs of the page, up to 1 000. Default: 100. */
  readonly limit?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** A page of runs. */
export interface RunListPage {
  readonly runs: readonly RunStatus[];
  /** Give it to the next call. Undefined: the list has ended. */
  readonly after?: string | undefined;
}

/**
 * A stream that the worker of its agent keeps under an id. Any number of readers may come and go. The handler runs until it ends or
 * `cancel` ends it, also if no one reads. The loop hands out every chunk that is kept, then ends as the run does.
 *
 * @example
 * ```ts
 * const run = await runtime.startRun(AskPoem({ topic: "the sea" }), poet, { id: "poem-42" });
 * for await (const line of run) console.log(line.text);
 * const poem = await run.answer();
 * ```
 */
export interface Run<Chunk, Answer> extends AsyncIterable<Chunk, Answer, unknown> {
  readonly id: string;
  readonly agentId: AgentId;
  /** Rejects with `not-found` if the run is not kept, and with `gone` if this object has found it before. */
  status(options?: { readonly signal?: AbortSignal | undefined }): Promise<RunStatus>;
  /**
   * Reads chunks with their offsets. The iterator returns the answer, and throws the error of a run that has failed. It continues by itself when the
   * connection was lost, for 120 s without success. It throws `gone` if chunks that it has not read are not
   * kept any more. So it does if the agent has moved to another worker.
   */
  read(options?: ReadRunOptions): AsyncIterable<RunChunk<Chunk>, Answer, unknown>;
  /** Waits for the end of the run. Rejects with the error of a run that has failed. */
  answer(options?: RunAnswerOptions): Promise<Answer>;
  /** Ends the run and aborts its handler as `cancelled`. Does nothing after the end. Resolves to the status of the run. */
  cancel(reason?: string): Promise<RunStatus>;
}

/** The run that a message of this type starts. */
export type RunOf<Type extends MessageType> = Run<ChunkOf<MessageOf<Type>>, AnswerOf<MessageOf<Type>>>;
