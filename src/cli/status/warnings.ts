import { loggableText } from "../../core/internal.ts";
import type { ListedHost } from "../../host/internal.ts";
import { counted } from "../printing.ts";
import { formatBytes, formatDuration } from "../units.ts";
import { type HostFindings, maxHeldBytesOf, usualQueuedBytes } from "./host-report.ts";

/** Milliseconds in which failures count as recent. */
export const recentMs = 600_000;
/** Lines about one kind of thing. */
const mostLines = 5;
/** Of a bound, as a part. */
const nearlyFull = 0.9;
const halfFull = 0.5;

/** Says what is wrong at a host, and what to do. `ownVersion`: the one of this command. */
export function warningsOf(found: HostFindings, ownVersion: string): readonly string[] {
  return [
    ...healthWarnings(found),
    ...boundWarnings(found),
    ...callWarnings(found),
    ...failureWarnings(found),
    ...keptWarnings(found),
    ...setUpWarnings(found, ownVersion),
    ...(found.cluster?.problems ?? []),
  ];
}

const helpFor: Readonly<Record<string, string>> = {
  starting: "The host starts. Ask again when it serves.",
  draining: "The host drains: it takes no new calls, and ends soon.",
  stopped: "The host has stopped.",
  "store-lost":
    "The host can't use its state store, so that persistent agents do not run. See that the database answers and that its disk has space; the log of the host says why.",
  isolated: "The host has lost touch with its cluster, and hands nothing to workers. See that it reaches NATS.",
};

function healthWarnings({ health }: HostFindings): readonly string[] {
  if (health === "serving") return [];
  return [helpFor[health] ?? `The host is ${loggableText(health)}. Look at its log.`];
}

function boundWarnings(found: HostFindings): readonly string[] {
  const { counters, settings, workers } = found;
  const warnings: string[] = [];
  const maxHeld = maxHeldBytesOf(found);
  if (counters.heldBytes > nearlyFull * maxHeld)
    warnings.push(
      `The host keeps ${formatBytes(counters.heldBytes)} of the ${formatBytes(maxHeld)} that it may keep for clients. Find who holds most with troupe workers, raise --max-memory-bytes, or add a host.`,
    );
  const maxQueued = typeof settings.maxQueuedBytes === "number" ? settings.maxQueuedBytes : usualQueuedBytes;
  const slow = workers.filter(({ queuedBytes }) => queuedBytes > halfFull * maxQueued);
  for (const { workerId, address, queuedBytes, host } of slow.slice(0, mostLines))
    warnings.push(
      `The worker ${loggableText(workerId)} at ${loggableText(address)}${ofHost(host)} reads too slowly: ${formatBytes(queuedBytes)} wait for it. Beyond ${formatBytes(maxQueued)} it misses events. Look at that process, or start another worker of its types.`,
    );
  return [...warnings, ...rest(slow.length, "worker reads", "workers read", "too slowly")];
}

function callWarnings({ oldCalls }: HostFindings): readonly string[] {
  const byType = groupBy(oldCalls, ({ type }) => type);
  const lines = [...byType].map(([type, calls]) => {
    const oldest = Math.max(...calls.map(({ ageMs }) => ageMs ?? 0));
    const stuck = calls.filter(({ isStuck }) => isStuck).length;
    const waits = stuck === 0 ? "" : `, ${stuck} of them for their turn`;
    const where = calls.some(({ targetId }) => targetId !== null) ? "at its workers" : "for a worker";
    return `${counted(calls.length, "call")} to ${loggableText(type)} ${calls.length === 1 ? "waits" : "wait"} ${where}, the oldest for ${formatDuration(oldest)}${waits}. Look at the worker that has it: troupe workers.`;
  });
  return [...lines.slice(0, mostLines), ...rest(lines.length, "agent type has", "agent types have", "such calls")];
}

function failureWarnings({ failures, nowMs }: HostFindings): readonly string[] {
  const recent = failures.filter(({ time }) => nowMs - Date.parse(time) <= recentMs);
  const groups = [...groupBy(recent, ({ kind, code, type, topic }) => JSON.stringify([kind, code, type ?? topic]))]
    .map(([, rows]) => rows)
    .sort((one, other) => other.length - one.length);
  const lines = groups.flatMap(([newest, ...others]) => {
    if (newest === undefined) return [];
    const { kind, code, type, topic, detail, traceId, host } = newest;
    const about = type ?? topic;
    const which = about === null ? "" : ` about ${loggableText(about)}`;
    const trace = traceId === null ? "" : `, trace ${loggableText(traceId)}`;
    const count = others.length + 1;
    // A feed is of one host.
    const tail = `troupe tail --kind ${kind}${host?.name ? ` --name ${loggableText(host.name)}` : ""}`;
    return `${counted(count, "failure")} of the kind ${kind}${which} in the last 10 min (${loggableText(code)}): ${loggableText(detail).replace(/\.$/, "")}${trace}. See more with ${tail}.`;
  });
  return [...lines.slice(0, mostLines), ...rest(lines.length, "kind of failure is", "kinds of failures are", "recent")];
}

function ofHost(host: ListedHost | null | undefined): string {
  return host ? ` of the host ${loggableText(host.name || host.hostId)}` : "";
}

function keptWarnings({ deadLetters, hasMoreDeadLetters, durable }: HostFindings): readonly string[] {
  const dead = deadLetters.length;
  const unserved = [...new Set(durable.filter(({ isServed }) => !isServed).map(({ type }) => type))];
  return [
    ...(dead === 0
      ? []
      : [
          `${hasMoreDeadLetters ? `More than ${counted(dead, "message")}` : counted(dead, "message")} could not be delivered. Look with troupe dead list, then send again with troupe dead replay.`,
        ]),
    ...unserved
      .slice(0, mostLines)
      .map(
        (type) =>
          `No worker serves ${loggableText(type)}, for which the host keeps durable events. Start its worker, or end it with troupe subscriptions remove ${loggableText(type)} --all.`,
      ),
    ...rest(unserved.length, "type has", "types have", "kept events and no worker"),
  ];
}

function setUpWarnings({ host, settings }: HostFindings, ownVersion: string): readonly string[] {
  const isOpen =
    settings.insecure === true &&
    (settings.tlsCert === null || settings.tlsCert === undefined || !knowsCallers(settings)) &&
    !/^(127\.|localhost|\[::1\]|unix:)/.test(host.address);
  return [
    ...(isOpen
      ? [
          `Everybody who reaches ${loggableText(host.address)} may join and read messages, since the host runs with --insecure. Give it TLS and tokens: docs/guide/locking-a-host.md.`,
        ]
      : []),
    ...(host.version === ownVersion
      ? []
      : [
          `The host has version ${loggableText(host.version)}, and this command ${ownVersion}. Use the command of the host's version.`,
        ]),
  ];
}

function knowsCallers({ tokens, jwtIssuer, tlsClientCa }: HostFindings["settings"]): boolean {
  return [tokens, jwtIssuer, tlsClientCa].some((value) => value !== null && value !== undefined);
}

function rest(count: number, one: string, many: string, what: string): readonly string[] {
  const more = count - mostLines;
  return more <= 0 ? [] : [`${more} more ${more === 1 ? one : many} ${what}.`];
}

function groupBy<Row>(rows: readonly Row[], keyOf: (row: Row) => string): ReadonlyMap<string, readonly Row[]> {
  const groups = new Map<string, Row[]>();
  for (const row of rows) {
    const key = keyOf(row);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [row]);
    else group.push(row);
  }
  return groups;
}
