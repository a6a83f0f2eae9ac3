import type { Clock, Timer } from "../../core/internal.ts";
import type { Connections, LentConnection } from "./connections.ts";

/** Milliseconds between two attempts to take a lock that was lost. */
const takeAgainMs = 5_000;

/** The parts of a `HolderLock`. */
export interface HolderLockParts {
  readonly connections: Connections;
  readonly clock: Clock;
  readonly key: string;
  /** Whether other holders may share it. */
  readonly isShared: boolean;
}

/**
 * An advisory lock that says that a holder lives. It belongs to a connection, so that the server frees it when the process ends. A lost
 * one is taken again when it is free. Only the fence decides who may write.
 */
export class HolderLock {
  readonly #parts: HolderLockParts;
  #connection: LentConnection | undefined;
  #timer: Timer | undefined;
  #isWanted = false;
  #taking: Promise<boolean> | undefined;

  constructor(parts: HolderLockParts) {
    this.#parts = parts;
  }

  get isHeld(): boolean {
    return this.#connection !== undefined;
  }

  /** Takes the lock. Resolves to whether it has it. */
  take(): Promise<boolean> {
    if (this.#connection !== undefined) return Promise.resolve(true);
    this.#taking ??= this.#take().finally(() => {
      this.#taking = undefined;
    });
    return this.#taking;
  }

  async #take(): Promise<boolean> {
    const { connections, key, isShared } = this.#parts;
    const connection = await connections.lend();
    try {
      const text = `select pg_try_advisory_lock${isShared ? "_shared" : ""}($1) as taken`;
      const [row] = await connection.session.query({ text, values: [key] });
      if (row?.taken !== "t") {
        connection.giveBack();
        return false;
      }
    } catch (error) {
      connection.giveBack(true);
      throw error;
    }
    this.#connection = connection;
    connection.unref();
    void connection.lost.then(() => this.#lose(connection));
    return true;
  }

  /** From now on a lock that is lost is taken again. */
  keep(): void {
    this.#isWanted = true;
    if (this.#connection === undefined) this.#takeLater();
  }

  /** Frees the lock. */
  async release(): Promise<void> {
    this.#isWanted = false;
    this.#timer?.cancel();
    const connection = this.#connection;
    this.#connection = undefined;
    if (connection === undefined) return;
    const text = `select pg_advisory_unlock${this.#parts.isShared ? "_shared" : ""}($1)`;
    try {
      await connection.session.query({ text, values: [this.#parts.key] });
      connection.giveBack();
    } catch {
      // The server frees the lock with the connection.
      connection.giveBack(true);
    }
  }

  #lose(connection: LentConnection): void {
    if (this.#connection !== connection) return;
    this.#connection = undefined;
    connection.giveBack(true);
    if (this.#isWanted) this.#takeLater();
  }

  #takeLater(): void {
    this.#timer?.cancel();
    this.#timer = this.#parts.clock.setTimer(takeAgainMs, () => void this.#takeAgain());
  }

  async #takeAgain(): Promise<void> {
    const isTaken = await this.take().catch(() => false);
    if (!this.#isWanted) return this.release();
    if (!isTaken) this.#takeLater();
  }
}
