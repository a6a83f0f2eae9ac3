import type { ListedSubscription } from "./read-subscriptions.ts";

/** A topic with its subscribers. */
export interface TopicCount {
  /** A topic type; with `*` behind it all topic types that begin so. */
  readonly topic: string;
  /** Durable subscriptions, which the host keeps whether or not a worker is there. */
  readonly durable: number;
  /** Connected clients that subscribe. */
  readonly clients: number;
  /** Agent types, sorted. */
  readonly types: readonly string[];
  /** Types with durable subscriptions that no worker serves. */
  readonly unserved: readonly string[];
}

/** Counts subscriptions by their topics, sorted by topic. */
export function countTopics(rows: readonly ListedSubscription[]): readonly TopicCount[] {
  const byTopic = new Map<string, ListedSubscription[]>();
  for (const row of rows) {
    const known = byTopic.get(row.topic);
    if (known === undefined) byTopic.set(row.topic, [row]);
    else known.push(row);
  }
  return [...byTopic]
    .sort(([one], [other]) => (one < other ? -1 : 1))
    .map(([topic, all]) => ({
      ...{ topic, durable: all.filter(({ kind }) => kind === "durable").length },
      clients: new Set(all.flatMap(({ clientId }) => clientId ?? [])).size,
      types: sorted(all.map(({ type }) => type)),
      unserved: sorted(all.flatMap(({ type, isServed }) => (isServed ? [] : type))),
    }));
}

function sorted(names: readonly string[]): readonly string[] {
  return [...new Set(names)].sort();
}
