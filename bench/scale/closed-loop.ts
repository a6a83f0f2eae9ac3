import type { Round } from "../support/contender.ts";
import { LatencyRecorder } from "../support/latencies.ts";

/** Plan of a loop: keep `inFlight` messages in progress while `goesOn` returns true. */
export interface LoopPlan {
  readonly inFlight: number;
  readonly goesOn: (nowMs: number) => boolean;
}

/**
 * Keeps a number of messages in progress: each arrival starts the next. Creates no promise and no closure per message.
 */
export class ClosedLoop {
  readonly #send: (slot: number) => void;
  #plan: LoopPlan = { inFlight: 0, goesOn: () => false };
  #sentMs = new Float64Array();
  #latencies = new LatencyRecorder();
  #count = 0;
  #underWay = 0;
  #onEnd: () => void = () => {};

  /** `send` sends a message; its arrival is reported with the same slot. */
  constructor(send: (slot: number) => void) {
    this.#send = send;
  }

  /** Resolves when the loop has stopped and everything has arrived. */
  async run(plan: LoopPlan): Promise<Round> {
    this.#plan = plan;
    this.#sentMs = new Float64Array(plan.inFlight);
    this.#latencies = new LatencyRecorder();
    this.#count = 0;
    const startedMs = performance.now();
    await new Promise<void>((resolve) => {
      this.#onEnd = resolve;
      this.#underWay = plan.inFlight;
      for (let slot = 0; slot < plan.inFlight; slot += 1) this.#next(slot, startedMs);
    });
    const elapsedSeconds = (performance.now() - startedMs) / 1000;
    return { count: this.#count, perSecond: this.#count / elapsedSeconds, ...this.#latencies.summary() };
  }

  arrived(slot: number): void {
    const nowMs = performance.now();
    this.#latencies.record((nowMs - (this.#sentMs[slot] ?? Number.NaN)) * 1000);
    this.#count += 1;
    this.#next(slot, nowMs);
  }

  #next(slot: number, nowMs: number): void {
    if (this.#plan.goesOn(nowMs)) {
      this.#sentMs[slot] = nowMs;
      this.#send(slot);
    } else {
      this.#underWay -= 1;
      if (this.#underWay === 0) this.#onEnd();
    }
  }
}
