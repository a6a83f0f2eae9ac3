import type { Clock } from "../clock.ts";
import { UndeliverableException } from "../errors.ts";
import { bytesOf, type EncodedText } from "./encoded-text.ts";
import { knownCode } from "./run-end.ts";
import type { RunLog } from "./run-log.ts";
import { type ReadRun, RunPage, RunPart, type RunStatusFields } from "./run-messages.ts";

/** Longest wait of one reading. The reader asks again. */
export const longestReadMs = 25_000;
/** Readings that may wait for chunks at a time. Those of one caller's runs may be half of them. */
const mostWaiting = 10_000;
/** Bytes of the chunks of one page. One chunk may exceed it. */
const pageBytes = 256 * 1024;

/** Reads the logs of runs, for readers that read streams and for those that can't. */
export class RunReading {
  readonly #clock: Clock;
  #waiting = 0;
  /** The readers that wait for the runs of a caller, by its account. */
  readonly #waitingOf = new Map<string, number>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Yields chunks as they come. Returns a page without chunks: the outcome, or nothing new came for a while. */
  async *parts(log: RunLog, { from_offset, wait_ms }: ReadRun, signal: AbortSignal): AsyncGenerator<RunPart, RunPage> {
    let offset = from_offset < 0 ? log.first : from_offset;
    log.assertKept(offset);
    for (;;) {
      while (offset < log.next) {
        const { typeName: chunk_type, contentType: chunk_content_type, text: chunk } = log.at(offset);
        yield RunPart({ offset, chunk_type, chunk_content_type, chunk });
        offset += 1;
      }
      log.assertKept(offset);
      if (log.end !== undefined || !(await this.#change(log, wait_ms, signal))) return pageOf(log, offset, []);
    }
  }

  /** Returns the chunks that are there. If there are none, it waits for the next one, or for the end. */
  async page(log: RunLog, { from_offset, max_chunks, wait_ms }: ReadRun, signal: AbortSignal): Promise<RunPage> {
    if (max_chunks <= 0) {
      await this.#endOf(log, wait_ms, signal);
      return pageOf(log, log.next, []);
    }
    const offset = from_offset < 0 ? log.first : from_offset;
    log.assertKept(offset);
    if (offset === log.next && log.end === undefined) await this.#change(log, wait_ms, signal);
    log.assertKept(offset);
    return pageOf(log, offset, chunksFrom(log, offset, max_chunks));
  }

  async #endOf(log: RunLog, waitMs: number, signal: AbortSignal): Promise<void> {
    const untilMs = this.#clock.now() + Math.min(waitMs, longestReadMs);
    while (log.end === undefined) {
      const leftMs = untilMs - this.#clock.now();
      if (leftMs <= 0 || !(await this.#change(log, leftMs, signal))) return;
    }
  }

  /** Resolves to true when the log has changed, and to false when the time is up or the reader has left. */
  async #change(log: RunLog, waitMs: number, signal: AbortSignal): Promise<boolean> {
    if (waitMs <= 0 || signal.aborted) return false;
    const { account } = log.start;
    const ofCaller = this.#waitingOf.get(account) ?? 0;
    if (this.#waiting >= mostWaiting) throw tooMany(`${mostWaiting} readers of runs`);
    if (ofCaller >= mostWaiting / 2) throw tooMany(`${mostWaiting / 2} readers of this caller's runs`);
    this.#waiting += 1;
    this.#waitingOf.set(account, ofCaller + 1);
    try {
      return await new Promise<boolean>((resolve) => {
        const timer = this.#clock.setTimer(Math.min(waitMs, longestReadMs), () => {
          stop();
          resolve(false);
        });
        const stop = log.onChange(() => {
          timer.cancel();
          resolve(!signal.aborted);
        }, signal);
      });
    } finally {
      this.#waiting -= 1;
      const left = (this.#waitingOf.get(account) ?? 1) - 1;
      if (left === 0) this.#waitingOf.delete(account);
      else this.#waitingOf.set(account, left);
    }
  }
}

function tooMany(readers: string): UndeliverableException {
  return new UndeliverableException(`${readers} wait at this worker. Read again later.`, { code: "overloaded" });
}

/** Returns chunks of one type, from an offset on. */
function chunksFrom(log: RunLog, offset: number, most: number): EncodedText[] {
  const chunks: EncodedText[] = [];
  let bytes = 0;
  for (let at = offset; at < log.next && chunks.length < most; at += 1) {
    const chunk = log.at(at);
    const [first = chunk] = chunks;
    const isOther = chunk.typeName !== first.typeName || chunk.contentType !== first.contentType;
    if (isOther || (bytes > 0 && bytes + bytesOf(chunk) > pageBytes)) break;
    bytes += bytesOf(chunk);
    chunks.push(chunk);
  }
  return chunks;
}

function pageOf(log: RunLog, offset: number, chunks: readonly EncodedText[]): RunPage {
  const { status, first, next, end } = log;
  const isEnd = end !== undefined && offset + chunks.length >= next;
  const answer = isEnd && end.status === "completed" ? end.answer : undefined;
  const failure = isEnd && end.status !== "completed" ? end : undefined;
  return RunPage({
    ...{ status, first, next, offset, is_end: isEnd },
    chunk_type: chunks[0]?.typeName ?? "",
    chunk_content_type: chunks[0]?.contentType ?? "",
    chunks: chunks.map(({ text }) => text),
    answer_type: answer?.typeName ?? "",
    answer_content_type: answer?.contentType ?? "",
    answer: answer?.text ?? "",
    error_code: failure?.code ?? "",
    error: failure?.text ?? "",
  });
}

/** Returns the present of a run. */
export function statusOf(log: RunLog): RunStatusFields {
  const { status, first, next, start, updatedMs, end } = log;
  const failure = end === undefined || end.status === "completed" ? undefined : end;
  return {
    ...{ run_id: start.id, agent: start.agentId.toString(), status, first, next, owner: start.owner },
    ...{ started_at: Math.floor(start.nowMs), updated_at: Math.floor(updatedMs), is_new: false },
    error_code: failure === undefined ? "" : knownCode(failure.code),
    error: failure?.text ?? "",
  };
}
