import { TroupeError } from "../../core/internal.ts";
import type { MemoryAccount } from "../../transport/internal.ts";
import type { FrameUse } from "./peer.ts";

/** How much may wait for one worker, and what happens beyond. */
export interface QueueBounds {
  readonly maxQueuedFrames: number;
  readonly maxQueuedBytes: number;
  readonly whenFull: "drop" | "disconnect";
}

/** Throws `invalid-argument` for a queue that its connection could never fill. `name`: of the option for `maxHeldBytes`. */
export function assertQueueFits(
  { maxQueuedBytes }: { readonly maxQueuedBytes?: number | undefined },
  maxHeldBytes = Number.POSITIVE_INFINITY,
  name = "maxHeldBytes",
): void {
  if (maxQueuedBytes === undefined || maxQueuedBytes <= maxHeldBytes) return;
  throw new TroupeError(
    "invalid-argument",
    `The option maxQueuedBytes (${maxQueuedBytes}) is more than ${name} of the listener (${maxHeldBytes}), which includes the queue: ` +
      "raise maxHeldBytes to twice maxQueuedBytes, leave it out, or lower maxQueuedBytes.",
  );
}

interface Queue {
  readonly queuedFrames: number;
  readonly queuedBytes: number;
}

/** Bytes that the transport adds to each frame. */
const prefixBytes = 5;

/** Answers and notices may take twice as much as calls and events: they end a caller's wait, or a handler's work. */
const answerRooms = 2;

function isUrgent(use: FrameUse): boolean {
  return use === "answer" || use === "notice";
}

/** The bound on what waits for one worker, and its connection's account. It says when the bound is reached, and when there is space again. */
export class QueueBound {
  readonly #queue: Queue;
  readonly #bounds: QueueBounds;
  readonly #account: MemoryAccount;
  #lost = 0;

  constructor(queue: Queue, bounds: QueueBounds, account: MemoryAccount) {
    this.#queue = queue;
    this.#bounds = bounds;
    this.#account = account;
  }

  get endsChannel(): boolean {
    return this.#bounds.whenFull === "disconnect";
  }

  hasRoom(frameBytes: number, use: FrameUse): boolean {
    return (
      this.#isWithin(frameBytes, use) &&
      this.#account.mayTake(frameBytes + prefixBytes, isUrgent(use) ? "urgent" : "keeping")
    );
  }

  /** A single frame longer than the whole bound may pass when nothing else waits. */
  #isWithin(frameBytes: number, use: FrameUse): boolean {
    const rooms = isUrgent(use) ? answerRooms : 1;
    const { queuedFrames, queuedBytes } = this.#queue;
    if (queuedFrames === 0) return true;
    const { maxQueuedFrames, maxQueuedBytes } = this.#bounds;
    return queuedFrames < rooms * maxQueuedFrames && queuedBytes + frameBytes <= rooms * maxQueuedBytes;
  }

  /** Counts a lost frame. True: it is the first since the queue had space. */
  noteLoss(): boolean {
    this.#lost += 1;
    return this.#lost === 1;
  }

  /** Returns once how many frames were lost when half the space is free again; else 0. */
  takeRelief(): number {
    if (this.#lost === 0 || !this.#isHalfFree()) return 0;
    const lost = this.#lost;
    this.#lost = 0;
    return lost;
  }

  #isHalfFree(): boolean {
    const { queuedFrames, queuedBytes } = this.#queue;
    return 2 * queuedFrames <= this.#bounds.maxQueuedFrames && 2 * queuedBytes <= this.#bounds.maxQueuedBytes;
  }
}
