import type { InspectedSession } from "../../host/internal.ts";
import type { AdminRoute } from "../admin-route.ts";
import type { HostModel } from "../model/host-model.ts";
import { formatCursor, limitOf, nameAfter, type Page, pageParameters } from "../pages.ts";

/** A worker's data channel. */
export interface SessionRow extends Omit<InspectedSession, "principal" | "maxFrameBytes"> {
  /** The name of the principal that it belongs to. Null: it has none. */
  readonly principal: string | null;
  readonly roles: readonly string[];
  /** Null: it takes any length. */
  readonly maxFrameBytes: number | null;
}

/** An agent type, and the clients that serve it. */
export interface TypeRow {
  readonly type: string;
  readonly owners: readonly string[];
}

/** Sessions, and the types that their workers serve. */
export function sessionRoutes(model: HostModel): readonly AdminRoute[] {
  return [
    {
      ...{ method: "GET", path: "/v1/sessions", need: "nothing" },
      parameters: ["type", "principal", "address", ...pageParameters],
      handle: async ({ query, rights, signal }): Promise<Page<SessionRow>> => {
        const [type, principal, address] = [query.text("type"), query.text("principal"), query.text("address")];
        const seesAll = rights.may("see", "", { isPrefix: true });
        const isWanted = (one: InspectedSession): boolean =>
          (seesAll || one.principal?.name === rights.principal) &&
          (type === undefined || one.types.includes(type)) &&
          (principal === undefined || one.principal?.name === principal) &&
          (address === undefined || hostOf(one.address) === address || one.address === address);
        const all = (await model.sessions(signal)).filter(isWanted);
        const { rows, next } = pageByName(all, {
          after: nameAfter(query),
          limit: limitOf(query),
          nameOf: (one) => one.clientId,
        });
        return { rows: rows.map(sessionRow), next };
      },
    },
    {
      ...{ method: "GET", path: "/v1/types", parameters: ["type", ...pageParameters], need: "nothing" },
      handle: async ({ query, rights, signal }): Promise<Page<TypeRow>> => {
        const wanted = query.text("type");
        const all = (await model.types(signal)).filter(
          ({ agentType }) => (wanted === undefined || wanted === agentType) && rights.may("see", agentType),
        );
        const { rows, next } = pageByName(all, {
          after: nameAfter(query),
          limit: limitOf(query),
          nameOf: (one) => one.agentType,
        });
        return { rows: rows.map(({ agentType, owners }) => ({ type: agentType, owners })), next };
      },
    },
  ];
}

function sessionRow({ principal, maxFrameBytes, ...session }: InspectedSession): SessionRow {
  const { name = null, roles = [] } = principal ?? {};
  return { ...session, principal: name, roles, maxFrameBytes: maxFrameBytes ?? null };
}

/** The host of an address `host:port`. */
function hostOf(address: string): string {
  return address.replace(/:\d+$/, "");
}

function pageByName<Row>(
  all: readonly Row[],
  { after, limit, nameOf }: { readonly after: string; readonly limit: number; readonly nameOf: (row: Row) => string },
): Page<Row> {
  const later = all.filter((row) => nameOf(row) > after).sort((one, other) => (nameOf(one) < nameOf(other) ? -1 : 1));
  const rows = later.slice(0, limit);
  const last = rows.at(-1);
  return { rows, next: last === undefined || rows.length === later.length ? null : formatCursor(nameOf(last)) };
}
