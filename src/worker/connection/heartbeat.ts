import { type Clock, watchingClock } from "../../core/internal.ts";
import type { HeartbeatFrame } from "../../protocol/internal.ts";

export interface HeartbeatOptions {
  readonly clock: Clock;
  /** Milliseconds between two heartbeats. 0: none. */
  readonly everyMs: number;
  /** Returns the number of the next question, under which the host also lends a lease. Undefined: it lends none. */
  readonly leaseSeq: () => number | undefined;
  /** Sends a heartbeat on the data channel; returns the function to call when its answer comes. Undefined: it can't leave now. */
  readonly askData: (heartbeat: HeartbeatFrame) => (() => void) | undefined;
  /** Sends a heartbeat on each other open stream. */
  readonly askOthers: (heartbeat: HeartbeatFrame) => void;
}

const mostSeq = 0xffff_ffff;

/** Sends something on each open stream of a connection at an interval, so that no proxy ends a quiet one. */
// protocol.md §11.12
export class Heartbeat {
  readonly #options: HeartbeatOptions;
  #isOn = false;
  #seq = 0;
  /** The last heartbeat on the data channel, until its answer comes. */
  #asked: { readonly seq: number; readonly onAnswer: () => void } | undefined;
  #stop = () => {};

  constructor(options: HeartbeatOptions) {
    this.#options = { ...options, clock: watchingClock(options.clock) };
  }

  /** Whether the host answers heartbeats. */
  get isOn(): boolean {
    return this.#isOn;
  }

  /** Starts the interval. Call it when the host has named `heartbeat`. */
  start(): void {
    if (this.#isOn || this.#options.everyMs === 0) return;
    this.#isOn = true;
    this.#wait();
  }

  stop(): void {
    this.#isOn = false;
    this.#stop();
  }

  /** Sends one heartbeat on the data channel now. Returns false when it can't leave. */
  ask(): boolean {
    if (!this.#isOn) return false;
    const heartbeat = this.#next();
    const onAnswer = this.#options.askData(heartbeat);
    if (onAnswer !== undefined) this.#asked = { seq: heartbeat.seq, onAnswer };
    return onAnswer !== undefined;
  }

  /** Sends one heartbeat on the data channel now, behind what waits there. Resolves to true when its answer comes. Undefined: it can't leave. */
  answered(): Promise<boolean> | undefined {
    const heartbeat = this.#next();
    const onAnswer = this.#options.askData(heartbeat);
    if (onAnswer === undefined) return undefined;
    return new Promise((resolve) => {
      const settle = () => {
        onAnswer();
        resolve(true);
      };
      this.#asked = { seq: heartbeat.seq, onAnswer: settle };
    });
  }

  /** Takes a heartbeat of the host from the data channel. Answers one that asks, unless frames wait to leave: those answer it. */
  take(frame: HeartbeatFrame): void {
    if (!frame.isAnswer) return void this.#options.askData(heartbeatAnswer(frame));
    const asked = this.#asked;
    if (asked?.seq !== frame.seq) return;
    this.#asked = undefined;
    asked.onAnswer();
  }

  #next(): HeartbeatFrame {
    const leaseSeq = this.#options.leaseSeq();
    if (leaseSeq === undefined) this.#seq = this.#seq === mostSeq ? 1 : this.#seq + 1;
    else this.#seq = leaseSeq;
    return heartbeatQuestion(this.#seq);
  }

  #wait(): void {
    const { clock, everyMs, askOthers } = this.#options;
    const timer = clock.setTimer(everyMs, () => {
      this.ask();
      askOthers(this.#next());
      this.#wait();
    });
    this.#stop = () => timer.cancel();
  }
}

/** Returns a question of the worker. */
export function heartbeatQuestion(seq: number): HeartbeatFrame {
  return { kind: "heartbeat", seq, isAnswer: false, leaseMs: 0 };
}

/** Returns the worker's answer to a host that asks whether the worker lives. */
export function heartbeatAnswer({ seq }: HeartbeatFrame): HeartbeatFrame {
  return { kind: "heartbeat", seq, isAnswer: true, leaseMs: 0 };
}
