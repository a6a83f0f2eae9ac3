import { TroupeError } from "../../core/internal.ts";
import type { RequestQuery } from "../../http/internal.ts";
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
      ...{ method: "GET", path: "/v1/subscriptions", need: "rows" },
      parameters: ["type", "topic", "reachedBy", "principal", ...pageParameters],
      handle: async ({ query }) => {
        const after = cursorOf(query, (value) => typeof value === "string");
        const { rows, next } = await host.durableSubscriptions({
          ...{ type: query.text("type"), after, limit: limitOf(query) },
        });
        return {
          rows: rows.map(rowOf).filter((row) => isWanted(row, query)),
          next: next === undefined ? null : formatCursor(next),
        };
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

/** Whether a row has the topic and the principal that a query names, if it does. */
function isWanted({ topic, principal }: SubscriptionRow, query: RequestQuery): boolean {
  const [named, reachedBy, owner] = [query.text("topic"), query.text("reachedBy"), query.text("principal")];
  if (named !== undefined && named !== topic) return false;
  if (owner !== undefined && owner !== principal) return false;
  if (reachedBy === undefined) return true;
  return topic.endsWith("*") ? reachedBy.startsWith(topic.slice(0, -1)) : reachedBy === topic;
}

function rowOf({ agentType, topic, principal, isServed }: KeptSubscription): SubscriptionRow {
  return { type: agentType, topic, principal: principal ?? null, isServed };
}

type KeptSubscription = Awaited<ReturnType<AdminHost["durableSubscriptions"]>>["rows"][number];
