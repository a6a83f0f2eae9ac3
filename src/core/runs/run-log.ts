import type { AgentId } from "../agents/agent-id.ts";
import { TroupeError, UndeliverableException } from "../errors.ts";
import { followAbort, unfollowAbort } from "../follow-abort.ts";
import { bytesOf, type EncodedText } from "./encoded-text.ts";
import type { RunState } from "./run.ts";

/** Bytes that a run counts beside its texts. */
const runOverheadBytes = 1_024;

/** The end of a run. */
export type RunEnd =
  | { readonly status: "completed"; readonly answer: EncodedText }
  | { readonly status: "failed" | "cancelled"; readonly code: string; readonly text: string };

export interface RunStart {
  readonly agentId: AgentId;
  readonly id: string;
  readonly message: EncodedText;
  /** Names the caller in whose part of the bounds the run counts. */
  readonly account: string;
  /** The principal that started the run. Undefined: the host knows none. */
  readonly principal: string | undefined;
  readonly owner: string;
  readonly keepMs: number;
  readonly nowMs: number;
  /** Whether a state store has the run, too: its readers read on there when it is dropped here. Default: false. */
  readonly isKept?: boolean | undefined;
}

/** The chunks of a run as a store has them. */
export interface StoredChunks {
  /** The offset of the first one. */
  readonly first: number;
  readonly chunks: readonly EncodedText[];
  /** When the run was written last: wall clock. */
  readonly updatedMs: number;
}

/** The log of one run: its chunks, and its end. */
export class RunLog {
  readonly start: RunStart;
  /** Aborts the handler. Set while it runs. */
  abort: ((reason: unknown) => void) | undefined;
  updatedMs: number;
  /** When the run is dropped, by the clock that never goes back. Undefined: it has not ended. */
  dropsAtMs: number | undefined;
  /** Whether its agent leaves this worker: the run is dropped when it ends. */
  isLeaving = false;
  /** Whether the run was deleted with its agent. */
  isDestroyed = false;
  bytes: number;
  /** Bytes of all but the chunks and the end. */
  readonly fixedBytes: number;
  #chunkBytes = 0;
  #first = 0;
  #chunks: (EncodedText | undefined)[] = [];
  #head = 0;
  #end: RunEnd | undefined;
  #isDropped = false;
  readonly #waiting = new Set<() => void>();
  readonly #onDrop = new Set<(error: TroupeError) => void>();

  constructor(start: RunStart) {
    this.start = start;
    this.updatedMs = start.nowMs;
    this.fixedBytes = runOverheadBytes + bytesOf(start.message) + 2 * (start.id.length + start.owner.length);
    this.bytes = this.fixedBytes;
  }

  /** The offset of the first chunk that is kept. */
  get first(): number {
    return this.#first;
  }

  /** The offset of the next chunk. */
  get next(): number {
    return this.#first + this.#chunks.length - this.#head;
  }

  get chunkBytes(): number {
    return this.#chunkBytes;
  }

  get status(): RunState {
    return this.#end?.status ?? "working";
  }

  get end(): RunEnd | undefined {
    return this.#end;
  }

  append(chunk: EncodedText, nowMs: number): void {
    const bytes = bytesOf(chunk);
    this.#chunks.push(chunk);
    this.#chunkBytes += bytes;
    this.bytes += bytes;
    this.updatedMs = nowMs;
    this.#tell();
  }

  /** Takes the chunks of a stored run. The log has none yet. */
  restore({ first, chunks, updatedMs }: StoredChunks): void {
    this.#first = first;
    for (const chunk of chunks) this.append(chunk, updatedMs);
    this.updatedMs = updatedMs;
  }

  /** Drops the oldest chunk. Returns false if there is none. */
  dropOldest(): boolean {
    const chunk = this.#chunks[this.#head];
    if (chunk === undefined) return false;
    this.#chunks[this.#head] = undefined;
    this.#head += 1;
    this.#first += 1;
    const bytes = bytesOf(chunk);
    this.#chunkBytes -= bytes;
    this.bytes -= bytes;
    if (this.#head > 1_024 && this.#head * 2 > this.#chunks.length) {
      this.#chunks = this.#chunks.slice(this.#head);
      this.#head = 0;
    }
    return true;
  }

  /** The run has ended. The first end stands. */
  finish(end: RunEnd, nowMs: number): boolean {
    if (this.#end !== undefined) return false;
    this.#end = end;
    this.updatedMs = nowMs;
    this.bytes += end.status === "completed" ? bytesOf(end.answer) : 2 * end.text.length;
    this.abort = undefined;
    this.#tell();
    return true;
  }

  /** The run is not kept any more: its readers get `gone`, but those that have all chunks already. */
  drop(): void {
    this.#isDropped = true;
    this.#tell();
    for (const onDrop of [...this.#onDrop]) onDrop(this.#goneError());
  }

  /** Calls `onDrop` when the run is not kept any more. Returns a function that ends that. */
  onDrop(onDrop: (error: TroupeError) => void): () => void {
    this.#onDrop.add(onDrop);
    return () => this.#onDrop.delete(onDrop);
  }

  #goneError(): TroupeError {
    const { isKept, id, agentId } = this.start;
    if (isKept === true && !this.isDestroyed) {
      const text = `Run "${id}" of ${agentId} is not in the memory of this worker any more. Read on: its state store has it.`;
      return new UndeliverableException(text, { code: "shutting-down" });
    }
    return new TroupeError("gone", `Run "${this.start.id}" of ${this.start.agentId} is not kept any more.`);
  }

  /** Returns a chunk that is there. Throws `gone` for one that is not kept any more. */
  at(offset: number): EncodedText {
    this.assertKept(offset);
    const chunk = this.#chunks[this.#head + offset - this.#first];
    if (chunk === undefined) throw new TroupeError("gone", `Run "${this.start.id}" has no chunk ${offset}.`);
    return chunk;
  }

  /** Yields the chunks that are kept, with their offsets. */
  *kept(): Generator<{ readonly offset: number; readonly chunk: EncodedText }, void, undefined> {
    for (let offset = this.#first; offset < this.next; offset += 1) yield { offset, chunk: this.at(offset) };
  }

  /** Throws `gone` if a reader can't go on from this offset. */
  assertKept(offset: number): void {
    if (this.#isDropped && !(this.#end !== undefined && offset === this.next)) throw this.#goneError();
    if (offset >= this.#first && offset <= this.next) return;
    const kept = `chunks ${this.#first} to ${this.next} are there`;
    const text = `Chunk ${offset} of run "${this.start.id}" is not kept: ${kept}. Read from ${this.#first} on.`;
    throw new TroupeError("gone", text);
  }

  /** Calls `onChange` once, at the next chunk, at the end, or when the signal aborts. Returns a function that ends that. */
  onChange(onChange: () => void, signal: AbortSignal): () => void {
    const change = () => {
      stop();
      onChange();
    };
    const stop = () => {
      this.#waiting.delete(change);
      unfollowAbort(signal, change);
    };
    this.#waiting.add(change);
    followAbort(signal, change);
    return stop;
  }

  #tell(): void {
    for (const change of [...this.#waiting]) change();
  }
}
