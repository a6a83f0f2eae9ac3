/** A stream that may be in the middle of a message. */
export interface MessageSource {
  /** The number of the message of which the stream keeps bytes or waits for them. 0: no message is unfinished. */
  readonly unfinished: number;
  /** Bytes of that message that have arrived. */
  readonly arrivedBytes: number;
  /** True: this side does not read the stream now, so the peer can't be to blame. */
  readonly isHeldBack: boolean;
  /** Discards the message. */
  giveUp(): void;
}

interface Progress {
  message: number;
  beganMs: number;
  arrivedBytes: number;
  movedMs: number;
}

/** The slowest that a message may come on the whole, in bytes a second. */
const SLOWEST_BYTES_PER_SECOND = 16 * 1024;

/** Looks at all messages within one time limit. */
const CHECKS = 4;

/**
 * The unfinished messages of one connection. A message is given up when no byte of it comes for the time limit. After that time
 * it must come at 16 KiB a second or more.
 */
export class UnfinishedMessages {
  readonly #timeoutMs: number;
  readonly #watched = new Map<MessageSource, Progress>();
  #timer: NodeJS.Timeout | undefined;

  constructor(timeoutMs: number) {
    this.#timeoutMs = timeoutMs;
  }

  /** Watches a source that is in the middle of a message. */
  watch(source: MessageSource): void {
    if (this.#watched.has(source) || !Number.isFinite(this.#timeoutMs)) return;
    this.#watched.set(source, progressOf(source, performance.now()));
    this.#plan();
  }

  /** The source has ended. */
  forget(source: MessageSource): void {
    this.#watched.delete(source);
  }

  close(): void {
    this.#watched.clear();
    clearTimeout(this.#timer);
  }

  #plan(): void {
    if (this.#timer !== undefined) return;
    const check = (): void => {
      this.#timer = undefined;
      this.#check(performance.now());
      if (this.#watched.size > 0) this.#plan();
    };
    // After a pause of the process, what has arrived meanwhile is read first.
    this.#timer = setTimeout(() => setImmediate(check), Math.max(1, this.#timeoutMs / CHECKS)).unref();
  }

  #check(nowMs: number): void {
    for (const [source, progress] of this.#watched) {
      if (source.unfinished === 0) this.#watched.delete(source);
      else if (source.unfinished !== progress.message || source.isHeldBack)
        this.#watched.set(source, progressOf(source, nowMs));
      else if (this.#isTooSlow(source, progress, nowMs)) {
        this.#watched.delete(source);
        source.giveUp();
      }
    }
  }

  #isTooSlow(source: MessageSource, progress: Progress, nowMs: number): boolean {
    const { arrivedBytes } = source;
    if (arrivedBytes > progress.arrivedBytes) {
      progress.arrivedBytes = arrivedBytes;
      progress.movedMs = nowMs;
    }
    if (nowMs - progress.movedMs >= this.#timeoutMs) return true;
    const lateSeconds = (nowMs - progress.beganMs - this.#timeoutMs) / 1_000;
    return arrivedBytes < lateSeconds * SLOWEST_BYTES_PER_SECOND;
  }
}

function progressOf({ unfinished, arrivedBytes }: MessageSource, nowMs: number): Progress {
  return { message: unfinished, beganMs: nowMs, arrivedBytes, movedMs: nowMs };
}
