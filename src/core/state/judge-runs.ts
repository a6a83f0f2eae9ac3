import type { Commit } from "./state-store.ts";
import { storeLimits } from "./store-limits.ts";
import type { RunChange, StoredRun } from "./stored-runs.ts";

/** The part of a stored run with which a store compares changes. */
export type RunVersion = Pick<StoredRun, "status" | "next">;

/** The runs of an agent before a commit. */
export interface RunsBefore {
  readonly find: (id: string) => RunVersion | undefined;
  /** How many the agent has that work. */
  readonly working: () => number;
}

/** A run keeps no more of them. */
const mostChunks = storeLimits.runBytes / storeLimits.runChunkBytes;

/** Says why changes of runs can't be written. */
export type RunRefusal =
  | { readonly at: "conflict"; readonly run: string }
  | { readonly at: "limit"; readonly limit: string };

/** Compares the changes of runs of a commit with what is stored. Undefined: they may be written. */
export function judgeRuns({ write, runs = [] }: Commit, before: RunsBefore): RunRefusal | undefined {
  if (runs.length === 0) return undefined;
  const changed = new Map<string, RunVersion>();
  const isEmpty = write.at === "delete";
  const find = (id: string): RunVersion | undefined => changed.get(id) ?? (isEmpty ? undefined : before.find(id));
  let working = runs.some(({ at }) => at === "create") && !isEmpty ? before.working() : 0;
  for (const change of runs) {
    const { at, id } = change;
    const stored = find(id);
    if (at === "create") {
      if (stored !== undefined) return { at: "conflict", run: id };
      working += 1;
      if (working > storeLimits.runs) return { at: "limit", limit: `${storeLimits.runs} runs of one agent that work` };
      changed.set(id, { status: "working", next: 0 });
      continue;
    }
    if (stored?.status !== "working") return { at: "conflict", run: id };
    if (at === "append") {
      if (change.from !== stored.next) return { at: "conflict", run: id };
      changed.set(id, { status: "working", next: stored.next + change.chunks.length });
    } else if (at === "end") {
      working -= 1;
      changed.set(id, { status: change.status, next: stored.next });
    }
  }
  return undefined;
}

/** Names the limit that changes of runs are over by themselves. Undefined: none. */
export function runLimitOver({ runs = [] }: Commit, maxValueBytes: number): string | undefined {
  for (const change of runs) {
    if (change.id.length > storeLimits.runIdCharacters)
      return `${storeLimits.runIdCharacters} characters of a run's id`;
    switch (change.at) {
      case "create":
        if (change.message.length > maxValueBytes) return `${maxValueBytes} bytes of a run's message`;
        if (change.owner.length > storeLimits.nameCharacters || change.principal.length > storeLimits.nameCharacters) {
          return `${storeLimits.nameCharacters} characters of a run's owner or principal`;
        }
        break;
      case "append":
        if (change.chunks.length > mostChunks) return `${mostChunks} chunks at once`;
        if (change.chunks.some(({ length }) => length > maxValueBytes)) return `${maxValueBytes} bytes of a chunk`;
        break;
      case "end":
        if (change.outcome.length > maxValueBytes) return `${maxValueBytes} bytes of a run's outcome`;
        break;
    }
  }
  return undefined;
}

/** Bytes that a chunk counts. */
export function chunkSize(length: number): number {
  return length + storeLimits.runChunkBytes;
}

/** Copies a change with its bytes. It has plain objects and whole buffers, as a thread takes them. */
export function copyOfRunChange(change: RunChange): RunChange {
  switch (change.at) {
    case "create": {
      const { id, message, principal, owner, depth, startedAtMs, deadlineMs, keepMs } = change;
      const copy = new Uint8Array(message);
      return { at: "create", id, message: copy, principal, owner, depth, startedAtMs, deadlineMs, keepMs };
    }
    case "append":
      return {
        at: "append",
        id: change.id,
        from: change.from,
        chunks: change.chunks.map((one) => new Uint8Array(one)),
      };
    case "end":
      return { at: "end", id: change.id, status: change.status, outcome: new Uint8Array(change.outcome) };
    default:
      return { at: change.at, id: change.id };
  }
}

/** Returns the bytes of a change: of its texts and data. `chunkBytes`: what each chunk counts beside its own. */
export function sizeOfRunChange(change: RunChange, chunkBytes: number): number {
  const bytes = 2 * change.id.length;
  switch (change.at) {
    case "create":
      return bytes + change.message.length + 2 * (change.principal.length + change.owner.length);
    case "append":
      return change.chunks.reduce((sum, { length }) => sum + length + chunkBytes, bytes);
    case "end":
      return bytes + change.outcome.length;
    default:
      return bytes;
  }
}
