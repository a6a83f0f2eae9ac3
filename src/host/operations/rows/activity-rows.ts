import { RpcError, StatusCode } from "../../../transport/internal.ts";
import { pageByNumber, type RowList } from "./row-list.ts";
import { isWhole, orNull, readFields, told } from "./told-values.ts";

/** The calls and events of one step of time, or the calls to one agent type in the last minute. */
export interface ActivityRow {
  /** Its place among the rows of its host. */
  readonly number: number;
  readonly kind: "step" | "type";
  /** Milliseconds since the end of the step, and those of the step. Both are 0 for a type. */
  readonly ageMs: number;
  readonly ms: number;
  /** Null: a step, or all types that have no row of their own. */
  readonly type: string | null;
  readonly calls: number;
  readonly failed: number;
  readonly abandoned: number;
  readonly events: number;
  readonly missed: number;
  readonly commits: number;
  /** The longest call. */
  readonly maxMs: number;
  /** The times of calls: the number of a bucket and how many calls it has, by turns. */
  readonly durations: readonly number[];
}

/** The numbers that a host keeps over time from the first question on. */
export interface KeptActivity {
  /** `steps`: how many of the newest ones. `withForwarded`: also the calls that came from another host. */
  rows(query: { readonly steps: number; readonly withForwarded: boolean }): readonly ActivityRow[];
}

/** Numbers of a list of durations. */
const mostDurations = 400;

// protocol.md §12.5
/**
 * Lists what happens over time as numbers: the steps, then agent types, the slowest first. Filter: `steps`, how many of the newest ones, and
 * `forwarded`: 1 also counts calls that came from another host.
 */
export function activityRows(kept: () => KeptActivity | undefined): RowList<ActivityRow> {
  return {
    ...{ method: "ListActivity", order: "numbers", isForAll: true },
    list: async ({ filter: { steps = 0, forwarded }, ...page }) => {
      const activity = kept();
      if (activity === undefined)
        throw new RpcError(
          StatusCode.failedPrecondition,
          "It counts nothing over time, because it has no admin entry.",
        );
      return pageByNumber(activity.rows({ steps: Number(steps), withForwarded: forwarded === 1 }), page);
    },
    placeOf: ({ number }) => number,
    isBefore: (row, other) => row.number < other.number,
    read: readActivity,
    shown: (row) => row,
  };
}

function readActivity(value: unknown): ActivityRow | undefined {
  return readFields<ActivityRow>(value, {
    ...{ number: told.count, kind: readKind, ageMs: told.amount, ms: told.amount, type: orNull(told.text) },
    ...{ calls: told.count, failed: told.count, abandoned: told.count, events: told.count, missed: told.count },
    ...{ commits: told.count, maxMs: told.amount, durations: readDurations },
  });
}

function readKind(value: unknown): ActivityRow["kind"] | undefined {
  return value === "step" || value === "type" ? value : undefined;
}

function readDurations(value: unknown): readonly number[] | undefined {
  return Array.isArray(value) && value.length <= mostDurations && value.every(isWhole) ? value : undefined;
}
