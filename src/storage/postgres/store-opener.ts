import { randomUUID } from "node:crypto";
import { hostname } from "node:os";
import process from "node:process";
import { type Clock, loggableText, StoreError, type StoreOpening } from "../../core/internal.ts";
import type { LockKeys } from "./agent-id.ts";
import type { Connections } from "./connections.ts";
import { Fenced } from "./group-writer.ts";
import { HolderLock } from "./holder-lock.ts";
import { migrate, noSchemaError, readSchemaVersion, type SchemaPlace } from "./schema.ts";

/** The parts of a `StoreOpener`. */
export interface StoreOpenerParts {
  readonly connections: Connections;
  readonly clock: Clock;
  readonly writers: "one" | "many";
  readonly schema: SchemaPlace;
  readonly createsSchema: boolean;
  readonly locks: LockKeys;
  /** Names the store in errors. */
  readonly place: string;
}

type OpeningResult =
  | StoreOpening
  /** Describes another holder of the store. */
  | { readonly fenced: string }
  /** The mode that another store has given it. */
  | { readonly writers: "one" | "many" };

/** Takes the right to write to a store: its lock, its tables in the newest version, and the next incarnation. */
export class StoreOpener {
  readonly #parts: StoreOpenerParts;
  readonly #lock: HolderLock;
  /** Names this store among all that have opened the database. */
  readonly #storeId = randomUUID();

  constructor(parts: StoreOpenerParts) {
    const { connections, clock, locks, writers } = parts;
    this.#parts = parts;
    this.#lock = new HolderLock({ connections, clock, key: locks.holder, isShared: writers === "many" });
  }

  /** Looks at the tables, and makes them if there are none. */
  async look(): Promise<void> {
    // An older program may hold tables of an older version, so that only `open` migrates them.
    await this.#migrate((version) => version > 0);
  }

  /** `held`: the incarnation of the same store's opening before; 0: it has had none. */
  async open(takesOver: boolean, held: number): Promise<StoreOpening> {
    try {
      if (!(await this.#lock.take()) && !takesOver) throw await this.#inUseError();
      await this.#migrate((version) => version === this.#parts.schema.steps.length);
      const opening = await this.#takeOver(takesOver, held);
      this.#lock.keep();
      return opening;
    } catch (error) {
      if (held === 0) await this.#lock.release();
      throw error;
    }
  }

  /**
   * Makes the next incarnation of an open store. It waits for the statements that the server still carries out. One that comes later is
   * refused, if one store writes at a time.
   */
  renew(held: number): Promise<StoreOpening> {
    return this.#takeOver(false, held);
  }

  /** Lets other stores open the database. */
  release(): Promise<void> {
    return this.#lock.release();
  }

  async #migrate(isEnough: (version: number) => boolean): Promise<void> {
    const { connections, schema, createsSchema } = this.#parts;
    await connections.use(async (session) => {
      const version = await readSchemaVersion(session, schema);
      if (isEnough(version)) return;
      if (!createsSchema) throw noSchemaError(schema.schema, version);
      await migrate(session, schema);
    });
  }

  /** Makes the next incarnation, which ends the one before if one writes at a time. */
  async #takeOver(takesOver: boolean, held: number): Promise<StoreOpening> {
    let result = await this.#openAs(takesOver, held);
    if ("fenced" in result && isOf(this.#storeId, result.fenced)) {
      // The answer to an opening of this store was lost.
      const { schema, connections } = this.#parts;
      const text = `select incarnation, holder from ${schema.quoted}.meta`;
      const [row] = await connections.query({ text, values: [] });
      if (isOf(this.#storeId, row?.holder ?? "")) result = await this.#openAs(takesOver, Number(row?.incarnation));
    }
    if ("fenced" in result) throw new Fenced(result.fenced, held);
    if ("writers" in result) throw this.#otherModeError(result.writers);
    return result;
  }

  async #openAs(takesOver: boolean, held: number): Promise<OpeningResult> {
    const { connections, schema, locks, clock, writers } = this.#parts;
    const nowMs = clock.wallNow();
    const since = new Date(nowMs).toISOString();
    const holder = JSON.stringify({ host: hostname(), pid: process.pid, since, store: this.#storeId });
    const seconds = Math.floor(nowMs / 1_000);
    const [row] = await connections.query({
      text: `select ${schema.quoted}.open_store($1, $2, $3, $4, $5, $6) as result`,
      values: [writers, locks.fence, seconds, holder, takesOver, held],
    });
    // What the function returns.
    return JSON.parse(row?.result ?? "null") as OpeningResult;
  }

  async #inUseError(): Promise<StoreError> {
    const { connections, schema, place } = this.#parts;
    const [row] = await connections.query({ text: `select holder from ${schema.quoted}.meta`, values: [] });
    const text = `The state store ${place} is in use by ${holderText(row?.holder ?? "")}.`;
    const advice = "Stop that program, or open the store with takesOver if it is gone.";
    return new StoreError("in-use", `${text} ${advice}`);
  }

  #otherModeError(writers: "one" | "many"): StoreError {
    const text = `The state store ${this.#parts.place} belongs to stores with writers: "${writers}". Open it so.`;
    const advice = "If no such program runs any more, open it with takesOver.";
    return new StoreError("in-use", `${text} ${advice}`);
  }
}

/** The error for a store that another one has taken over. */
export function fencedError(place: string, holder: string): StoreError {
  const text = `Another store has taken the state store ${place}: ${holderText(holder)}.`;
  return new StoreError("fenced", `${text} This one does not write to it any more.`);
}

/** Whether the store of this id is the holder. */
function isOf(storeId: string, holder: string): boolean {
  try {
    return JSON.parse(holder).store === storeId;
  } catch {
    return false;
  }
}

/** Describes a holder as it has written itself down. */
function holderText(holder: string): string {
  try {
    const { host, pid, since } = JSON.parse(holder);
    return loggableText(`process ${pid} on ${host} since ${since}`);
  } catch {
    return "another process";
  }
}
