import { loggableError } from "../../delivery/loggable.ts";
import { TroupeError } from "../../errors.ts";
import type { RuntimeLog } from "../../limited-log.ts";
import {
  type DurableLog,
  type KeptMessage,
  type LostReaders,
  type ShardHold,
  ShardTakenError,
} from "../../state/durable-log.ts";

/** A shard that this process owns from now on. */
export interface GivenShard {
  /** Higher than that of each owner before. */
  readonly token: number;
  /** Owners that were lost while they read it. */
  readonly lost: readonly LostReaders[];
  /** The reading has ended by itself. Called once, when all of the shard is forgotten here. `taken`: the token of a reader that has the shard. */
  readonly ended: (taken?: number) => void;
}

/** The parts of `GivenShards`. */
export interface GivenShardsParts {
  readonly log: DurableLog;
  readonly logger: RuntimeLog;
  readonly onMessage: (message: KeptMessage) => void;
  /** Forgets what is in memory of a shard. */
  readonly onDropped: (shard: number) => void;
}

interface Reading {
  readonly given: GivenShard;
  hold: ShardHold | undefined;
  isFinishing: boolean;
}

/** The shards of a log that several processes read, each in one of them: those that this process is given. */
export class GivenShards {
  readonly #parts: GivenShardsParts;
  readonly #readings = new Map<number, Reading>();

  constructor(parts: GivenShardsParts) {
    this.#parts = parts;
  }

  /** The shards in which new work may begin. */
  get active(): readonly number[] {
    return [...this.#readings].filter(([, { isFinishing }]) => !isFinishing).map(([shard]) => shard);
  }

  isActive(shard: number): boolean {
    return this.#readings.get(shard)?.isFinishing === false;
  }

  holdOf(shard: number): ShardHold | undefined {
    return this.#readings.get(shard)?.hold;
  }

  /** Begins to read a shard. Never rejects. */
  async take(shard: number, given: GivenShard): Promise<void> {
    this.drop(shard);
    const { log, logger, onMessage } = this.#parts;
    const reading: Reading = { given, hold: undefined, isFinishing: false };
    this.#readings.set(shard, reading);
    const isCurrent = () => this.#readings.get(shard) === reading;
    try {
      const hold = await log.take(
        shard,
        given.token,
        {
          onMessage: (message) => {
            if (isCurrent()) onMessage(message);
          },
          onLost: (error) => this.#end(shard, reading, error),
        },
        { lost: given.lost },
      );
      if (isCurrent()) reading.hold = hold;
      else await hold.leave();
    } catch (error) {
      const kind = "The mail of a shard can't be read; it is taken anew";
      if (isCurrent()) logger.warn(kind, { shard, error: loggableError(TroupeError.from(error)) }, kind);
      this.#end(shard, reading, error);
    }
  }

  /** Nothing new begins in the shard. */
  finish(shard: number): void {
    const reading = this.#readings.get(shard);
    if (reading !== undefined) reading.isFinishing = true;
  }

  /** Ends the reading at once. */
  drop(shard: number): void {
    const reading = this.#readings.get(shard);
    if (reading === undefined) return;
    this.#readings.delete(shard);
    reading.hold?.leave().catch(() => undefined);
    this.#parts.onDropped(shard);
  }

  dropAll(): void {
    for (const shard of [...this.#readings.keys()]) this.drop(shard);
  }

  #end(shard: number, reading: Reading, error: unknown): void {
    if (this.#readings.get(shard) !== reading) return;
    this.drop(shard);
    reading.given.ended(error instanceof ShardTakenError ? error.token : undefined);
  }
}
