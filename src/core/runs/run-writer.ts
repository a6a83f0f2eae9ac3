import type { UnfinishedRun } from "../agents/unfinished-run.ts";
import type { Clock, Timer } from "../clock.ts";
import type { KeptRunTurn } from "../delivery/kept-run-turn.ts";
import type { AgentRuns } from "../delivery/states/agent-runs.ts";
import { TroupeError, UndeliverableException } from "../errors.ts";
import type { RunChange, StoredRun } from "../state/stored-runs.ts";
import { bytesOf, type EncodedText } from "./encoded-text.ts";
import { endOf, errorOfRun } from "./run-end.ts";
import type { RunEnd, RunLog } from "./run-log.ts";
import type { RunTable } from "./run-table.ts";
import { encodeChunk, encodeOutcome } from "./stored-form.ts";

export interface RunWriterParts {
  readonly log: RunLog;
  readonly table: RunTable;
  readonly runs: AgentRuns;
  readonly clock: Clock;
  readonly isStopping: () => boolean;
  /** The offset of the next chunk in the store. */
  readonly next: number;
  /** Workers that have begun or continued the run since its last step. */
  readonly takeovers: number;
  /** Checks the answer and encodes it. Throws the error with which the run fails. */
  readonly encodeAnswer: (answer: unknown) => EncodedText;
}

/** Chunks of one commit wait so long for others, at most so many. The first chunk does not wait. */
const gatherMs = 100;
const gatheredChunks = 10;
/** Bytes of chunks that wait for a commit. Beyond them the handler waits at its next chunk. */
const mostWaitingBytes = 256 * 1024;
const firstPauseMs = 100;
const longestPauseMs = 2_000;
/** Milliseconds for which a write is tried again while the store can't be reached. */
const longestOutageMs = 600_000;

/** Failures of a commit after which the next attempt may succeed. */
const passingCodes: ReadonlySet<string> = new Set([
  "disconnected",
  "undeliverable",
  "state-unavailable",
  "overloaded",
  "shutting-down",
  "timed-out",
]);

/** `riding`: a commit of the turn ends it. `ending`: a commit of its own does. `closed`: this worker has it no more. */
type WriterState = "open" | "riding" | "ending" | "ended" | "closed";

/** Writes one run that works here: chunks in the order of their offsets, many with one commit, then its end. Readers see a chunk when it is written. */
export class RunWriter implements KeptRunTurn {
  unfinished: UnfinishedRun | undefined;
  readonly #parts: RunWriterParts;
  #at: WriterState = "open";
  #next: number;
  /** Whether it is written that the handler has begun here. */
  #hasBegun = false;
  #waiting: EncodedText[] = [];
  #waitingBytes = 0;
  #lastWriteMs = Number.NEGATIVE_INFINITY;
  #timer: Timer | undefined;
  /** The commit of chunks that is under way. Never rejects. */
  #writing: Promise<void> | undefined;
  /** The end that is under way. Never rejects. */
  #deciding: Promise<void> | undefined;
  #decide: () => void = () => {};
  #end: RunEnd | undefined;
  /** The error of a chunk that can't be kept: the run has failed with it. */
  #failure: RunEnd | undefined;
  /** The chunks of a step that is under way. Undefined: none is. */
  #step: readonly EncodedText[] | undefined;
  #stepEnds: () => void = () => {};
  #wake: () => void = () => {};
  /** Resolves when there is space for chunks. */
  #space: Promise<void> | undefined;
  #makeSpace: () => void = () => {};

  constructor(parts: RunWriterParts) {
    this.#parts = parts;
    this.#next = parts.next;
  }

  /** Whether a chunk was put: the message must not be given to its agent again. */
  get hasChunks(): boolean {
    return this.#next > 0 || this.#waiting.length > 0 || this.#writing !== undefined;
  }

  get id(): string {
    return this.#parts.log.start.id;
  }

  get isLeaving(): boolean {
    return this.#parts.log.isLeaving || this.#parts.isStopping();
  }

  get isOpen(): boolean {
    return this.#at === "open";
  }

  get isClosed(): boolean {
    return this.#at === "closed";
  }

  begin(): Promise<void> | undefined {
    return this.#hasBegun ? undefined : this.#begin();
  }

  async #begin(): Promise<void> {
    const { id } = this.#parts.log.start;
    const { takeovers: before } = this.#parts;
    const isWritten =
      this.#at === "open" && (await this.#commit([{ at: "takeover", id }], ({ takeovers }) => takeovers > before));
    if (!isWritten || this.#at !== "open") throw notHere(this.#parts.log);
    this.#hasBegun = true;
  }

  /** Adds a chunk. Returns a promise while too many bytes wait. */
  put(chunk: EncodedText): Promise<void> | undefined {
    if (this.#at !== "open") return undefined;
    this.#waiting.push(chunk);
    this.#waitingBytes += bytesOf(chunk);
    this.#schedule();
    if (this.#waitingBytes <= mostWaitingBytes) return undefined;
    this.#space ??= new Promise((resolve) => {
      this.#makeSpace = resolve;
    });
    return this.#space;
  }

  async step(): Promise<readonly RunChange[]> {
    while (this.#writing !== undefined) await this.#writing;
    if (this.#at !== "open" || !this.#hasBegun) return [];
    const { id } = this.#parts.log.start;
    const chunks = this.#takeWaiting();
    this.#step = chunks;
    this.#writing = new Promise((resolve) => {
      this.#stepEnds = resolve;
    });
    const append: RunChange = { at: "append", id, from: this.#next, chunks: chunks.map(encodeChunk) };
    // A run without takeovers would begin with its message once more.
    return [...(chunks.length === 0 ? [] : [append]), { at: "step", id }, { at: "takeover", id }];
  }

  stepped(isWritten: boolean): void {
    const chunks = this.#step;
    if (chunks === undefined) return;
    this.#step = undefined;
    if (isWritten) this.#appended(chunks);
    else if (this.#at !== "closed") {
      this.#waiting = [...chunks, ...this.#waiting];
      for (const chunk of chunks) this.#waitingBytes += bytesOf(chunk);
    }
    this.#writing = undefined;
    this.#stepEnds();
    this.#freeSpace();
    this.#schedule();
  }

  async stepAlone(): Promise<void> {
    const changes = await this.step();
    if (changes.length === 0) return;
    const next = this.#next + (this.#step?.length ?? 0);
    let isWritten = false;
    try {
      isWritten = await this.#commit(changes, (run) => run.next === next && run.takeovers === 1);
    } finally {
      this.stepped(isWritten);
    }
  }

  async ending(answer: unknown): Promise<readonly RunChange[]> {
    if (this.#at !== "open") return [];
    const encoded = this.#parts.encodeAnswer(answer);
    this.#toEnd("riding");
    while (this.#writing !== undefined) await this.#writing;
    if (!this.#is("riding")) return [];
    if (this.#failure !== undefined) {
      this.ended(false);
      throw new TroupeError("message-too-large", "A chunk of the run could not be kept.");
    }
    this.#end = { status: "completed", answer: encoded };
    return this.#endChanges(this.#end);
  }

  ended(isWritten: boolean): void {
    if (this.#at !== "riding") return;
    if (isWritten && this.#end !== undefined) this.#finish(this.#end);
    else this.#at = "open";
    this.#decide();
  }

  /** Ends the run by a commit of its own. An end that is under way, or was, stands. Never rejects. */
  async end(end: RunEnd): Promise<void> {
    while (this.#at === "riding" || this.#at === "ending") await this.#deciding;
    if (this.#at !== "open") return;
    this.#toEnd("ending");
    while (this.#writing !== undefined) await this.#writing;
    try {
      if (this.#is("ending")) await this.#writeEnd(this.#failure ?? end);
    } finally {
      this.#decide();
    }
  }

  /** This worker has the run no more. What is not written is gone; the run stays as it is stored. */
  close(): void {
    if (this.#at === "ended" || this.#at === "closed") return;
    this.#at = "closed";
    this.#timer?.cancel();
    this.#waiting = [];
    this.#wake();
    this.#makeSpace();
    this.#decide();
    const { log, table } = this.#parts;
    const { abort } = log;
    table.abandon(log);
    abort?.(notHere(log));
  }

  /** TypeScript believes that a wait changes nothing. */
  #is(at: WriterState): boolean {
    return this.#at === at;
  }

  #toEnd(at: "riding" | "ending"): void {
    this.#at = at;
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#wake();
    this.#deciding = new Promise((resolve) => {
      this.#decide = resolve;
    });
  }

  async #writeEnd(end: RunEnd): Promise<void> {
    try {
      if (await this.#commit(this.#endChanges(end), ({ status }) => status === end.status)) this.#finish(end);
    } catch (error) {
      // Chunks or answer are too large for the store: the run ends without them.
      this.#waiting = [];
      await this.#writeEndOf(endOf(error));
    }
  }

  async #writeEndOf(end: RunEnd): Promise<void> {
    try {
      if (await this.#commit(this.#endChanges(end), ({ status }) => status === end.status)) this.#finish(end);
    } catch {
      // The store takes nothing of this run. It stays as it is stored.
      this.close();
    }
  }

  #endChanges(end: RunEnd): readonly RunChange[] {
    const { id } = this.#parts.log.start;
    const chunks = this.#waiting.map(encodeChunk);
    const ended: RunChange = { at: "end", id, status: end.status, outcome: encodeOutcome(end) };
    return chunks.length === 0 ? [ended] : [{ at: "append", id, from: this.#next, chunks }, ended];
  }

  /** Chunks and end are written: readers get them. */
  #finish(end: RunEnd): void {
    const { log, table } = this.#parts;
    this.#at = "ended";
    for (const chunk of this.#waiting.splice(0)) table.append(log, chunk);
    this.#makeSpace();
    table.finish(log, end);
  }

  #schedule(): void {
    if (this.#at !== "open" || this.#writing !== undefined || this.#waiting.length === 0) return;
    const leftMs = this.#lastWriteMs + gatherMs - this.#parts.clock.now();
    if (leftMs <= 0 || this.#waiting.length >= gatheredChunks || this.#waitingBytes > mostWaitingBytes / 4) {
      this.#timer?.cancel();
      this.#timer = undefined;
      this.#lastWriteMs = this.#parts.clock.now();
      this.#writing = this.#writeChunks();
      return;
    }
    this.#timer ??= this.#parts.clock.setTimer(leftMs, () => {
      this.#timer = undefined;
      this.#schedule();
    });
  }

  async #writeChunks(): Promise<void> {
    const chunks = this.#takeWaiting();
    const { id } = this.#parts.log.start;
    const from = this.#next;
    const next = from + chunks.length;
    try {
      const append: RunChange = { at: "append", id, from, chunks: chunks.map(encodeChunk) };
      if (await this.#commit([append], (run) => run.next === next)) this.#appended(chunks);
    } catch (error) {
      this.#failure = endOf(error);
    }
    this.#writing = undefined;
    if (this.#failure !== undefined) this.#failed(this.#failure);
    this.#freeSpace();
    this.#schedule();
  }

  #takeWaiting(): EncodedText[] {
    const chunks = this.#waiting;
    this.#waiting = [];
    this.#waitingBytes = 0;
    return chunks;
  }

  /** Chunks are written: readers get them. */
  #appended(chunks: readonly EncodedText[]): void {
    const { log, table } = this.#parts;
    this.#next += chunks.length;
    for (const chunk of chunks) table.append(log, chunk);
  }

  #freeSpace(): void {
    this.#makeSpace();
    this.#space = undefined;
  }

  /** A chunk can't be kept: the run fails, and its handler hears of it. */
  #failed(end: RunEnd): void {
    const { abort } = this.#parts.log;
    if (this.#at === "open") void this.end(end);
    if (end.status !== "completed") abort?.(errorOfRun(end.code, end.text));
  }

  /**
   * Commits changes, again and again while the store can't be reached. Resolves to false if this worker has the run no more. Throws what no further
   * attempt changes. `isWritten`: whether an attempt was written whose outcome is not known.
   */
  async #commit(changes: readonly RunChange[], isWritten: (run: StoredRun) => boolean): Promise<boolean> {
    const { clock, runs } = this.#parts;
    const sinceMs = clock.now();
    let isUnsure = false;
    for (let pauseMs = firstPauseMs; ; pauseMs = Math.min(2 * pauseMs, longestPauseMs)) {
      const outcome = await runs.commit(changes);
      if (this.isClosed) return false;
      switch (outcome.at) {
        case "committed":
          return true;
        case "refused":
          throw new TroupeError(
            "message-too-large",
            `The store refuses a part of the run: its limit is ${outcome.limit}.`,
          );
        case "stale":
          this.close();
          return false;
        case "conflict":
          if (isUnsure) {
            const found = await this.#found();
            if (found === undefined) break;
            if (found !== "none" && isWritten(found)) return true;
          }
          this.close();
          return false;
        case "unknown":
          isUnsure = true;
          break;
        case "failed":
          if (!passingCodes.has(outcome.error.code)) throw outcome.error;
      }
      if (clock.now() - sinceMs > longestOutageMs) {
        this.close();
        return false;
      }
      await this.#pause(pauseMs);
      if (this.isClosed) return false;
    }
  }

  /** Reads the run as it is stored. Undefined: that is not known now. */
  async #found(): Promise<StoredRun | "none" | undefined> {
    const { runs, log } = this.#parts;
    try {
      const page = await runs.read(log.start.id, { from: Number.MAX_SAFE_INTEGER });
      return page?.run ?? "none";
    } catch {
      return undefined;
    }
  }

  /** Ends early when the writer closes or ends. */
  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = this.#parts.clock.setTimer(ms, resolve);
      this.#wake = () => {
        timer.cancel();
        resolve();
      };
    });
  }
}

function notHere({ start }: RunLog): UndeliverableException {
  const text = `This worker has run "${start.id}" of ${start.agentId} no more: another one has its agent, or the agent was destroyed.`;
  return new UndeliverableException(text, { code: "shutting-down" });
}
