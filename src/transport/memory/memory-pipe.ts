import { type FrameBytes, joinFrame } from "../../protocol/internal.ts";
import { oversizeStatus, refuseOversize } from "../calls/call-errors.ts";
import { HEAD_BYTES, type MessageLimits } from "../limits.ts";
import type { RpcStatus } from "../rpc-status.ts";

/** Runs a task after the current one. Tasks run in the order given. */
export type Schedule = (task: () => void) => void;

export interface MemoryPipeOptions {
  readonly schedule: Schedule;
  readonly limits: MessageLimits;
  /** Bytes that may be in transit to a paused receiver. */
  readonly windowBytes: number;
  readonly onFrame: (frame: Uint8Array) => void;
  readonly onBadFrame: (status: RpcStatus, head: Uint8Array) => void;
  /** The sender has handed over its last frame. */
  readonly onSent: () => void;
  /** The receiver has read the last frame. */
  readonly onReceived: () => void;
  readonly onDrain: () => void;
}

/** One direction of a stream. Frames wait at the sender until the window has space, then at the receiver. */
export class MemoryPipe {
  readonly #options: MemoryPipeOptions;
  #waiting: Uint8Array[] = [];
  #waitingBytes = 0;
  #unsentFrames = 0;
  #unconfirmedFrames = 0;
  #underWay: Uint8Array[] = [];
  #underWayBytes = 0;
  #deliveredBytes = 0;
  /** A new pipe is paused until its receiver is ready. */
  #isPaused = true;
  #isPlanned = false;
  #isEnding = false;
  #isAllSent = false;
  #isClosed = false;
  #owesDrain = false;
  #flushWaiters: (() => void)[] = [];

  constructor(options: MemoryPipeOptions) {
    this.#options = options;
  }

  get queuedBytes(): number {
    return this.#waitingBytes;
  }

  get queuedFrames(): number {
    return this.#waiting.length;
  }

  /** After `close`: frames that were still queued. */
  get unsentFrames(): number {
    return this.#unsentFrames;
  }

  /** Frames handed over that the receiver has not read. */
  get unconfirmedFrames(): number {
    return this.#isClosed ? this.#unconfirmedFrames : this.#underWay.length;
  }

  /** Bytes that the receiver has read. */
  get deliveredBytes(): number {
    return this.#deliveredBytes;
  }

  send(frame: FrameBytes): boolean {
    if (this.#isClosed || this.#isEnding) return false;
    refuseOversize(frame, this.#options.limits.maxSendMessageBytes);
    this.#waiting.push(joinFrame(frame));
    this.#waitingBytes += frame.byteLength;
    this.#plan();
    if (this.#waitingBytes <= this.#options.limits.highWaterBytes) return true;
    this.#owesDrain = true;
    return false;
  }

  end(): void {
    this.#isEnding = true;
    this.#plan();
  }

  pause(): void {
    this.#isPaused = true;
  }

  resume(): void {
    this.#isPaused = false;
    this.#plan();
  }

  close(): void {
    if (!this.#isClosed) {
      this.#unsentFrames = this.#waiting.length;
      this.#unconfirmedFrames = this.#underWay.length;
    }
    this.#isClosed = true;
    this.#waiting = [];
    this.#waitingBytes = 0;
    this.#underWay = [];
    this.#settleFlushed();
  }

  /** Resolves when every frame queued before this call was handed over. */
  flushed(): Promise<void> {
    if (this.#isClosed || this.#waiting.length === 0) return Promise.resolve();
    return new Promise((resolve) => this.#flushWaiters.push(resolve));
  }

  #plan(): void {
    if (this.#isPlanned || this.#isClosed) return;
    this.#isPlanned = true;
    this.#options.schedule(() => this.#run());
  }

  #run(): void {
    this.#isPlanned = false;
    do {
      this.#handOver();
      this.#deliver();
    } while (!this.#isPaused && this.#waiting.length > 0);
    if (this.#waiting.length === 0) this.#settleFlushed();
    if (this.#owesDrain && !this.#isClosed && this.#waitingBytes <= this.#options.limits.highWaterBytes / 2) {
      this.#owesDrain = false;
      this.#options.onDrain();
    }
    this.#finish();
  }

  #handOver(): void {
    while (this.#underWayBytes < this.#options.windowBytes) {
      const frame = this.#waiting.shift();
      if (frame === undefined) break;
      this.#waitingBytes -= frame.byteLength;
      this.#underWayBytes += frame.byteLength;
      this.#underWay.push(frame);
    }
  }

  #deliver(): void {
    while (!this.#isPaused && !this.#isClosed) {
      const frame = this.#underWay.shift();
      if (frame === undefined) break;
      this.#underWayBytes -= frame.byteLength;
      this.#deliveredBytes += frame.byteLength;
      const limit = this.#options.limits.maxReceiveMessageBytes;
      if (frame.byteLength > limit)
        this.#options.onBadFrame(
          oversizeStatus(frame.byteLength, limit),
          new Uint8Array(frame.subarray(0, HEAD_BYTES)),
        );
      // A copy, as over a network: the receiver owns its bytes. `slice` of a Buffer would be a view of the same memory.
      else this.#options.onFrame(new Uint8Array(frame));
    }
  }

  #finish(): void {
    if (!this.#isEnding || this.#isClosed || this.#waiting.length > 0) return;
    if (!this.#isAllSent) {
      this.#isAllSent = true;
      this.#options.onSent();
    }
    if (this.#isPaused || this.#underWay.length > 0) return;
    this.#isClosed = true;
    this.#options.onReceived();
  }

  #settleFlushed(): void {
    for (const resolve of this.#flushWaiters) resolve();
    this.#flushWaiters = [];
  }
}
