import type { Inspection } from "../inspection.ts";
import { pageByNumber, type RowList } from "./row-list.ts";
import { readFields, told } from "./told-values.ts";

/** The counters of one host: its only row. */
export interface CounterRow {
  readonly number: number;
  readonly counters: { readonly [name: string]: number };
}

// protocol.md §12.5
/** Has one row for each host, with its counters. It has no filter. */
export function counterRows(inspection: Pick<Inspection, "inspect">): RowList<CounterRow> {
  return {
    ...{ method: "ListCounters", order: "numbers", isForAll: true },
    list: async (page, signal) => {
      const { totals } = await inspection.inspect({ maxSessions: 0, maxTypes: 0, signal });
      return pageByNumber([{ number: 1, counters: { ...totals } }], page);
    },
    placeOf: ({ number }) => number,
    isBefore: (row, other) => row.number < other.number,
    read: (value) => readFields<CounterRow>(value, { number: told.count, counters: told.counts }),
    shown: (row) => row,
  };
}
