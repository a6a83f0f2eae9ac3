import type { Clock, Timer } from "../../../core/internal.ts";
import { limits } from "../../limits.ts";

export interface LinkBarriersParts {
  readonly clock: Clock;
  readonly send: (number: number) => void;
}

/** A barrier, for all that wait for it. */
interface Barrier {
  readonly reached: Promise<boolean>;
  /** False: the other host may not have read what it was told. */
  readonly settle: (isRead: boolean) => void;
}

/**
 * Barriers on a link. One is under way at most, and those that are asked for meanwhile share the next one. So a host that reads no barrier makes
 * this one keep two.
 */
export class LinkBarriers {
  readonly #parts: LinkBarriersParts;
  #underWay: { readonly number: number; readonly barrier: Barrier; readonly timer: Timer } | undefined;
  #next: Barrier | undefined;
  #lastNumber = 0;

  constructor(parts: LinkBarriersParts) {
    this.#parts = parts;
  }

  /** Resolves to true when the other host has read all that it was told so far. False: it does not say so within 2 s. */
  reach(): Promise<boolean> {
    if (this.#underWay !== undefined) {
      this.#next ??= createBarrier();
      return this.#next.reached;
    }
    const barrier = createBarrier();
    this.#begin(barrier);
    return barrier.reached;
  }

  /** The other host has read a barrier; an unknown number is fine. */
  read(number: number): void {
    if (this.#underWay?.number === number) this.#over(true);
  }

  /** The link has ended: no caller waits for it any more. */
  close(): void {
    this.#next?.settle(true);
    this.#next = undefined;
    this.#over(true);
  }

  #begin(barrier: Barrier): void {
    this.#lastNumber += 1;
    const number = this.#lastNumber;
    const timer = this.#parts.clock.setTimer(limits.barrierMs, () => this.#over(false));
    this.#underWay = { number, barrier, timer };
    this.#parts.send(number);
  }

  #over(isRead: boolean): void {
    const over = this.#underWay;
    const next = this.#next;
    this.#underWay = undefined;
    this.#next = undefined;
    over?.timer.cancel();
    over?.barrier.settle(isRead);
    if (next !== undefined) this.#begin(next);
  }
}

function createBarrier(): Barrier {
  let settle = (_isRead: boolean): void => undefined;
  const reached = new Promise<boolean>((resolve) => {
    settle = resolve;
  });
  return { reached, settle };
}
