import { type Clock, watchingClock } from "../../../core/internal.ts";
import { encodeFrame, type HeartbeatFrame } from "../../../protocol/internal.ts";
import { heartbeatAnswer } from "../../sessions/heartbeat-answer.ts";
import { SignsOfLife } from "../../sessions/signs-of-life.ts";
import type { LinkQueue } from "./link-queue.ts";

export interface LinkLivenessParts {
  readonly clock: Clock;
  /** Milliseconds of silence after which a host asks, and those for the answer. */
  readonly keepAliveMs: number;
  readonly keepAliveTimeoutMs: number;
  readonly queue: LinkQueue;
  readonly receivedBytes: () => number;
  readonly send: (notice: Uint8Array) => void;
  /** Called once: the other host is silent. */
  readonly onSilent: () => void;
}

const mostSeq = 0xffff_ffff;

/** Notices that the host at the other end of a link is frozen, or that the network drops what it sends. */
export class LinkLiveness {
  readonly #parts: LinkLivenessParts;
  readonly #signs: SignsOfLife;
  #asked = 0;
  #askedMs = 0;
  #roundTripMs: number | undefined;
  /** Called with the answer to the question that each names, or to a later one. */
  readonly #onRead: { readonly seq: number; readonly resolve: () => void }[] = [];

  constructor(parts: LinkLivenessParts) {
    this.#parts = parts;
    const { clock, keepAliveMs: afterMs, keepAliveTimeoutMs: timeoutMs, queue, receivedBytes, onSilent } = parts;
    this.#signs = new SignsOfLife({
      ...{ clock: watchingClock(clock), afterMs, timeoutMs, receivedBytes, onSilent },
      frames: () => ({ left: queue.sentFrames - queue.queuedFrames, queued: queue.sentFrames }),
      ask: () => this.#ask(),
    });
  }

  /** Milliseconds between the last question that was answered and its answer. Undefined: none was. */
  get roundTripMs(): number | undefined {
    return this.#roundTripMs;
  }

  /** Asks for a sign of life, for the round trip. */
  measure(): void {
    this.#ask();
  }

  /** Resolves when the other host has read all that was sent before, or when the link has ended. */
  wasRead(): Promise<void> {
    this.#ask();
    const seq = this.#asked;
    return new Promise((resolve) => this.#onRead.push({ seq, resolve }));
  }

  /** Takes a heartbeat of the other host, and answers a question. */
  heard(heartbeat: HeartbeatFrame): void {
    if (heartbeat.isAnswer && heartbeat.seq === this.#asked)
      this.#roundTripMs = this.#parts.clock.now() - this.#askedMs;
    if (heartbeat.isAnswer) this.#settle(({ seq }) => seq <= heartbeat.seq);
    const answer = heartbeatAnswer(heartbeat);
    if (answer !== undefined) this.#parts.send(encodeFrame(answer));
  }

  stop(): void {
    this.#signs.stop();
    this.#settle(() => true);
  }

  /** The other host answers in the order of the questions. */
  #settle(isRead: (one: { readonly seq: number }) => boolean): void {
    while (this.#onRead[0] !== undefined && isRead(this.#onRead[0])) this.#onRead.shift()?.resolve();
  }

  #ask(): void {
    this.#parts.queue.settle();
    this.#asked = this.#asked === mostSeq ? 1 : this.#asked + 1;
    this.#askedMs = this.#parts.clock.now();
    this.#parts.send(encodeFrame({ kind: "heartbeat", seq: this.#asked, isAnswer: false, leaseMs: 0 }));
  }
}
