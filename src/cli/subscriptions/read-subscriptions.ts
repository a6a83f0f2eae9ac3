import type { SubscriptionRow, TopicRow } from "../../admin/internal.ts";
import { TroupeError } from "../../core/internal.ts";
import type { AdminClient } from "../admin/admin-client.ts";
import { type AnswerOfHosts, UnansweredHosts } from "../admin/hosts-of-rows.ts";
import { type Listed, type ListFlags, readList, readListOfHosts } from "../printing.ts";

/** `durable`: the host keeps it, whether or not a worker is there. `connected`: a connected worker has it. */
export const subscriptionKinds = ["durable", "connected"] as const;
export type SubscriptionKind = (typeof subscriptionKinds)[number];

/** A subscription of either kind. */
export interface ListedSubscription {
  readonly kind: SubscriptionKind;
  readonly type: string;
  /** A topic type; with `*` behind it all topic types that begin so. */
  readonly topic: string;
  readonly principal: string | null;
  /** Whether a worker serves the agent type now. */
  readonly isServed: boolean;
  /** The client and the id of one of a connected worker. */
  readonly clientId: string | null;
  readonly id: string | null;
  /** The host that has the worker. Null: it is alone, or it keeps the subscription for its cluster. */
  readonly host: TopicRow["host"];
}

/** The subscriptions that a reader wants. Undefined: any. */
export interface SubscriptionFilter {
  readonly type?: string | undefined;
  readonly topic?: string | undefined;
  readonly reachedBy?: string | undefined;
  readonly principal?: string | undefined;
  readonly kind?: SubscriptionKind | undefined;
}

/** Reads subscriptions of both kinds as one list. The place in the list begins with the kind in which it is. */
export async function readSubscriptions(
  client: AdminClient,
  { kind, type, topic, reachedBy, principal }: SubscriptionFilter,
  page: Pick<ListFlags, "limit" | "after">,
): Promise<Listed<ListedSubscription> & AnswerOfHosts> {
  const hosts = new UnansweredHosts();
  const listed = await readBoth(client, { kind, type, topic, reachedBy, principal }, { ...page, hosts });
  return { ...listed, unanswered: hosts.all };
}

interface Reading extends Pick<ListFlags, "limit" | "after"> {
  readonly hosts: UnansweredHosts;
}

async function readBoth(
  client: AdminClient,
  { kind, type, topic, reachedBy, principal }: SubscriptionFilter,
  { limit, after, hosts }: Reading,
): Promise<Listed<ListedSubscription>> {
  const asked = { type, topic, reachedBy, principal };
  const place = placeIn(after);
  const rows: ListedSubscription[] = [];
  for (const one of subscriptionKinds) {
    const isPast = place !== undefined && subscriptionKinds.indexOf(place.kind) > subscriptionKinds.indexOf(one);
    if (isPast || (kind !== undefined && kind !== one)) continue;
    if (rows.length >= limit) return { rows, next: `${one}:` };
    const from = place?.kind === one && place.after !== "" ? { after: place.after } : {};
    const page = await pageOf(client, one, asked, { limit: limit - rows.length, hosts, ...from });
    rows.push(...page.rows);
    if (page.next !== null) return { rows, next: `${one}:${page.next}` };
  }
  return { rows, next: null };
}

async function pageOf(
  client: AdminClient,
  kind: SubscriptionKind,
  asked: Omit<SubscriptionFilter, "kind">,
  page: Reading,
): Promise<Listed<ListedSubscription>> {
  if (kind === "durable") {
    const { rows, next } = await readList<SubscriptionRow>(client, "/v1/subscriptions", { ...asked }, page);
    return { rows: rows.map((row) => ({ kind, ...row, clientId: null, id: null, host: null })), next };
  }
  const { rows, next, unanswered } = await readListOfHosts<TopicRow>(client, "/v1/topics", { ...asked }, page);
  page.hosts.note({ unanswered });
  return { rows: rows.map(({ number: _, ...row }) => ({ kind, ...row, isServed: true })), next };
}

function placeIn(after: string | undefined): { readonly kind: SubscriptionKind; readonly after: string } | undefined {
  if (after === undefined) return undefined;
  const at = after.indexOf(":");
  const kind = subscriptionKinds.find((one) => one === after.slice(0, Math.max(0, at)));
  if (kind !== undefined) return { kind, after: after.slice(at + 1) };
  throw new TroupeError(
    "invalid-argument",
    "--after is not a place in this list. Take it from the line of an earlier list.",
  );
}
