import type { Clock, Timer } from "../../clock.ts";
import { loggableError } from "../../delivery/loggable.ts";
import { TroupeError } from "../../errors.ts";
import type { RuntimeLog } from "../../limited-log.ts";
import type { DurableLog, KeptMessage, ShardHold } from "../../state/durable-log.ts";
import type { StateStore } from "../../state/state-store.ts";
import { StoreError } from "../../state/store-error.ts";

/** The parts of `OwnShards`. */
export interface OwnShardsParts {
  readonly store: Pick<StateStore, "settle">;
  readonly log: DurableLog;
  readonly clock: Clock;
  readonly logger: RuntimeLog;
  readonly onMessage: (message: KeptMessage) => void;
  /** All shards were lost, and are taken again. */
  readonly onCleared: () => void;
  /** The store belongs to another process now, or is closed. */
  readonly onLost: (error: StoreError) => void;
}

const retakeMs = 2_000;

/** All shards of a log that this process alone reads. When one is lost, all are taken again together, unless the store is lost. */
export class OwnShards {
  readonly #parts: OwnShardsParts;
  readonly #holds = new Map<number, ShardHold>();
  #token = 0;
  #retakeTimer: Timer | undefined;
  #isRunning = false;

  constructor(parts: OwnShardsParts) {
    this.#parts = parts;
  }

  holdOf(shard: number): ShardHold | undefined {
    return this.#holds.get(shard);
  }

  async start(token: number): Promise<void> {
    this.#isRunning = true;
    this.#token = token;
    await this.#takeAll();
  }

  stop(): void {
    this.#isRunning = false;
    this.#retakeTimer?.cancel();
    this.#leaveAll();
  }

  async #takeAll(): Promise<void> {
    const { log, onMessage } = this.#parts;
    try {
      for (let shard = 0; shard < log.shards && this.#isRunning; shard += 1) {
        const hold = await log.take(shard, this.#token, {
          onMessage,
          onLost: (reason) => this.#lose(shard, reason),
        });
        if (this.#isRunning) this.#holds.set(shard, hold);
        else await hold.leave();
      }
    } catch (error) {
      this.#lose(0, error);
    }
  }

  #lose(shard: number, reason: unknown): void {
    this.#holds.delete(shard);
    if (!this.#isRunning || this.#retakeTimer !== undefined) return;
    const { clock, logger, onCleared, onLost } = this.#parts;
    if (reason instanceof StoreError && reason.storeCode === "fenced") return onLost(reason);
    onCleared();
    this.#leaveAll();
    const error = loggableError(TroupeError.from(reason));
    logger.warn("The mailboxes of the state store can't be read; they are taken again in 2 s", { error });
    this.#retakeTimer = clock.setTimer(retakeMs, () => {
      this.#retakeTimer = undefined;
      void this.#retake();
    });
  }

  async #retake(): Promise<void> {
    const { store, onLost } = this.#parts;
    try {
      // Writes nothing; it fails if this process does not hold the store any more.
      await store.settle({ ticks: [], mail: [] });
    } catch (error) {
      const isLost = error instanceof StoreError && (error.storeCode === "fenced" || error.storeCode === "closed");
      if (isLost) onLost(error);
      else this.#lose(0, error);
      return;
    }
    await this.#takeAll();
  }

  #leaveAll(): void {
    for (const hold of this.#holds.values()) hold.leave().catch(() => undefined);
    this.#holds.clear();
  }
}
