import type { Clock } from "../../../core/internal.ts";
import { RpcError, StatusCode } from "../../../transport/internal.ts";
import type { ListedCall, MessageOperations } from "../message-operations.ts";
import type { HopFacts, KeptTraces, TracedHop } from "./kept-traces.ts";
import { fits, type RowList } from "./row-list.ts";
import { orNull, readFields, told } from "./told-values.ts";
import { seesAll, type Viewer } from "./viewer.ts";

/** A call or an event of a trace. */
export interface HopRow extends HopFacts {
  /** Its place among the hops of its host. */
  readonly number: number;
  readonly traceId: string;
  readonly kind: "call" | "event";
  /** Milliseconds since 1970 when it came, by the wall clock of its host, with their fraction. */
  readonly startedMs: number;
  /** Milliseconds to its outcome. Null: it has none yet. */
  readonly ms: number | null;
  /** The agent that sends it. Null: it names none. */
  readonly senderType: string | null;
  readonly senderKey: string | null;
}

/** Calls under way of one trace that are looked for at a host. */
const mostUnderWay = 500;

export interface HopRowsParts {
  readonly clock: Clock;
  readonly messages: Pick<MessageOperations, "calls">;
  /** Undefined: the host keeps none. */
  readonly kept: () => KeptTraces | undefined;
}

/** Lists the calls and events of one trace: first those with an outcome, then those under way. `forgotten` says whether a host had more of them. Filter: `traceId`. */
export function hopRows({ clock, messages, kept }: HopRowsParts): RowList<HopRow> {
  return {
    ...{ method: "ListHops", order: "numbers", isForAll: false },
    list: async ({ filter, viewer, after, limit }, signal) => {
      const traces = kept();
      if (traces === undefined)
        throw new RpcError(StatusCode.failedPrecondition, "It keeps no traces, because it has no admin entry.");
      const traceId = String(filter.traceId ?? "");
      const trace = traces.get(traceId);
      const isWanted = (call: ListedCall): boolean => call.traceId === traceId;
      const underWay = await messages.calls({ after: 0, limit: mostUnderWay, isWanted }, signal);
      const wallMs = clock.wallNow() - clock.now();
      const ended = (trace?.hops ?? []).map((hop) => rowOfHop(hop, traceId, wallMs));
      const all = [...ended, ...underWay.rows.map((call) => rowOfCall(call, traceId, clock.wallNow()))];
      const later = all
        .map((row, at) => ({ ...row, number: at + 1 }))
        .filter((row) => row.number > Number(after ?? 0) && maySeeHop(row, viewer));
      const rows = later.slice(0, limit);
      const isCut = trace?.isCut === true || underWay.next !== undefined;
      return { rows, hasMore: rows.length < later.length, forgotten: isCut ? 1 : 0 };
    },
    placeOf: ({ number }) => number,
    isBefore: (row, other) => row.startedMs < other.startedMs,
    read: readHop,
    shown: (row, { filter, viewer }) => {
      return fits(filter.traceId, row.traceId) && maySeeHop(row, viewer) ? row : undefined;
    },
  };
}

/** Whether a viewer may see a hop. One to a type that no worker serves is for viewers that may see all types. */
export function maySeeHop(
  { type, topic, isPlaced }: Pick<TracedHop, "type" | "topic" | "isPlaced">,
  viewer: Viewer,
): boolean {
  if (topic !== null) return viewer.may("watch", topic);
  return isPlaced ? viewer.may("see", type ?? "") : seesAll(viewer);
}

type Unnumbered = Omit<HopRow, "number">;

function rowOfHop({ at: kind, startedMs, sender, ...hop }: TracedHop, traceId: string, wallMs: number): Unnumbered {
  return { ...hop, traceId, kind, startedMs: startedMs + wallMs, ...senderIn(sender) };
}

function rowOfCall(
  { type, key, ageMs = 0, sender, isOfOtherHost }: ListedCall,
  traceId: string,
  nowMs: number,
): Unnumbered {
  const target = { type, key, topic: null, isPlaced: true };
  return {
    ...{ traceId, kind: "call", startedMs: nowMs - ageMs, ms: null, ...senderIn(sender), ...target },
    ...{ outcome: "under way", code: null, isOfOtherHost },
  };
}

function senderIn(sender: TracedHop["sender"]): Pick<HopRow, "senderType" | "senderKey"> {
  return { senderType: sender?.type ?? null, senderKey: sender?.key ?? null };
}

function readHop(value: unknown): HopRow | undefined {
  return readFields<HopRow>(value, {
    ...{ number: told.count, traceId: told.text, startedMs: told.amount, ms: orNull(told.amount) },
    ...{ senderType: orNull(told.text), senderKey: orNull(told.text), type: orNull(told.text), key: orNull(told.text) },
    ...{ topic: orNull(told.text), outcome: told.text, code: orNull(told.text), isPlaced: told.flag },
    ...{ isOfOtherHost: told.flag, kind: (kind) => (kind === "call" || kind === "event" ? kind : undefined) },
  });
}
