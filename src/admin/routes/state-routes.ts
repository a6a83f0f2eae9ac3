import { HttpProblem, type RequestAccount } from "../../http/internal.ts";
import type { AdminHost } from "../admin-host.ts";
import type { AdminRoute } from "../admin-route.ts";
import { agentOf, agentParameters, isAgentName } from "../agent-names.ts";
import { LongChecks } from "../long-checks.ts";
import { cursorOf, formatCursor, limitOf, pageParameters } from "../pages.ts";
import type { PayloadAudit } from "../payload-audit.ts";
import { deleteState, findListed, listStates, putState, showState } from "../stored-states.ts";

/** The longest state that the admin entry reads or writes, in bytes. `troupe state` reads longer ones from the store itself. */
export const maxStateBytes = 16 * 1024 * 1024;

/** Copies of a state that are in memory while it is shown: its bytes, and its text twice. */
const copies = 4;

export function stateRoutes(host: AdminHost, audit: PayloadAudit): readonly AdminRoute[] {
  const checks = new LongChecks();
  return [
    {
      ...{ method: "GET", path: "/v1/states", parameters: ["type", "prefix", ...pageParameters], need: "rows" },
      handle: async ({ query }) => {
        const [type, prefix] = [query.text("type"), query.text("prefix")];
        const after = cursorOf(query, isAgentName);
        const { rows, next } = await listStates(host.store, { type, prefix, after, limit: limitOf(query) });
        return { rows, next: next === undefined ? null : formatCursor(next) };
      },
    },
    {
      ...{ method: "GET", path: "/v1/state", parameters: agentParameters, need: "read-state" },
      handle: async ({ query, account, rights }) => {
        const agent = agentOf(query);
        takeSpace(account, (await findListed(host.store, agent))?.bytes ?? 0);
        const state = await showState(host.store, agent);
        audit.note(rights, "states");
        return state;
      },
    },
    {
      ...{
        method: "PUT",
        path: "/v1/state",
        parameters: [...agentParameters, "contentType", "schemaVersion"],
        need: "write-state",
      },
      maxBodyBytes: maxStateBytes,
      handle: async ({ query, body, caller }) => {
        const agent = agentOf(query);
        const name = caller.at === "operator" ? "" : caller.principal.name;
        const contentType = query.text("contentType");
        const schemaVersion = query.whole("schemaVersion", { from: 1, to: 999_999_999 });
        const state = { data: body, contentType, schemaVersion };
        const eTag = await putState(await host.openStore(), agent, state, (bytes, check) =>
          checks.run(name, bytes, check),
        );
        return { ...agent, eTag, bytes: body.length };
      },
    },
    {
      ...{ method: "DELETE", path: "/v1/state", parameters: agentParameters, need: "write-state" },
      handle: async ({ query }) => {
        const agent = agentOf(query);
        await deleteState(await host.openStore(), agent);
        return { ...agent, isDeleted: true };
      },
    },
  ];
}

function takeSpace(account: RequestAccount, bytes: number): void {
  if (bytes > maxStateBytes) {
    const text = `The state has ${bytes} bytes; the admin entry shows up to ${maxStateBytes}. Read it from a backup of the store.`;
    throw new HttpProblem(413, "state-too-large", text);
  }
  if (!account.take(copies * bytes)) throw new HttpProblem(503, "overloaded", account.whyNot(copies * bytes));
}
