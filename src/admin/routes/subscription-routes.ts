import { TroupeError } from "../../core/internal.ts";
import type { AdminHost } from "../admin-host.ts";
import type { AdminRoute } from "../admin-route.ts";
import { cursorOf, formatCursor, limitOf, pageParameters } from "../pages.ts";

/** A durable subscription in a list. */
export interface SubscriptionRow {
  readonly type: string;
  /** A topic type; with `*` behind it all topic types that begin so. */
  readonly topic: string;
  /** The principal that it belongs to. Null: to callers without one. */
  readonly principal: string | null;
  /** Whether a worker serves the agent type now. */
  readonly isServed: boolean;
}

// protocol.md §11.18
export function subscriptionRoutes(host: AdminHost): readonly AdminRoute[] {
  return [
    {
      ...{ method: "GET", path: "/v1/subscriptions", parameters: ["type", ...pageParameters], need: "rows" },
      handle: async ({ query }) => {
        const after = cursorOf(query, (value) => typeof value === "string");
        const { rows, next } = await host.durableSubscriptions({
          ...{ type: query.text("type"), after, limit: limitOf(query) },
        });
        return { rows: rows.map(rowOf), next: next === undefined ? null : formatCursor(next) };
      },
    },
    {
      ...{ method: "DELETE", path: "/v1/subscriptions", parameters: ["type", "topic"], need: "administer" },
      handle: async ({ query }) => {
        const removed = await host.removeDurableSubscriptions(query.required("type"), query.text("topic"));
        if (removed > 0) return { removed };
        throw new TroupeError("not-found", "There is no such durable subscription. See troupe subscriptions list.");
      },
    },
  ];
}

function rowOf({ agentType, topic, principal, isServed }: KeptSubscription): SubscriptionRow {
  return { type: agentType, topic, principal: principal ?? null, isServed };
}

type KeptSubscription = Awaited<ReturnType<AdminHost["durableSubscriptions"]>>["rows"][number];
