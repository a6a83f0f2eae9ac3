import type { ShownPayload } from "../../host/internal.ts";
import { mayRead } from "./feed-event.ts";
import type { FeedEntry } from "./feed-log.ts";
import type { FeedQuery } from "./live-feed.ts";

/** A number from 0 to 1, far from those of the numbers before: parts of the golden section. So readers that left at once do not come back at once. */
export function spread(number: number): number {
  return (number * 0.618_033_988_749_895) % 1;
}

/** The JSON of a content. Empty: there is none. */
export function textOf(payload: ShownPayload | undefined): string {
  return payload === undefined ? "" : JSON.stringify(payload);
}

/** The JSON of an event for one reader. */
export function jsonFor(
  { event, json, payload }: FeedEntry,
  { withPayloads, rights }: Pick<FeedQuery, "withPayloads" | "rights">,
): string {
  if (payload === "" || !withPayloads || !mayRead(event, rights)) return json;
  return `${json.slice(0, -1)},"payload":${payload}}`;
}

/** `count`: occurrences of the host. Null: how many is not known. */
export function lostText(id: string, count: number | null): string {
  return `id: ${id}\n${lostEvent(count)}`;
}

export function lostEvent(count: number | null): string {
  return `event: lost\ndata: ${JSON.stringify({ count })}\n\n`;
}
