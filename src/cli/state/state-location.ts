import { existsSync, mkdirSync, realpathSync } from "node:fs";
import { dirname, resolve } from "node:path";
import {
  errorText,
  loggableText,
  MemoryStateStore,
  type StateStore,
  StoreError,
  TroupeError,
} from "../../core/internal.ts";
import { textWithFlags } from "./errors-in-flags.ts";

/** A place where agent states are kept, as `--state` names it. */
export type StateLocation =
  | { readonly kind: "sqlite"; readonly file: string }
  | { readonly kind: "postgres"; readonly url: string }
  | { readonly kind: "memory" };

/** The options of a store that a command opens. */
export interface OpenStateOptions {
  readonly synchronous?: "full" | "normal" | undefined;
  /** Makes a SQLite file that does not exist. Default: true. */
  readonly creates?: boolean | undefined;
  /** Opens a SQLite file that need not be writable. Default: false. */
  readonly readOnly?: boolean | undefined;
  /** How many hosts write to PostgreSQL. Default: one. */
  readonly writers?: "one" | "many" | undefined;
  /** Runs SQLite in a thread of its own, so that a host does not wait for the disk. Default: true. */
  readonly thread?: boolean | undefined;
}

/** The file of a command that names no other store, in the folder where it runs. */
export const defaultStateFile = "troupe-data/state.db";

/** Reads `sqlite:FILE`, `postgres://…` or `memory:`. Undefined: it is none of them. */
export function parseStateLocation(text: string): StateLocation | undefined {
  if (text === "memory:") return { kind: "memory" };
  if (/^postgres(ql)?:\/\/./.test(text)) return { kind: "postgres", url: text };
  const [, file] = /^sqlite:(.+)$/.exec(text) ?? [];
  return file === undefined ? undefined : { kind: "sqlite", file };
}

/** Formats a location so that two texts are the same where the store is. It has no password. */
export function formatLocation(location: StateLocation): string {
  switch (location.kind) {
    case "memory":
      return "memory:";
    case "sqlite":
      return `sqlite:${existsSync(location.file) ? realpathSync(location.file) : resolve(location.file)}`;
    case "postgres": {
      if (!URL.canParse(location.url)) return "postgres:";
      const { host, pathname } = new URL(location.url);
      return `postgres://${host}${pathname}`;
    }
  }
}

/** Opens a store for reading; `open()` takes it for writing. Rejects with an error that says what to do. */
export async function openState(location: StateLocation, options: OpenStateOptions = {}): Promise<StateStore> {
  switch (location.kind) {
    case "memory":
      return new MemoryStateStore();
    case "sqlite":
      return openSqlite(location.file, options);
    case "postgres":
      return openPostgres(location.url, options);
  }
}

/** The parts of `openDefaultState` that tests replace. */
export interface DefaultStateParts {
  readonly file?: string;
  /** Rejects if there is no driver. */
  readonly tryDriver?: () => Promise<void>;
}

/**
 * The store of a host whose command names none: a SQLite file where there is a driver, else memory. `onMemory` gets the reason. Rejects
 * if there is such a file and no driver: in memory, its agents would begin anew.
 */
export async function openDefaultState(
  options: OpenStateOptions,
  onMemory: (why: string) => void,
  { file = defaultStateFile, tryDriver = trySqlite }: DefaultStateParts = {},
): Promise<StateStore> {
  try {
    await tryDriver();
  } catch (error) {
    if (existsSync(file)) {
      const text = `${loggableText(file)} has states of agents, and there is no SQLite to read them. ${errorText(error)}`;
      throw new StoreError("unavailable", `${text}. Or start without them: --state memory:`, { cause: error });
    }
    onMemory(errorText(error));
    return new MemoryStateStore();
  }
  makeFolder(dirname(file));
  return openSqlite(file, options);
}

async function trySqlite(): Promise<void> {
  const { openSqliteStore } = await import("../../storage/sqlite/index.ts");
  const trial = await openSqliteStore(":memory:", { thread: false });
  await trial.close();
}

function makeFolder(folder: string): void {
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
  } catch (cause) {
    const text = `The folder ${loggableText(folder)} for states of agents can't be made: ${errorText(cause)}.`;
    throw new TroupeError("state-unavailable", `${text} Name another place with --state sqlite:FILE.`, { cause });
  }
}

async function openSqlite(
  file: string,
  { synchronous, thread, readOnly, creates = true }: OpenStateOptions,
): Promise<StateStore> {
  if (!creates) assertStoreThere(file);
  const { openSqliteStore } = await import("../../storage/sqlite/index.ts");
  return openSqliteStore(file, { synchronous, thread, readOnly });
}

/** Throws if there is no such file: a command never makes an empty store. */
export function assertStoreThere(file: string): void {
  if (existsSync(file)) return;
  const advice =
    "Run the command in the folder of troupe host, or name the store with --state sqlite:FILE or --state postgres://USER@HOST/DATABASE.";
  throw new StoreError("unavailable", `There is no state store ${loggableText(file)}. ${advice}`);
}

async function openPostgres(url: string, { writers }: OpenStateOptions): Promise<StateStore> {
  const { openPostgresStore } = await import("../../storage/postgres/index.ts");
  return openPostgresStore(url, { writers });
}

/** Returns an error with the advice that an operator needs beside the store's own. Others come back as they are. */
export function withAdvice(error: unknown, advice: { readonly inUse: string }): unknown {
  if (!(error instanceof StoreError)) return error;
  switch (error.storeCode) {
    case "in-use":
      return new TroupeError(error.code, `${textWithFlags(errorText(error))} ${advice.inUse}`.trim(), { cause: error });
    case "corrupt": {
      const text = textWithFlags(errorText(error));
      const more = text.includes("troupe state check") ? "" : " (troupe state check tells more.)";
      return new TroupeError(error.code, text + more, { cause: error });
    }
    default:
      return error;
  }
}
