import type { Inspection } from "../../inspection.ts";
import { fits, pageByName, type RowList, type RowQuery } from "./row-list.ts";
import { readFields, told } from "./told-values.ts";

/** An agent type, and the clients that serve it at one host. */
export interface TypeRow {
  readonly type: string;
  readonly owners: readonly string[];
}

/** Agent types of a host that are looked at. */
const mostTypes = 100_000;

/** Lists agent types by their names. Filter: `type`. */
export function typeRows(inspection: Pick<Inspection, "inspect">): RowList<TypeRow> {
  return {
    ...{ method: "ListTypes", order: "names", isForAll: false },
    list: async ({ filter, viewer, ...page }, signal) => {
      const { types } = await inspection.inspect({ maxSessions: 0, maxTypes: mostTypes, signal });
      const wanted = types
        .map(({ agentType, owners }) => ({ type: agentType, owners }))
        .filter((row) => isWanted(row, { filter, viewer }));
      return pageByName(wanted, page, ({ type }) => type);
    },
    placeOf: ({ type }) => type,
    isBefore: (row, other) => row.type < other.type,
    read: (value) => readFields<TypeRow>(value, { type: told.text, owners: told.texts }),
    shown: (row, query) => (isWanted(row, query) ? row : undefined),
  };
}

function isWanted({ type }: TypeRow, { filter, viewer }: Pick<RowQuery, "filter" | "viewer">): boolean {
  return fits(filter.type, type) && viewer.may("see", type);
}
