import type { Clock } from "../../core/internal.ts";
import { connectTimeoutMs, type PostgresClient, type PostgresPool } from "./driver.ts";

/** A row of a result; each column as the server's text. */
export type Row = { readonly [column: string]: string | null | undefined };

/** A statement and its values. */
export interface Statement {
  readonly text: string;
  readonly values: readonly unknown[];
  readonly name?: string | undefined;
}

/** Statements on one connection. */
export interface Session {
  query(statement: Statement): Promise<readonly Row[]>;
  /** Runs several statements without values. */
  script(text: string): Promise<void>;
}

/** A statement has failed, or its connection. */
export class QueryFailure extends Error {
  override readonly cause: unknown;
  /** Whether the server may have carried the statement out. */
  readonly isUndecided: boolean;

  constructor(cause: unknown, isUndecided: boolean) {
    super("A query has failed.", { cause });
    this.cause = cause;
    this.isUndecided = isUndecided;
  }
}

/** The parts of a `Connections`. */
export interface ConnectionsParts {
  readonly pool: PostgresPool;
  readonly clock: Clock;
  /** Milliseconds without an answer after which a connection is given up. */
  readonly answerTimeoutMs: number;
}

const rawTypes = { getTypeParser: () => (value: string) => value };

/** Runs statements on the connections of a pool. */
export class Connections {
  readonly #parts: ConnectionsParts;

  constructor(parts: ConnectionsParts) {
    this.#parts = parts;
  }

  /** Runs one statement on any connection. Rejects with a `QueryFailure`. */
  query(statement: Statement): Promise<readonly Row[]> {
    return this.use((session) => session.query(statement));
  }

  /** Lends a connection. After a failure that it does not survive, the pool ends it. */
  async use<T>(run: (session: Session) => Promise<T>): Promise<T> {
    const lent = await this.lend();
    try {
      return await run(lent.session);
    } finally {
      lent.giveBack();
    }
  }

  /** Lends a connection until `giveBack`. */
  async lend(): Promise<LentConnection> {
    const { pool, clock } = this.#parts;
    let isLate = false;
    const connecting = pool.connect();
    connecting.then(
      (client) => isLate && client.release(),
      () => undefined,
    );
    try {
      const client = await within(clock, connectTimeoutMs * 2, connecting, () => {
        isLate = true;
      });
      return new LentConnection(client, this.#parts);
    } catch (error) {
      throw new QueryFailure(error, false);
    }
  }
}

/** A connection that a pool has lent. */
export class LentConnection {
  /** Resolves when the connection is lost. */
  readonly lost: Promise<void>;
  readonly session: Session = {
    query: (statement) => this.#query(statement),
    script: async (text) => void (await this.#run({ text, values: [], types: rawTypes })),
  };
  readonly #client: PostgresClient;
  readonly #parts: ConnectionsParts;
  #isBroken = false;
  #isBack = false;
  #noteLoss: () => void = () => undefined;
  readonly #onError = (): void => this.#lose();

  constructor(client: PostgresClient, parts: ConnectionsParts) {
    this.#client = client;
    this.#parts = parts;
    this.lost = new Promise((resolve) => {
      this.#noteLoss = resolve;
    });
    // Without a listener, the loss of a connection would end the process.
    client.on("error", this.#onError);
  }

  /** Gives the connection back to its pool; with `ends` the pool ends it. */
  giveBack(ends = false): void {
    if (this.#isBack) return;
    this.#isBack = true;
    this.#client.release(this.#isBroken || ends);
    this.#client.removeListener("error", this.#onError);
  }

  /** Lets the process end although this connection is open. */
  unref(): void {
    // A client of `pg` has this method; a pool of another kind may lack it.
    (this.#client as { readonly unref?: () => void }).unref?.();
  }

  /** Gives the connection up: its statement fails. */
  #abandon(): void {
    this.#lose();
    this.giveBack();
  }

  #lose(): void {
    this.#isBroken = true;
    this.#noteLoss();
  }

  async #query({ text, values, name }: Statement): Promise<readonly Row[]> {
    const { rows } = await this.#run({ text, values: [...values], name, types: rawTypes });
    // `rawTypes` leaves the texts of the columns as they are.
    return rows as readonly Row[];
  }

  async #run(query: Parameters<PostgresClient["query"]>[0]) {
    if (this.#isBroken) throw new QueryFailure(new Error("The connection is lost."), false);
    const { clock, answerTimeoutMs } = this.#parts;
    try {
      return await within(clock, answerTimeoutMs, this.#client.query(query), () => this.#abandon());
    } catch (error) {
      throw new QueryFailure(error, !(await this.#survives(error)));
    }
  }

  /**
   * Whether the session has outlived the error of a statement. Then the server has rolled it back; else it may have carried it out.
   */
  async #survives(error: unknown): Promise<boolean> {
    if (this.#isBroken || sqlStateOf(error) === undefined) {
      this.#lose();
      return false;
    }
    const { clock } = this.#parts;
    try {
      const probe = this.#client.query({ text: "select 1", values: [], types: rawTypes });
      await within(clock, connectTimeoutMs, probe, () => this.#abandon());
      return true;
    } catch (probeError) {
      // 25P02: the session is in a transaction that has failed. It lives.
      if (sqlStateOf(probeError) === "25P02") return true;
      this.#lose();
      return false;
    }
  }
}

/** Returns the SQLSTATE of an error. Undefined: the error is not the server's. */
export function sqlStateOf(error: unknown): string | undefined {
  if (error instanceof QueryFailure) return sqlStateOf(error.cause);
  if (!(error instanceof Error) || !("code" in error) || typeof error.code !== "string") return undefined;
  // Errors of sockets have codes such as ECONNREFUSED or EPIPE.
  return "severity" in error && /^[0-9A-Z]{5}$/.test(error.code) ? error.code : undefined;
}

/** Waits for a promise; after `timeoutMs` it calls `onTimeout` and rejects. */
async function within<T>(clock: Clock, timeoutMs: number, promise: Promise<T>, onTimeout: () => void): Promise<T> {
  return new Promise((resolve, reject) => {
    const expire = (): void => {
      reject(new Error(`The server has not answered for ${timeoutMs} ms.`));
      onTimeout();
    };
    const timer = clock.setTimer(timeoutMs, expire, { keepAlive: true });
    promise.then(resolve, reject).finally(() => timer.cancel());
  });
}
