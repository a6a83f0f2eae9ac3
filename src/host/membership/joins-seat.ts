import type { ChannelJoins } from "./channel-joins.ts";

/** Where a host keeps the joins of its workers to the cluster. A lone host has none. */
export interface JoinsSeat {
  now: ChannelJoins | undefined;
}
