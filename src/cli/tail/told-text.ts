import type { FeedEvent } from "../../admin/internal.ts";
import { loggableText } from "../../core/internal.ts";
import type { Colours } from "../colours.ts";
import { formatJsonLine } from "../printing.ts";
import { formatDuration } from "../units.ts";
import type { Told } from "./follow-feed.ts";

/** The part of a feed that is printed. */
type Printed = Exclude<Told, { readonly at: "unanswered" }>;

/** Formats what a feed tells as one line of JSON. */
export function jsonOfTold(told: Printed): string {
  return formatJsonLine(told.at === "event" ? told.event : { kind: "lost", count: told.count });
}

const kindWidth = 12;
const outcomeWidth = 10;

/** Formats it as one line for a terminal. */
export function textOfTold(told: Printed, colours: Colours): string {
  if (told.at === "lost") {
    const what = told.count === null ? "events are missing here" : `${told.count} events are missing here`;
    return colours.warn(`--- ${what}: this command was away, or reads too slowly ---`);
  }
  const { time, kind, outcome, type, key, topic, ms, code, clientId, traceId, detail, host } = told.event;
  const about = topic ?? (type === null ? "-" : key === null ? type : `${type}/${key}`);
  const parts = [
    colours.faint(loggableText(time.slice(11, 23))),
    kind.padEnd(kindWidth),
    colourOf(outcome, colours)(loggableText(outcome).padEnd(outcomeWidth)),
    loggableText(about),
    ...(code === null ? [] : [loggableText(code)]),
    ...(ms === null ? [] : [formatDuration(ms)]),
    ...(host === null ? [] : [colours.faint(`host=${loggableText(host.name || host.hostId)}`)]),
    // What the host calls itself, as for kept messages, has no client.
    ...(clientId === null || clientId === "" ? [] : [colours.faint(`client=${loggableText(clientId)}`)]),
    ...(traceId === null ? [] : [colours.faint(`trace=${loggableText(traceId)}`)]),
    ...(detail === null ? [] : [colours.faint(loggableText(detail))]),
  ];
  return parts.join("  ").trimEnd();
}

const good: ReadonlySet<FeedEvent["outcome"]> = new Set(["answered", "delivered", "committed", "fired", "kept"]);
const bad: ReadonlySet<FeedEvent["outcome"]> = new Set([
  ...[
    "failed",
    "missed",
    "timed-out",
    "abandoned",
    "denied",
    "refused",
    "buried",
    "lost",
    "revoked",
    "stale",
    "conflict",
  ],
]);

function colourOf(outcome: string, colours: Colours): (text: string) => string {
  if (good.has(outcome)) return colours.good;
  return bad.has(outcome) ? colours.bad : colours.warn;
}
