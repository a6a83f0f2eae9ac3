import {
  anyRoom,
  assertArgument,
  assertOptions,
  type Clock,
  clock as clockKind,
  flag,
  type Logger,
  loggableText,
  logger as loggerKind,
  mailBoundsOf,
  number,
  optionShape,
  type StateStore,
  systemClock,
  TroupeError,
  text,
  withMethods,
  word,
} from "../../core/internal.ts";
import { lockKeysOf } from "./agent-id.ts";
import { Connections } from "./connections.ts";
import { connectTimeoutMs, createPool, loadPg, type OwnPool, type PgModule, type PostgresPool } from "./driver.ts";
import { PostgresStateStore } from "./postgres-state-store.ts";
import { quoteName, type SchemaStep, schemaSteps } from "./schema.ts";

/** Options of `openPostgresStore`. */
export interface PostgresStoreOptions {
  /**
   * `one`: one store writes at a time; opening the database takes it from the store before. `many`: several write, and epochs keep them
   * apart. A database remembers this. Default: `one`.
   */
  readonly writers?: "one" | "many" | undefined;
  /** The schema of the tables: letters, digits and `_`, at most 63. Default: `troupe`. */
  readonly schema?: string | undefined;
  /** Makes the schema if there is none, and migrates an older one in `open`. Default: true. */
  readonly createsSchema?: boolean | undefined;
  /** Connections at most, from 4: two write, one holds the store, the others read. Default: 6. */
  readonly poolSize?: number | undefined;
  /**
   * Milliseconds after which the server cancels a statement. After 5 s more without an answer the store gives the connection up. For a
   * pool of your own, set `statement_timeout` there, too. Default: 10 000.
   */
  readonly statementTimeoutMs?: number | undefined;
  /** Limit of one agent's state, and of one message, in bytes. A commit beyond it is refused. Default: 16 MiB. */
  readonly maxValueBytes?: number | undefined;
  /** Limit of the messages of one mailbox: an agent's told messages. For `writers: "one"`. Default: 10 000. */
  readonly maxMailboxMessages?: number | undefined;
  /** Limit of the bytes of one mailbox. Each message counts its own and 1 KiB. For `writers: "one"`. Default: 64 MiB. */
  readonly maxMailboxBytes?: number | undefined;
  /** Limit of the bytes of all mailboxes, or of the outbox. The agents of one type have at most two thirds. Default: 1 GiB. */
  readonly maxMailBytes?: number | undefined;
  /** Bytes that may wait for the database; a call beyond them rejects as `overloaded`. Default: 64 MiB. */
  readonly maxQueuedBytes?: number | undefined;
  /** Takes the store's failures. Default: no log. */
  readonly logger?: Logger | undefined;
  /** Default: the system's. */
  readonly clock?: Clock | undefined;
}

const shape = optionShape<PostgresStoreOptions>({
  writers: word("one", "many"),
  schema: text,
  createsSchema: flag,
  poolSize: number({ from: 4 }),
  statementTimeoutMs: number({ from: 1 }),
  maxValueBytes: number(anyRoom),
  maxMailboxMessages: number(anyRoom),
  maxMailboxBytes: number(anyRoom),
  maxMailBytes: number(anyRoom),
  maxQueuedBytes: number(anyRoom),
  logger: loggerKind,
  clock: clockKind,
});

/** Milliseconds for which a statement waits for a lock. */
const lockTimeoutMs = 5_000;
/** Milliseconds that an answer may take beyond the time-out of its statement. */
const answerGraceMs = 5_000;
/** Connections that do not read: two for groups of commits, and that of the holder's lock. */
const otherConnections = 3;

/** Parts that tests replace. */
export interface PostgresParts {
  readonly loadPg?: () => Promise<PgModule>;
  readonly steps?: readonly SchemaStep[];
  readonly lockTimeoutMs?: number;
  readonly answerGraceMs?: number;
}

/**
 * Opens a PostgreSQL database as a state store, and makes its tables if there are none. Reading is possible at once; `open()` takes the
 * right to write. Needs the package `pg`, version 8. The store connects anew by itself.
 *
 * `urlOrPool`: `postgres://user@host:5432/database`, or a `Pool` of `pg` that you end yourself. A setting in the URL counts over an
 * option. What the URL leaves out, `pg` takes from PGHOST and the other variables of PostgreSQL.
 *
 * Rejects with a `StoreError`. It is `unavailable` without the package, for a server that can't be reached, and for a role that lacks
 * rights. It is so for tables of a newer version of Troupe, too. It is `corrupt` if the tables of the schema belong to another program.
 *
 * @example
 * ```ts
 * await using store = await openPostgresStore("postgres://troupe@localhost:5432/agents");
 * await store.open();
 * ```
 */
export function openPostgresStore(
  urlOrPool: string | PostgresPool,
  options: PostgresStoreOptions = {},
): Promise<StateStore> {
  return openPostgresStoreWith(urlOrPool, options, {});
}

/** As `openPostgresStore`, with other parts. */
export async function openPostgresStoreWith(
  urlOrPool: string | PostgresPool,
  options: PostgresStoreOptions,
  parts: PostgresParts,
): Promise<StateStore> {
  const server = typeof urlOrPool === "string" ? serverOf(urlOrPool) : "PostgreSQL";
  if (typeof urlOrPool !== "string") {
    assertArgument(
      urlOrPool,
      "The first argument of openPostgresStore",
      withMethods("a URL or a pool of pg,", "connect"),
    );
  }
  assertOptions(options, shape, "openPostgresStore");
  const { schema = "troupe", poolSize = 6, statementTimeoutMs = 10_000, clock = systemClock, logger } = options;
  assertSchemaName(schema);
  let own: OwnPool | undefined;
  if (typeof urlOrPool === "string") {
    own = createPool(await (parts.loadPg ?? loadPg)(), {
      ...{ url: urlOrPool, size: poolSize, statementTimeoutMs, lockTimeoutMs: parts.lockTimeoutMs ?? lockTimeoutMs },
      onIdleError: ({ message }) => logger?.warn("a connection to PostgreSQL was lost", { reason: message }),
    });
  }
  const locks = lockKeysOf(schema);
  const steps = parts.steps ?? schemaSteps;
  const store = new PostgresStateStore({
    connections: new Connections({
      pool: typeof urlOrPool === "string" ? poolOf(own) : urlOrPool,
      clock,
      answerTimeoutMs: statementTimeoutMs + (parts.answerGraceMs ?? answerGraceMs),
    }),
    endPool: () => ended(own, clock),
    ...{ clock, logger, locks, createsSchema: options.createsSchema ?? true, writers: options.writers ?? "one" },
    schema: { schema, quoted: quoteName(schema), lockKey: locks.schema, steps },
    maxQueuedBytes: options.maxQueuedBytes ?? 64 * 1024 * 1024,
    maxValueBytes: options.maxValueBytes ?? 16 * 1024 * 1024,
    mail: mailBoundsOf(options),
    mostReads: poolSize - otherConnections,
    place: `${server}, schema ${schema}`,
  });
  try {
    await store.start();
  } catch (error) {
    await store.close();
    throw error;
  }
  return store;
}

/** Host, port and database of a URL, without its user and its password. The URL itself never goes into an error. */
function serverOf(url: string): string {
  let parsed: URL;
  try {
    parsed = new URL(url);
  } catch {
    throw new TroupeError("invalid-argument", `The text is not a URL of a PostgreSQL database. ${urlAdvice}`);
  }
  if (parsed.protocol !== "postgres:" && parsed.protocol !== "postgresql:") {
    const scheme = loggableText(parsed.protocol);
    throw new TroupeError("invalid-argument", `The URL of a PostgreSQL database begins with "${scheme}". ${urlAdvice}`);
  }
  const host = parsed.host || parsed.searchParams.get("host") || "";
  return loggableText(`postgres://${host}${parsed.pathname}`);
}

const urlAdvice =
  'Write it as `postgres://user:password@host:5432/database`. In the password, write "/" as %2F and "@" as %40.';

function assertSchemaName(schema: string): void {
  if (/^[a-z_][a-z0-9_]{0,62}$/i.test(schema)) return;
  const text = `The schema of openPostgresStore has letters, digits and "_", at most 63 of them, not ${loggableText(JSON.stringify(schema))}.`;
  throw new TroupeError("invalid-argument", text);
}

function poolOf(own: OwnPool | undefined): PostgresPool {
  if (own === undefined) throw new Error("A pool was made for the URL.");
  return own;
}

/** Ends a pool. It waits 5 s at most for a server that has stopped answering. */
async function ended(own: OwnPool | undefined, clock: Clock): Promise<void> {
  if (own === undefined) return;
  await new Promise<void>((resolve) => {
    const timer = clock.setTimer(connectTimeoutMs, resolve, { keepAlive: true });
    void own
      .end()
      .catch(() => undefined)
      .then(() => {
        timer.cancel();
        resolve();
      });
  });
}
