import { errorText, StoreError } from "../../core/internal.ts";

/** A query as the package `pg` takes it. Each column of its rows arrives as the text that the server sends. */
export interface PostgresQuery {
  readonly text: string;
  readonly values: unknown[];
  /** Prepares the statement under this name, once a connection. */
  readonly name?: string | undefined;
  readonly types: { getTypeParser(): (value: string) => string };
}

/** A connection that a pool has lent: the part of the class `PoolClient` of `pg` that a store uses. */
export interface PostgresClient {
  query(query: PostgresQuery): Promise<{ readonly rows: readonly object[] }>;
  on(event: "error", listener: (error: Error) => void): unknown;
  removeListener(event: "error", listener: (error: Error) => void): unknown;
  /** With an error the pool ends the connection, else it lends it again. */
  release(error?: Error | boolean): void;
}

/** A pool of connections: the part of the class `Pool` of `pg` that a store uses. */
export interface PostgresPool {
  connect(): Promise<PostgresClient>;
}

/** A pool that the store has made, and ends. */
export interface OwnPool extends PostgresPool {
  end(): Promise<void>;
}

/** Options of a pool of the store's own. */
export interface PoolOptions {
  readonly url: string;
  readonly size: number;
  readonly statementTimeoutMs: number;
  readonly lockTimeoutMs: number;
  /** Hears of a connection that broke while it was idle. */
  readonly onIdleError: (error: Error) => void;
}

/** Milliseconds until an attempt to connect fails. */
export const connectTimeoutMs = 5_000;

/** Imports the package `pg`, whose pool connects. Rejects with what to install. */
export async function loadPg(importPg?: () => Promise<unknown>): Promise<PgModule> {
  try {
    // A program that joins files into one takes an `import` in a `try` for optional. The package is CommonJS, of which only the default export has every name.
    const { default: pg } = (importPg === undefined ? await import("pg") : await importPg()) as {
      readonly default: PgModule;
    };
    return pg;
  } catch (cause) {
    const text = `PostgreSQL needs the package pg: npm install pg@8 (${errorText(cause)})`;
    throw new StoreError("unavailable", text, { cause });
  }
}

/** The part of the package `pg` that makes a pool. */
export interface PgModule {
  readonly Pool: new (
    options: object,
  ) => OwnPool & {
    on(event: "error", listener: (error: Error) => void): unknown;
  };
  readonly Client: new (options: object) => PgClient;
}

/** The part of a client of `pg` that opens and ends its connection. */
interface PgClient {
  connect(done: (error?: Error | null) => void): void;
  end(done: () => void): void;
}

/** Makes a pool of the store's own. It connects with the first query. What the URL says counts over these settings. */
export function createPool({ Pool, Client }: PgModule, options: PoolOptions): OwnPool {
  const pool = new Pool({
    connectionString: options.url,
    max: options.size,
    connectionTimeoutMillis: connectTimeoutMs,
    statement_timeout: options.statementTimeoutMs,
    lock_timeout: options.lockTimeoutMs,
    fallback_application_name: "troupe",
    keepAlive: true,
    allowExitOnIdle: true,
    Client: endingClient(Client),
  });
  pool.on("error", options.onIdleError);
  return pool;
}

/**
 * A client whose connection ends when it can't log in. The package itself leaves the socket open. That would keep the process alive until
 * the server gives the login up, after a minute.
 */
function endingClient(Client: PgModule["Client"]): PgModule["Client"] {
  return class extends Client {
    override connect(done: (error?: Error | null) => void): void {
      super.connect((error) => {
        if (error) this.end(() => undefined);
        done(error);
      });
    }
  };
}
