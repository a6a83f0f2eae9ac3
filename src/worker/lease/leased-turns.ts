import { ElapsedTime, WorkerLease } from "../../cluster/internal.ts";
import {
  type Clock,
  type Delivery,
  type HandlerContext,
  isLeaseMissed,
  type Layer,
  leaseMissed,
  type Timer,
  type TurnLease,
  UndeliverableException,
} from "../../core/internal.ts";

// protocol.md §11.19 E6
/** Milliseconds that a message waits for a lease. */
const waitMs = 2_000;
/** Milliseconds after which a message that has waited for its turn goes back. Its claim may be over after twice that. */
const tooOldMs = 6 * 3_600_000;

export interface LeasedTurnsOptions {
  readonly clock: Clock;
  /** Something waits for a lease: the worker asks for one. */
  readonly onMissed: () => void;
  /** Called when the worker begins or ceases to need a lease. */
  readonly onNeed: (isNeeded: boolean) => void;
}

/** Something that waits for a lease. */
interface Waiting {
  readonly resolve: () => void;
  readonly timer: Timer;
}

/**
 * The lease of this worker, as its agents see it: at a host that lends one, nothing of an agent begins without it. The session that has it is
 * the worker's newest connection, for which the host answers.
 */
export class LeasedTurns implements TurnLease {
  readonly #options: LeasedTurnsOptions;
  readonly #lease: WorkerLease;
  readonly #time: ElapsedTime;
  readonly #waiting = new Set<Waiting>();
  #isNeeded = false;
  /** The newest connection. Answers of others do not count. */
  #session: object | undefined;
  /** When something found first that the lease was over. */
  #missedMs: number | undefined;

  constructor(options: LeasedTurnsOptions) {
    this.#options = options;
    this.#lease = new WorkerLease(options.clock);
    this.#time = new ElapsedTime(options.clock);
  }

  /** Whether the worker's host lends it a lease. */
  get isNeeded(): boolean {
    return this.#isNeeded;
  }

  get mayBegin(): boolean {
    return !this.#isNeeded || this.#lease.isHeld;
  }

  /** Whether something waits for a lease. */
  get isAwaited(): boolean {
    return this.#waiting.size > 0;
  }

  /** Notes when a message comes, for its wait. Undefined: no lease is needed. */
  get arrivedMs(): number | undefined {
    return this.#isNeeded ? this.#time.now() : undefined;
  }

  /** A connection is opened: what was lent to the one before counts no more. */
  begin(session: object): void {
    this.#session = session;
    this.#lease.end();
  }

  /** The connection has ended, or no host serves the worker. */
  end(): void {
    this.#session = undefined;
    this.#lease.end();
  }

  /** The host of the newest connection lends a lease, or needs none. */
  need(isNeeded: boolean): void {
    if (isNeeded === this.#isNeeded) return;
    this.#isNeeded = isNeeded;
    this.#options.onNeed(isNeeded);
    if (!isNeeded) this.#release();
  }

  /** Returns the number of the next question of a connection. Undefined: its answer would not count. */
  request(session: object): number | undefined {
    return this.#isNeeded && session === this.#session ? this.#lease.request() : undefined;
  }

  /** Takes an answer that came on a connection. */
  granted(session: object, seq: number, leaseMs: number): void {
    if (session !== this.#session || leaseMs === 0) return;
    this.#lease.granted(seq, leaseMs);
    if (this.#lease.isHeld) this.#release();
  }

  wait(arrivedMs?: number, context?: HandlerContext): Promise<void> | undefined {
    if (!this.#isNeeded) return undefined;
    const isHeld = this.#lease.isHeld;
    // What waits begins first: each in its order.
    if (isHeld && this.#waiting.size === 0) {
      this.#missedMs = undefined;
      return undefined;
    }
    return this.#later(isHeld, arrivedMs, context);
  }

  /** The layer in which the handlers of a worker begin that needs a lease. */
  readonly layer: Layer = (delivery, next) => {
    const { arrivedMs } = delivery;
    if (arrivedMs !== undefined && this.#time.now() - arrivedMs > tooOldMs)
      return refuse(delivery, "too-old", tooOld());
    const lent = this.wait(arrivedMs, delivery.context);
    return lent === undefined ? next() : this.#beginLater(delivery, next, lent);
  };

  async #beginLater(delivery: Delivery, next: () => unknown, first: Promise<void>): Promise<unknown> {
    const { context, arrivedMs } = delivery;
    context.isWaiting = true;
    try {
      await first;
      while (!this.mayBegin) await this.#later(false, arrivedMs, context);
    } catch (error) {
      return refuse(delivery, isLeaseMissed(error) ? "no-lease" : undefined, error);
    } finally {
      context.onAbort = undefined;
    }
    context.isWaiting = false;
    return next();
  }

  /** `context`: that of a message, which may be given up meanwhile. */
  #later(isHeld: boolean, arrivedMs: number | undefined, context?: HandlerContext): Promise<void> {
    const { clock, onMissed } = this.#options;
    const nowMs = this.#time.now();
    if (!isHeld) this.#missedMs ??= nowMs;
    const sinceMs = Math.max(arrivedMs ?? nowMs, this.#missedMs ?? nowMs);
    const leftMs = Math.max(0, sinceMs + waitMs - nowMs);
    return new Promise<void>((resolve, reject) => {
      const giveUp = (reason: unknown) => {
        waiting.timer.cancel();
        this.#waiting.delete(waiting);
        reject(reason);
      };
      const waiting: Waiting = { resolve, timer: clock.setTimer(leftMs, () => giveUp(leaseMissed())) };
      this.#waiting.add(waiting);
      if (isHeld) this.#release();
      else onMissed();
      if (context === undefined) return;
      context.onAbort = giveUp;
      // Reading the signal makes the context follow the deadline of the call. It may have aborted before.
      if (context.signal.aborted) giveUp(context.signal.reason);
    });
  }

  /** Lets everything begin that waits. What comes in this turn of the event loop finds it waiting still, and begins behind it. */
  #release(): void {
    this.#missedMs = undefined;
    const released = [...this.#waiting];
    if (released.length === 0) return;
    for (const { resolve, timer } of released) {
      timer.cancel();
      resolve();
    }
    queueMicrotask(() => {
      for (const waiting of released) this.#waiting.delete(waiting);
    });
  }
}

/** Ends a message that no handler has seen. It goes back to its host if it can. */
function refuse(delivery: Delivery, reason: "no-lease" | "too-old" | undefined, error: unknown): never {
  // The dispatcher tells by this that no handler has seen it.
  delivery.context.isWaiting = true;
  if (reason !== undefined) delivery.giveBack?.(reason);
  throw error;
}

function tooOld(): UndeliverableException {
  const text = "The message has waited for its turn for six hours, and was not handled. Send it again.";
  return new UndeliverableException(text, { code: "shutting-down", notHandled: true });
}
