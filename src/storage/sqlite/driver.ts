import { statSync } from "node:fs";
import { dirname } from "node:path";
import process from "node:process";
import { errorText, loggableText, StoreError } from "../../core/internal.ts";

/** A value in a table. Texts that users give are stored as bytes: some drivers cut a text at a NUL character. */
export type SqlValue = null | number | string | Uint8Array;

/** One row of a result, by column. */
export interface Row {
  readonly [column: string]: unknown;
}

/** A prepared statement. */
export interface Statement {
  run(...values: readonly SqlValue[]): unknown;
  get(...values: readonly SqlValue[]): Row | undefined;
  all(...values: readonly SqlValue[]): readonly Row[];
}

/** An open database: the part of Node's `DatabaseSync` that this adapter uses. */
export interface Database {
  exec(sql: string): unknown;
  prepare(sql: string): Statement;
  close(): void;
}

/** Opens databases. */
export interface SqliteDriver {
  /** The module that it comes from. */
  readonly name: string;
  open(file: string, options?: { readonly readOnly?: boolean }): Database;
}

type DatabaseClass = new (file: string, options: { readonly readOnly: boolean }) => Database;

const builtIn = "node:sqlite";
const peer = "@photostructure/sqlite";

/** The places where a driver may be. */
export interface DriverSources {
  /** Node's own module; undefined: it has none. */
  readonly builtIn: unknown;
  /** Default: imports the optional peer. */
  readonly importPeer?: () => Promise<unknown>;
}

/** Finds the driver: Node's own where it has one, else the optional peer. Rejects with what to install. */
export async function loadDriver(
  { builtIn: own, importPeer }: DriverSources = { builtIn: process.getBuiltinModule?.(builtIn) },
): Promise<SqliteDriver> {
  if (own !== undefined) return driverOf(builtIn, own);
  try {
    // A program that joins files into one takes an `import` in a `try` for optional.
    return driverOf(peer, importPeer === undefined ? await import("@photostructure/sqlite") : await importPeer());
  } catch (cause) {
    const text = `SQLite needs Node 22.13 or newer, or on Node 20: npm install ${peer}@1 (${errorText(cause)})`;
    throw new StoreError("unavailable", text, { cause });
  }
}

function driverOf(name: string, loaded: unknown): SqliteDriver {
  // Both modules export this class. The types of Node 20 do not know its own.
  const { DatabaseSync } = loaded as { readonly DatabaseSync: DatabaseClass };
  return { name, open: (file, { readOnly = false } = {}) => new DatabaseSync(file, { readOnly }) };
}

/** Throws `unavailable` if no file can be at this place: its folder is missing, or a folder has the name. SQLite says neither. */
export function assertPlace(file: string): void {
  const folder = dirname(file);
  if (statSync(folder, { throwIfNoEntry: false })?.isDirectory() !== true) {
    throw new StoreError(
      "unavailable",
      `There is no folder ${loggableText(folder)} for ${loggableText(file)}. Make the folder, or name another file.`,
    );
  }
  const found = statSync(file, { throwIfNoEntry: false });
  if (found?.isDirectory() === true) {
    throw new StoreError("unavailable", `${loggableText(file)} is a folder. Name a file in it.`);
  }
  if (found?.isFile() === false) {
    throw new StoreError("unavailable", `${loggableText(file)} is a device or a pipe. Name a file.`);
  }
}
