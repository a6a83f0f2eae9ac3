import type { Delivery } from "../delivery/layers.ts";
import { assertChunk } from "../delivery/streams/streamed-call.ts";
import { TroupeError } from "../errors.ts";
import type { CodecRegistry } from "../serialization/codec-registry.ts";
import type { ChunkSink } from "../streaming/chunk-sink.ts";
import { isIdempotencyKey } from "../validation/call-options.ts";
import { quoted } from "../validation/option-values.ts";
import { type EncodedText, encodeText } from "./encoded-text.ts";
import type { RunLog, RunStart } from "./run-log.ts";
import { RunStatusMessage, type StartRun } from "./run-messages.ts";
import { statusOf } from "./run-reading.ts";
import type { RunWriter } from "./run-writer.ts";
import type { StoredStart } from "./stored-form.ts";

/** A start that was checked. */
export interface Beginning {
  readonly start: RunStart;
  readonly stored: StoredStart;
  /** Decoded. */
  readonly message: unknown;
  readonly depth: number;
  readonly leftMs: number | undefined;
}

/** A run whose message goes to its agent. */
export interface Begun extends Omit<StoredStart, "message"> {
  readonly log: RunLog;
  readonly message: unknown;
  readonly depth: number;
  readonly leftMs: number | undefined;
  readonly sink: ChunkSink;
  readonly link: Delivery["link"];
  readonly keptRun?: RunWriter | undefined;
}

interface RunChunksParts {
  readonly codecs: CodecRegistry;
  readonly type: ReturnType<CodecRegistry["typeOf"]>;
  /** Keeps a chunk. Returns a promise while the handler has to wait. */
  readonly put: (chunk: EncodedText) => Promise<void> | undefined;
}

/** Keeps the chunks that the handler of a run yields. Readers never let the handler wait: they come and go. A store that is slower than it does. */
export class RunChunks implements ChunkSink {
  readonly #log: RunLog;
  readonly #parts: RunChunksParts;
  readonly #writer: RunWriter | undefined;

  constructor(log: RunLog, parts: RunChunksParts, writer?: RunWriter) {
    this.#log = log;
    this.#parts = parts;
    this.#writer = writer;
  }

  get hasSent(): boolean {
    return this.#log.next > 0 || this.#writer?.hasChunks === true;
  }

  put(chunk: unknown): Promise<void> | undefined {
    const { codecs, type, put } = this.#parts;
    assertChunk(chunk, type?.chunk, this.#log.start.agentId);
    return put(encodeText(codecs, chunk));
  }
}

/** Throws `invalid-argument` for a start with a wrong id or owner. */
export function assertStart({ run_id: id, owner }: StartRun): void {
  if (!isIdempotencyKey(id))
    throw new TroupeError("invalid-argument", "The id of a run must be a text of 1 to 256 characters.");
  if (owner.length > 256)
    throw new TroupeError("invalid-argument", "The owner of a run must have at most 256 characters.");
}

/** Returns the status of a run that is there already. Throws `already-exists` if this start is another one. */
export function sameRun(before: RunLog, { agentId, context }: Delivery, given: StartRun): RunStatusMessage {
  const { message } = before.start;
  const isOwn = belongsTo(before, context.principal, given.owner);
  if (isOwn && message.typeName === given.message_type && message.text === given.message)
    return RunStatusMessage(statusOf(before));
  const why = `${agentId} has run ${quoted(given.run_id)} already, which began with another message, or belongs to another caller or owner.`;
  throw new TroupeError("already-exists", `${why} Choose another id.`);
}

/** Whether a run belongs to a caller: its principal has started it, with the same owner. */
export function belongsTo({ start }: RunLog, principal: string | undefined, owner: string): boolean {
  return start.principal === principal && start.owner === owner;
}
