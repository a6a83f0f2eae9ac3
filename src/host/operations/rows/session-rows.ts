import type { InspectedSession, Inspection } from "../../inspection.ts";
import { fits, pageByName, type RowList, type RowQuery } from "./row-list.ts";
import { orNull, readFields, told } from "./told-values.ts";
import { seesAll } from "./viewer.ts";

/** A worker's data channel. */
export interface SessionRow extends Omit<InspectedSession, "principal" | "maxFrameBytes"> {
  /** The name of the principal that it belongs to. Null: it has none. */
  readonly principal: string | null;
  readonly roles: readonly string[];
  /** Null: it takes any length. */
  readonly maxFrameBytes: number | null;
}

/** Lists data channels by their client ids; a viewer that may not see all sees its own. Filter: `type`, `principal`, `address`. */
export function sessionRows(inspection: Pick<Inspection, "inspect">): RowList<SessionRow> {
  return {
    ...{ method: "ListSessions", order: "names", isForAll: false },
    list: async ({ filter, viewer, ...page }, signal) => {
      const { sessions } = await inspection.inspect({ maxTypes: 0, signal });
      const wanted = sessions.map(rowOf).filter((row) => isWanted(row, { filter, viewer }));
      return pageByName(wanted, page, ({ clientId }) => clientId);
    },
    placeOf: ({ clientId }) => clientId,
    isBefore: (row, other) => row.clientId < other.clientId,
    read: readSession,
    shown: (row, query) => (isWanted(row, query) ? row : undefined),
  };
}

function isWanted(row: SessionRow, { filter, viewer }: Pick<RowQuery, "filter" | "viewer">): boolean {
  const { type, principal, address } = filter;
  return (
    (seesAll(viewer) || row.principal === viewer.principal?.name) &&
    (type === undefined || row.types.includes(String(type))) &&
    fits(principal, row.principal) &&
    (fits(address, row.address) || fits(address, nameOf(row.address)))
  );
}

/** The name of an address `name:port`. */
function nameOf(address: string): string {
  return address.replace(/:\d+$/, "");
}

function rowOf({ principal, maxFrameBytes, ...session }: InspectedSession): SessionRow {
  const { name = null, roles = [] } = principal ?? {};
  return { ...session, principal: name, roles, maxFrameBytes: maxFrameBytes ?? null };
}

function readSession(value: unknown): SessionRow | undefined {
  return readFields<SessionRow>(value, {
    ...{ clientId: told.text, address: told.text, queuedFrames: told.count, queuedBytes: told.count },
    ...{ heldBytes: told.count, outgoingCalls: told.count, incomingCalls: told.count, droppedEvents: told.count },
    ...{ refusedCalls: told.count, userAgent: told.text, isAnnounced: told.flag, maxFrameBytes: orNull(told.count) },
    ...{ takesJsonEvents: told.flag, reconnectGraceMs: told.amount, principal: orNull(told.text), roles: told.texts },
    ...{ hasControlChannel: told.flag, types: told.texts, typeCount: told.count, subscriptionCount: told.count },
  });
}
