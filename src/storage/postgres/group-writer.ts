import { StoreError, storeLimits } from "../../core/internal.ts";
import { type LockKeys, lockKeysOfAgents } from "./agent-id.ts";
import type { Connections } from "./connections.ts";
import { agentsOf, type EncodedGroup, type EncodedWrite, encodeGroup, type ForgetLog } from "./encode-writes.ts";
import { PreviousFailed, type QueuedWrites } from "./group-queue.ts";
import { isOfOneCommit, isOverLimit, isWorthAnotherTry } from "./postgres-error.ts";

/** The opening under which a store writes. */
export interface HeldOpening {
  readonly writers: "one" | "many";
  readonly incarnation: number;
}

/** The parts of a `GroupWriter`. */
export interface GroupWriterParts {
  readonly connections: Connections;
  readonly quotedSchema: string;
  readonly locks: LockKeys;
  readonly opening: () => HeldOpening;
  /** Resolves when it is certain what became of the groups before whose connection was lost. */
  readonly settled: () => Promise<void>;
  readonly nowMs: () => number;
  /** Turns an error into a `StoreError`, and notes it. */
  readonly failure: (error: unknown) => StoreError;
}

/** Times that a group is tried again after a race that it lost. */
const mostRetries = 2;
/** Milliseconds between two deletions of what is too old. */
const forgetEveryMs = 60_000;

/** Writes groups, each with one statement. */
export class GroupWriter {
  readonly #parts: GroupWriterParts;
  readonly #statement: { readonly name: string; readonly text: string };
  #eTags = 0;
  #newestGeneration = 0;
  #forgotAtMs = 0;

  constructor(parts: GroupWriterParts) {
    this.#parts = parts;
    const values = Array.from({ length: 11 }, (_, index) => `$${index + 1}`).join(", ");
    const text = `select ${parts.quotedSchema}.write_group(${values}) as results`;
    this.#statement = { name: `troupe write ${parts.quotedSchema}`.slice(0, 60), text };
  }

  /** Writes a group, and ends each of its parts. If one commit fails by itself, each is written in a statement of its own. */
  async write(group: readonly QueuedWrites[]): Promise<void> {
    const writes = group.flatMap((part) => part.writes);
    try {
      const results = await this.#tryTogether(writes);
      let from = 0;
      for (const part of group) {
        part.state = "done";
        part.resolve(results.slice(from, from + part.writes.length));
        from += part.writes.length;
      }
    } catch (error) {
      if (isOfOneCommit(error)) for (const part of group) await this.#writeAlone(part);
      else for (const part of group) this.#fail(part, this.#parts.failure(error));
    }
  }

  async #writeAlone(part: QueuedWrites): Promise<void> {
    const results: unknown[] = [];
    for (const write of part.writes) {
      try {
        results.push(...(await this.#tryTogether([write])));
      } catch (error) {
        if (isOverLimit(error)) {
          results.push({ refused: "a limit of PostgreSQL" });
          continue;
        }
        const failure = this.#parts.failure(error);
        return this.#fail(part, results.length > 0 ? partlyError(failure) : failure);
      }
    }
    part.state = "done";
    part.resolve(results);
  }

  #fail(part: QueuedWrites, error: StoreError): void {
    part.state = "failed";
    part.reject(error);
  }

  async #tryTogether(writes: readonly EncodedWrite[]): Promise<readonly unknown[]> {
    const nowMs = this.#parts.nowMs();
    // The clock may have been set back.
    const forgets = Math.abs(nowMs - this.#forgotAtMs) >= forgetEveryMs;
    if (forgets) this.#forgotAtMs = nowMs;
    const forgetLog = forgets ? oldestOfLog(nowMs) : undefined;
    const group = {
      ...encodeGroup(writes, () => this.#makeETag(), forgetLog),
      forgetBefore: forgets || writes.some(addsForgotten) ? Math.floor(nowMs - storeLimits.rememberedMs) : null,
    };
    for (let retries = 0; ; retries += 1) {
      try {
        await this.#parts.settled();
        return await this.#send(writes, group);
      } catch (error) {
        if (error instanceof Fenced) {
          // The store may be opening itself anew, and has no answer to that yet.
          await this.#parts.settled();
          // It has done so while this group was on its way: the group was not written.
          if (error.incarnation !== this.#parts.opening().incarnation) continue;
        }
        if (retries >= mostRetries || !isWorthAnotherTry(error)) throw error;
      }
    }
  }

  async #send(
    writes: readonly EncodedWrite[],
    { json, bytes, forgetBefore }: EncodedGroup & { readonly forgetBefore: number | null },
  ): Promise<readonly unknown[]> {
    const { connections, locks, opening } = this.#parts;
    const { writers, incarnation } = opening();
    const mailLock = writes.some(({ touchesMail }) => touchesMail) ? locks.mail : null;
    const agentLocks = lockKeysOfAgents(agentsOf(writes), locks.salt);
    const generation = Math.max(this.#newestGeneration, ...writes.map((one) => one.generation));
    const isNewer = generation > Math.max(this.#newestGeneration, writers === "one" ? incarnation : 0);
    const [row] = await connections.query({
      ...this.#statement,
      values: [
        ...[writers, incarnation, locks.fence, mailLock, agentLocks, isNewer ? generation : null, forgetBefore],
        ...[storeLimits.reminders, storeLimits.remembered, json, bytes],
      ],
    });
    this.#newestGeneration = generation;
    // The function returns an array, or who holds the store.
    const results = JSON.parse(row?.results ?? "null") as readonly unknown[] | { readonly fenced: string };
    if ("fenced" in results) throw new Fenced(results.fenced, incarnation);
    return results;
  }

  #makeETag(): string {
    this.#eTags += 1;
    return `${this.#parts.opening().incarnation.toString(36)}-${this.#eTags.toString(36)}`;
  }
}

/** The times of the oldest that the log keeps. */
function oldestOfLog(nowMs: number): ForgetLog {
  const { mailIdMs, deadLetterMs } = storeLimits;
  return [
    Math.floor(nowMs - mailIdMs),
    Math.floor(nowMs - deadLetterMs),
    Math.ceil(nowMs + mailIdMs),
    Math.floor(nowMs),
  ];
}

/** Another opening holds the store. */
export class Fenced extends Error {
  readonly holder: string;
  /** That of the opening which was refused. */
  readonly incarnation: number;

  constructor(holder: string, incarnation: number) {
    super("The store is held by another opening.");
    this.holder = holder;
    this.incarnation = incarnation;
  }
}

/** The error of a call whose commits have happened in part. */
export function partlyError(cause: StoreError): StoreError {
  return new StoreError("unknown", `${cause.message} Other commits of this call have happened.`, { cause });
}

/** Whether a write adds rows to a table whose old ones are forgotten: then the group also deletes some of those. */
function addsForgotten({ fields }: EncodedWrite): boolean {
  return "remembered" in fields || ("kind" in fields && fields.kind === "delete");
}

/** Gathers the results of the parts of a call. Throws if a part has failed. */
export function resultsOf(results: readonly unknown[]): readonly unknown[] {
  const failed = results.filter(isFailed);
  // Those after the first failure were not tried.
  const first = failed.find(({ error }) => !(error instanceof PreviousFailed));
  if (first === undefined) return results;
  const { error } = first;
  const isPartial = failed.length < results.length;
  throw isPartial && error instanceof StoreError ? partlyError(error) : error;
}

function isFailed(result: unknown): result is { readonly error: unknown } {
  return typeof result === "object" && result !== null && "error" in result;
}
