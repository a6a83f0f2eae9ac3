import { RpcError, StatusCode } from "../../../transport/internal.ts";
import type { HostOccurrence } from "../../observer.ts";
import { fits, type RowList, type RowQuery } from "./row-list.ts";
import { orNull, readFields, told } from "./told-values.ts";
import { seesAll } from "./viewer.ts";

/** Something that went wrong at a host. */
export interface Failure {
  /** Its number since the host keeps failures. */
  readonly number: number;
  readonly time: string;
  readonly kind: FailureKind;
  /** The agent type. Null: it is about none. */
  readonly type: string | null;
  readonly key: string | null;
  /** The topic type of an event. */
  readonly topic: string | null;
  readonly code: string;
  readonly detail: string;
  readonly clientId: string | null;
  /** The id of the trace that the caller records. */
  readonly traceId: string | null;
}

export type FailureKind = HostOccurrence["at"];

/** The failures that a host keeps. */
export interface KeptFailures {
  /** Those that `isWanted` admits, newest first. `next`: undefined if there are no more. */
  list(query: { readonly before: number; readonly limit: number; readonly isWanted: (failure: Failure) => boolean }): {
    readonly rows: readonly Failure[];
    readonly next: number | undefined;
  };
  /** How many were forgotten, because there was no space. */
  readonly forgotten: number;
}

/** Lists recent failures, the newest first. `kept`: undefined if the host keeps none. Filter: `kind`, `type`, `key`, `topic`, `code`. */
export function failureRows(kept: () => KeptFailures | undefined): RowList<Failure> {
  return {
    ...{ method: "ListFailures", order: "numbers, newest first", isForAll: false },
    list: async ({ after = Number.POSITIVE_INFINITY, limit, ...query }) => {
      const failures = kept();
      if (failures === undefined)
        throw new RpcError(StatusCode.failedPrecondition, "It keeps no failures, because it has no admin entry.");
      const isListed = (failure: Failure): boolean => isWanted(failure, query);
      const { rows, next } = failures.list({ before: Number(after), limit, isWanted: isListed });
      return { rows, hasMore: next !== undefined, forgotten: failures.forgotten };
    },
    placeOf: ({ number }) => number,
    isBefore: (row, other) => row.time > other.time,
    read: readFailure,
    shown: (row, query) => (isWanted(row, query) ? row : undefined),
  };
}

const wantedNames = ["kind", "type", "key", "topic", "code"] as const;

function isWanted(failure: Failure, { filter, viewer }: Pick<RowQuery, "filter" | "viewer">): boolean {
  const { type, topic } = failure;
  return (
    wantedNames.every((name) => fits(filter[name], failure[name])) &&
    (topic !== null ? viewer.may("watch", topic) : type !== null ? viewer.may("see", type) : seesAll(viewer))
  );
}

function readFailure(value: unknown): Failure | undefined {
  return readFields<Failure>(value, {
    ...{ number: told.count, time: readTime, type: orNull(told.text), key: orNull(told.text) },
    ...{ topic: orNull(told.text), code: told.text, detail: told.text, clientId: orNull(told.text) },
    traceId: orNull(told.text),
    // A kind that this version does not know is shown as it is.
    kind: (kind) => told.text(kind) as FailureKind | undefined,
  });
}

/** Lists are put in order by times of one form. */
function readTime(value: unknown): string | undefined {
  return typeof value === "string" && /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/.test(value) ? value : undefined;
}
