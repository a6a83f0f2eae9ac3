import type { ListedCall, MessageOperations } from "../message-operations.ts";
import { fits, type RowList, type RowQuery } from "./row-list.ts";
import { orNull, readFields, told } from "./told-values.ts";
import type { Viewer } from "./viewer.ts";

/** A call that has no outcome yet. */
export interface CallRow {
  /** Grows with each call of its host. */
  readonly number: number;
  readonly type: string;
  /** The first 256 characters. */
  readonly key: string;
  /** The client that calls. */
  readonly callerId: string;
  /** The principal that calls. Null: an anonymous one. */
  readonly principal: string | null;
  /** The client that has the call. Null: it waits for one. */
  readonly targetId: string | null;
  readonly ageMs: number | null;
  /** Null: the call has no time limit. */
  readonly timeoutMs: number | null;
  /** True: the worker has said that the call waits long for its turn. */
  readonly isStuck: boolean;
  /** The agents whose turns wait for the call, `type/key`, outermost first. `hidden`: one of a type that the viewer may not see. */
  readonly path: readonly string[];
  /** The trace that the caller records. */
  readonly traceId: string | null;
}

/**
 * Lists calls under way, the oldest first. A call to a worker of another host is listed by the host of its caller. The host of the worker lists it, too,
 * while it waits long for its turn. Filter: `type`, `key`, `principal`, `client`, `minAgeMs`.
 */
export function callRows(messages: Pick<MessageOperations, "calls">): RowList<CallRow> {
  return {
    ...{ method: "ListCalls", order: "numbers", isForAll: false },
    list: async ({ filter, viewer, after, limit }, signal) => {
      const isListed = (call: ListedCall): boolean =>
        (call.isStuck || !call.isOfOtherHost) && isWanted(call, { filter, viewer });
      const { rows, next } = await messages.calls({ after: Number(after ?? 0), limit, isWanted: isListed }, signal);
      return { rows: rows.map((call) => rowOf(call, viewer)), hasMore: next !== undefined };
    },
    placeOf: ({ number }) => number,
    isBefore: (row, other) => (row.ageMs ?? 0) > (other.ageMs ?? 0),
    read: readCall,
    shown: (row, query) =>
      isWanted(row, query) ? { ...row, path: row.path.map((turn) => seenTurn(turn, query.viewer)) } : undefined,
  };
}

type Wanted = { readonly [Name in "type" | "key" | "callerId"]: string } & {
  readonly [Name in "principal" | "targetId"]: string | null | undefined;
} & { readonly ageMs: number | null | undefined };

function isWanted(call: Wanted, { filter, viewer }: Pick<RowQuery, "filter" | "viewer">): boolean {
  const { type, key, principal, client, minAgeMs = 0 } = filter;
  return (
    fits(type, call.type) &&
    fits(key, call.key) &&
    fits(principal, call.principal) &&
    (fits(client, call.callerId) || fits(client, call.targetId)) &&
    (call.ageMs ?? 0) >= Number(minAgeMs) &&
    viewer.may("see", call.type)
  );
}

function rowOf(call: ListedCall, viewer: Viewer): CallRow {
  const { number, type, key, callerId, isStuck, path } = call;
  // protocol.md §11.13: token@type/key, …
  const turns = path === "" ? [] : path.split(",").map((turn) => turn.slice(turn.indexOf("@") + 1));
  return {
    ...{ number, type, key, callerId, principal: call.principal ?? null, targetId: call.targetId ?? null },
    ...{ ageMs: call.ageMs ?? null, timeoutMs: call.timeoutMs ?? null, isStuck },
    path: turns.map((turn) => seenTurn(turn, viewer)),
    traceId: call.traceId ?? null,
  };
}

/** Stands for an agent that the viewer may not see. */
const hiddenTurn = "hidden";

function seenTurn(turn: string, viewer: Viewer): string {
  return turn !== hiddenTurn && maySeeType(turn.slice(0, turn.indexOf("/")), viewer) ? turn : hiddenTurn;
}

/** A long type is cut in paths, to this beginning and a hash: see `nameInPath`. */
const cutType = /^(.{48})~[0-9a-f]{8}$/;

/** Rules name the whole type. So of one that is cut the viewer must be allowed to see all types with this beginning. */
function maySeeType(type: string, viewer: Viewer): boolean {
  const [, beginning] = cutType.exec(type) ?? [];
  return beginning === undefined ? viewer.may("see", type) : viewer.may("see", beginning, { isPrefix: true });
}

function readCall(value: unknown): CallRow | undefined {
  return readFields<CallRow>(value, {
    ...{ number: told.count, type: told.text, key: told.text, callerId: told.text, principal: orNull(told.text) },
    ...{ targetId: orNull(told.text), ageMs: orNull(told.amount), timeoutMs: orNull(told.amount), isStuck: told.flag },
    ...{ path: told.texts, traceId: orNull(told.text) },
  });
}
