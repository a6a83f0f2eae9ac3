import { HttpStream } from "../../http/internal.ts";
import type { AdminRoute } from "../admin-route.ts";
import { filterNames } from "../feed/feed-event.ts";
import type { LiveFeed } from "../feed/live-feed.ts";

/** Tells what happens at all hosts of the cluster, as server-sent events. A reader that comes back names its last event in the header `Last-Event-ID`. */
export function feedRoutes(feed: LiveFeed): readonly AdminRoute[] {
  return [
    {
      ...{ method: "GET", path: "/v1/feed", parameters: [...filterNames, "host", "payloads"], need: "nothing" },
      handle: async ({ query, headers, rights, signal }) => {
        const filter = Object.fromEntries(filterNames.map((name) => [name, query.text(name)]));
        const given = headers["last-event-id"];
        const lastEventId = typeof given === "string" && given !== "" ? given : undefined;
        const withPayloads = query.whole("payloads", { from: 0, to: 1 }) === 1;
        return new HttpStream(
          feed.open({ filter, rights, host: query.text("host"), withPayloads, lastEventId, signal }),
        );
      },
    },
  ];
}
