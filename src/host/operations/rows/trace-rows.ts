import type { Clock } from "../../../core/internal.ts";
import { RpcError, StatusCode } from "../../../transport/internal.ts";
import { maySeeHop } from "./hop-rows.ts";
import type { KeptTrace, KeptTraces } from "./kept-traces.ts";
import { fits, type RowList } from "./row-list.ts";
import { orNull, readFields, told } from "./told-values.ts";
import type { Viewer } from "./viewer.ts";

/** The part of a trace that one host has. It counts what the viewer may see. */
export interface TracePartRow {
  /** Grows with each trace of its host. */
  readonly number: number;
  readonly traceId: string;
  /** Milliseconds since 1970 when its first hop came, by the wall clock of its host, with their fraction. */
  readonly startedMs: number;
  /** From there to its last outcome. */
  readonly ms: number;
  readonly calls: number;
  readonly events: number;
  /** Calls that the host failed or whose caller no longer waited, and events that a worker missed. */
  readonly failed: number;
  /** The target of the first hop: an agent, or a topic type. */
  readonly type: string | null;
  readonly key: string | null;
  readonly topic: string | null;
  /** False: the host found no worker for the first hop. */
  readonly isPlaced: boolean;
}

export interface TraceRowsParts {
  readonly clock: Clock;
  /** Undefined: the host keeps none. */
  readonly kept: () => KeptTraces | undefined;
}

/** Lists traces by their parts at each host, the newest first. Calls that came from another host are in its part. Filter: `type`. */
export function traceRows({ clock, kept }: TraceRowsParts): RowList<TracePartRow> {
  return {
    ...{ method: "ListTraces", order: "numbers, newest first", isForAll: false },
    list: async ({ filter: { type }, viewer, after = Number.POSITIVE_INFINITY, limit }) => {
      const traces = kept();
      if (traces === undefined)
        throw new RpcError(StatusCode.failedPrecondition, "It keeps no traces, because it has no admin entry.");
      const wallMs = clock.wallNow() - clock.now();
      const rows: TracePartRow[] = [];
      for (const trace of traces.list()) {
        if (trace.number >= Number(after)) continue;
        const row = rowOf(trace, viewer, wallMs);
        if (row === undefined || (type !== undefined && !reaches(trace, type))) continue;
        if (rows.length === limit) return { rows, hasMore: true };
        rows.push(row);
      }
      return { rows, hasMore: false };
    },
    placeOf: ({ number }) => number,
    isBefore: (row, other) => row.startedMs > other.startedMs,
    read: readTrace,
    shown: (row, { viewer }) => (maySeeHop(row, viewer) ? row : undefined),
  };
}

function rowOf({ traceId, number, hops }: KeptTrace, viewer: Viewer, wallMs: number): TracePartRow | undefined {
  const seen = hops
    .filter((hop) => !hop.isOfOtherHost && maySeeHop(hop, viewer))
    .sort((one, other) => one.startedMs - other.startedMs);
  const [first] = seen;
  if (first === undefined) return undefined;
  const endMs = seen.reduce((latest, { startedMs, ms }) => Math.max(latest, startedMs + ms), first.startedMs);
  const calls = seen.filter(({ at }) => at === "call").length;
  const { type, key, topic, isPlaced } = first;
  return {
    ...{ number, traceId, startedMs: first.startedMs + wallMs, ms: endMs - first.startedMs },
    ...{ calls, events: seen.length - calls, type, key, topic, isPlaced },
    failed: seen.filter(({ outcome }) => outcome !== "answered" && outcome !== "delivered").length,
  };
}

function reaches({ hops }: KeptTrace, type: string | number): boolean {
  return hops.some((hop) => fits(type, hop.type));
}

function readTrace(value: unknown): TracePartRow | undefined {
  return readFields<TracePartRow>(value, {
    ...{ number: told.count, traceId: told.text, startedMs: told.amount, ms: told.amount },
    ...{ calls: told.count, events: told.count, failed: told.count },
    ...{ type: orNull(told.text), key: orNull(told.text), topic: orNull(told.text), isPlaced: told.flag },
  });
}
