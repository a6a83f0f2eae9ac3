import type { ListedSubscription, MessageOperations } from "../message-operations.ts";
import { fits, type RowList, type RowQuery } from "./row-list.ts";
import { orNull, readFields, told } from "./told-values.ts";

/** A subscription of a connected worker. */
export interface TopicRow {
  /** Grows with each subscription of its host. */
  readonly number: number;
  readonly id: string;
  readonly type: string;
  /** A topic type; with `*` behind it all topic types that begin so. */
  readonly topic: string;
  readonly clientId: string;
  readonly principal: string | null;
}

/** Lists subscriptions of connected workers, the oldest of each host first. Filter: `type`, `topic`, `reachedBy`, `principal`. */
export function topicRows(messages: Pick<MessageOperations, "subscriptions">): RowList<TopicRow> {
  return {
    ...{ method: "ListTopics", order: "numbers", isForAll: false },
    list: async ({ filter, viewer, after, limit }, signal) => {
      const isListed = (held: ListedSubscription): boolean => isWanted(rowOf(held), { filter, viewer });
      const asked = { after: Number(after ?? 0), limit, isWanted: isListed };
      const { rows, next } = await messages.subscriptions(asked, signal);
      return { rows: rows.map(rowOf), hasMore: next !== undefined };
    },
    placeOf: ({ number }) => number,
    // Rows of different hosts are in no order: one host comes after the other.
    isBefore: () => false,
    read: (value) =>
      readFields<TopicRow>(value, {
        ...{ number: told.count, id: told.text, type: told.text, topic: told.text, clientId: told.text },
        principal: orNull(told.text),
      }),
    shown: (row, query) => (isWanted(row, query) ? row : undefined),
  };
}

function isWanted(row: TopicRow, { filter, viewer }: Pick<RowQuery, "filter" | "viewer">): boolean {
  const { type, topic, principal, reachedBy } = filter;
  const isPrefix = row.topic.endsWith("*");
  const topicType = isPrefix ? row.topic.slice(0, -1) : row.topic;
  return (
    fits(type, row.type) &&
    fits(topic, row.topic) &&
    fits(principal, row.principal) &&
    (reachedBy === undefined || (isPrefix ? String(reachedBy).startsWith(topicType) : reachedBy === topicType)) &&
    viewer.may("see", row.type) &&
    viewer.may("watch", topicType, { isPrefix })
  );
}

function rowOf({ number, id, agentType, topicType, isPrefix, clientId, principal }: ListedSubscription): TopicRow {
  const topic = isPrefix ? `${topicType}*` : topicType;
  return { number, id, type: agentType, topic, clientId, principal: principal ?? null };
}
