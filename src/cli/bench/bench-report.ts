import { loggableText } from "../../core/internal.ts";
import { formatTable } from "../table.ts";
import { formatBytes } from "../units.ts";
import type { CallRow } from "./call-load.ts";
import type { DurationSummary } from "./durations.ts";
import type { EventRow } from "./event-load.ts";

/** The way that the messages took. */
export interface Way {
  /** The address that was dialled. */
  readonly address: string;
  readonly isEncrypted: boolean;
  /** The hosts that had the caller and its agent at the end. Null: none had it. In a cluster they may be two. */
  readonly callerAt: string | null;
  readonly echoAt: string | null;
}

/** All that one run has measured. */
export interface BenchReport {
  readonly way: Way;
  /** How long each row was measured. */
  readonly seconds: number;
  readonly calls: readonly CallRow[];
  readonly events: readonly EventRow[];
}

export function reportText({ way, seconds, calls, events }: BenchReport): string {
  const parts = [
    wayText(way),
    `CALLS, ${seconds} s each, caller to host to agent and back`,
    formatTable(
      ["BYTES", "IN FLIGHT", "CALLS/S", ...timeNames, "FAILED"],
      calls.map((row) => [
        ...[formatBytes(row.bytes), row.inFlight, Math.round(row.callsPerSecond), ...timesOf(row)],
        row.failed === 0 ? "–" : `${row.failed} (${row.code})`,
      ]),
    ),
  ];
  if (events.length > 0)
    parts.push(
      `EVENTS, ${seconds} s each, until the last subscriber has the event`,
      formatTable(
        ["BYTES", "SUBSCRIBERS", "EVENTS/S", "DELIVERIES/S", ...timeNames, "MISSING"],
        events.map((row) => [
          ...[formatBytes(row.bytes), row.subscribers, Math.round(row.eventsPerSecond)],
          ...[Math.round(row.deliveriesPerSecond), ...timesOf(row), row.missing],
        ]),
      ),
    );
  return parts.join("\n\n");
}

const timeNames = ["P50 MS", "P95 MS", "P99 MS", "MAX MS"];

function timesOf({ p50Ms, p95Ms, p99Ms, maxMs }: DurationSummary): readonly (string | number)[] {
  return [p50Ms, p95Ms, p99Ms, maxMs].map((ms) => (ms === null ? "–" : ms.toFixed(2)));
}

function wayText({ address, isEncrypted, callerAt, echoAt }: Way): string {
  const way = `${loggableText(address)}, ${isEncrypted ? "with TLS" : "without TLS"}`;
  if (callerAt === null || echoAt === null) return `${way}; the connection was lost at the end`;
  if (callerAt !== echoAt)
    return `${way}; over two hosts of a cluster: the caller at ${loggableText(callerAt)}, its agent at ${loggableText(echoAt)}`;
  return callerAt === address ? `${way}; one host` : `${way}; the host at ${loggableText(callerAt)} has taken both`;
}
