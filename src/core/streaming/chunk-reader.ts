import { TroupeError } from "../errors.ts";
import type { MessageStream } from "./message-stream.ts";

/** The runtime's part in a stream that is read. */
export interface ReaderParts {
  readonly windowBytes: number;
  /** Returns the chunk to hand out, or undefined for one that is dropped. Undefined: each chunk is handed out. */
  readonly intercept: ((chunk: unknown) => { readonly chunk: unknown } | undefined) | undefined;
  /** Returns the chunks of an answer that came without any. */
  readonly whole: ((answer: unknown) => Iterable<unknown>) | undefined;
  /** Called when a chunk has come, and when it is read. Undefined: the stream has no limit of idle time. */
  readonly onMove: (() => void) | undefined;
  /** Lets the handler send this many bytes, counted from the beginning of the call. */
  readonly grant: (totalBytes: number) => void;
  /** Ends the call, whose outcome is then `fail`. */
  readonly cancel: (reason: unknown) => void;
}

type Outcome = { readonly answer: unknown } | { readonly error: unknown };

interface ArrivedChunk {
  readonly chunk: unknown;
  readonly bytes: number;
}

interface Waiting {
  readonly resolve: (result: IteratorResult<unknown, unknown>) => void;
  readonly reject: (error: unknown) => void;
}

/** The use of chunks: they wait for a reader, go to its loop, are read for `whole()`, or the reader has left. */
type Reading = "unread" | "loop" | "whole" | "left";

const nothing = (): void => undefined;

/** The reader's end of a stream. It holds no more than its window and one chunk. */
export class ChunkReader implements MessageStream<unknown, unknown> {
  readonly answer: Promise<unknown>;
  readonly #parts: ReaderParts;
  #resolve: (answer: unknown) => void = nothing;
  #reject: (error: unknown) => void = nothing;
  #arrived: ArrivedChunk[] = [];
  #head = 0;
  #waiting: Waiting[] = [];
  #outcome: Outcome | undefined;
  /** Set if chunks before the answer are lost. */
  #lost: Error | undefined;
  /** Whether the iterator has given the outcome. */
  #isOver = false;
  #reading: Reading = "unread";
  #receivedBytes = 0;
  #readBytes = 0;
  #grantedBytes: number;
  /** The chunks of an answer that came without any. */
  #wholeChunks: Iterator<unknown> | undefined;

  constructor(parts: ReaderParts) {
    this.#parts = parts;
    this.#grantedBytes = parts.windowBytes;
    this.answer = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    this.answer.catch(nothing);
  }

  /** Whether the handler waits because too many chunks are unread. */
  get isStalled(): boolean {
    return this.#receivedBytes >= this.#grantedBytes;
  }

  /** Takes a chunk that has come. Throws `invalid-message` if its sender had no leave to send one. */
  accept(chunk: unknown, bytes: number): void {
    if (this.#outcome !== undefined || this.#reading === "left") return;
    if (this.isStalled) throw new TroupeError("invalid-message", "A chunk came that the reader had not granted.");
    this.#receivedBytes += bytes;
    this.#parts.onMove?.();
    this.#arrived.push({ chunk, bytes });
    this.#handOut();
  }

  /** Chunks are lost that come before the answer. The loop ends with this error, and `answer` resolves all the same. Call it before `end`. */
  loseRest(error: Error): void {
    this.#lost = error;
  }

  /** The call has its answer. */
  end(answer: unknown): void {
    if (this.#outcome !== undefined) return;
    this.#outcome = { answer };
    this.#resolve(answer);
    if (this.#receivedBytes === 0 && this.#lost === undefined && this.#reading !== "whole") this.#expand(answer);
    this.#handOut();
  }

  /** The call has failed. `isAtOnce`: the reader does not want the chunks that it has not read. */
  fail(error: unknown, isAtOnce: boolean): void {
    if (this.#outcome !== undefined) return;
    this.#outcome = { error };
    this.#reject(error);
    if (isAtOnce) this.#dropArrived();
    this.#handOut();
  }

  /** Ends the stream because of a chunk that can't be taken. The reader gets those before it. */
  refuse(error: unknown): void {
    if (this.#outcome !== undefined) return;
    this.fail(error, false);
    this.#parts.cancel(error);
  }

  whole(): Promise<unknown> {
    if (this.#reading !== "left") this.#reading = "whole";
    this.#wholeChunks = undefined;
    this.#handOut();
    return this.answer;
  }

  cancel(reason?: unknown): void {
    if (this.#outcome === undefined) this.#parts.cancel(reason);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#leave();
  }

  [Symbol.asyncIterator](): AsyncIterator<unknown, unknown, unknown> {
    if (this.#reading !== "unread") {
      const text =
        "A stream has one reader, and this one has been read. Read it once, and keep the chunks that you need.";
      throw new TroupeError("wrong-state", text);
    }
    this.#reading = "loop";
    return {
      next: () => this.#next(),
      return: async (value) => {
        this.#leave();
        return { done: true, value: await value };
      },
    };
  }

  #next(): Promise<IteratorResult<unknown, unknown>> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
      this.#handOut();
    });
  }

  #leave(): void {
    this.#reading = "left";
    this.#isOver = true;
    this.#dropArrived();
    this.cancel(new Error("The reader has left the stream."));
    for (const { resolve } of this.#waiting.splice(0)) resolve({ done: true, value: undefined });
  }

  #dropArrived(): void {
    this.#arrived = [];
    this.#head = 0;
    this.#wholeChunks = undefined;
  }

  /** Gives chunks to those who wait for them, then the outcome. */
  #handOut(): void {
    while (this.#waiting.length > 0 || this.#reading === "whole") {
      const next = this.#take();
      if (next === undefined) break;
      if (this.#reading !== "whole") this.#waiting.shift()?.resolve({ done: false, value: next.chunk });
    }
    if (this.#outcome === undefined || this.#head < this.#arrived.length || this.#wholeChunks !== undefined) return;
    this.#giveOutcome(this.#outcome);
  }

  #giveOutcome(outcome: Outcome): void {
    while (this.#waiting.length > 0) {
      const waiting = this.#waiting.shift();
      if (this.#isOver) waiting?.resolve({ done: true, value: undefined });
      else if ("error" in outcome) waiting?.reject(outcome.error);
      else if (this.#lost !== undefined) waiting?.reject(this.#lost);
      else waiting?.resolve({ done: true, value: outcome.answer });
      this.#isOver = true;
    }
  }

  /** Takes the next chunk that is handed out. */
  #take(): { readonly chunk: unknown } | undefined {
    for (;;) {
      const next = this.#takeArrived() ?? this.#takeWhole();
      if (next === undefined) return undefined;
      try {
        const { intercept } = this.#parts;
        const seen = intercept === undefined ? next : intercept(next.chunk);
        if (seen !== undefined) return seen;
      } catch (error) {
        this.#break(error);
      }
    }
  }

  /** The loop ends with this error, although the call may have an answer. */
  #break(error: unknown): void {
    this.#dropArrived();
    this.#outcome = { error };
    this.#reject(error);
    this.#parts.cancel(error);
  }

  #takeArrived(): ArrivedChunk | undefined {
    const next = this.#arrived[this.#head];
    if (next === undefined) return undefined;
    this.#head += 1;
    if (this.#head === this.#arrived.length) {
      this.#arrived = [];
      this.#head = 0;
    }
    this.#readBytes += next.bytes;
    this.#parts.onMove?.();
    this.#grantMore();
    return next;
  }

  /** Grants again when half of the window is read. */
  #grantMore(): void {
    const { windowBytes, grant } = this.#parts;
    const totalBytes = this.#readBytes + windowBytes;
    if (this.#outcome !== undefined || totalBytes - this.#grantedBytes < windowBytes / 2) return;
    this.#grantedBytes = totalBytes;
    grant(totalBytes);
  }

  /** An answer that came without chunks is shown by those that its message type makes of it. */
  #expand(answer: unknown): void {
    try {
      this.#wholeChunks = this.#parts.whole?.(answer)[Symbol.iterator]();
    } catch (error) {
      this.#break(error);
    }
  }

  #takeWhole(): { readonly chunk: unknown } | undefined {
    if (this.#wholeChunks === undefined) return undefined;
    try {
      const step = this.#wholeChunks.next();
      if (step.done !== true) return { chunk: step.value };
      this.#wholeChunks = undefined;
    } catch (error) {
      this.#break(error);
    }
    return undefined;
  }
}
