import { loggableText } from "../../core/internal.ts";
import type { Colours } from "../colours.ts";
import { counted } from "../printing.ts";
import { formatBytes, formatDuration, formatRate } from "../units.ts";
import type { HostReport } from "./host-report.ts";

/** Formats a report for a terminal: a line for each thing, and what is wrong at the end. */
export function textOfReport(report: HostReport, colours: Colours): string {
  const { host, health, workers, rates, queues, kept, cluster, warnings } = report;
  const state = health === "serving" ? colours.good(health) : colours.bad(loggableText(health));
  const stock = workers.stock === 0 ? "" : `, ${workers.stock} of them AutoGen's`;
  const draining = workers.draining === 0 ? "" : `, ${workers.draining} draining`;
  const lines: readonly (readonly [name: string, text: string])[] = [
    ["host", `${loggableText(host.name)} (process ${host.pid}) at ${loggableText(host.address)}`],
    ["state", `${state} for ${formatDuration(report.uptimeMs)}, version ${loggableText(host.version)}`],
    ["workers", `${workers.total}${stock}${draining}`],
    [
      "serves",
      `${counted(report.agentTypes, "agent type")}, ${counted(report.subscriptions, "subscription")}, ${counted(report.agents, "agent")} of shared types`,
    ],
    [
      "calls",
      `${formatRate(rates.calls)}/s, ${queues.pendingCalls} under way, ${formatRate(rates.failedCalls)}/s failed`,
    ],
    ["events", `${formatRate(rates.events)}/s, ${formatRate(rates.deliveries)}/s delivered`],
    [
      "queues",
      `${counted(queues.queuedFrames, "message")} and ${formatBytes(queues.queuedBytes)} to workers, ${queues.heldMessages} held back`,
    ],
    ["memory", `${formatBytes(queues.heldBytes)} of ${formatBytes(queues.maxHeldBytes)} kept for clients`],
    [
      "states",
      `${loggableText(host.state)}, ${formatRate(rates.commits)} commits/s, ${kept.deadLetters}${kept.hasMoreDeadLetters ? " or more" : ""} dead letters`,
    ],
    ...(cluster === null
      ? []
      : [
          [
            "cluster",
            `${loggableText(cluster.name)}, ${counted(cluster.hosts, "host")} with ${counted(cluster.workers, "worker")}, ${counted(cluster.agents, "agent")} of shared types and ${counted(cluster.calls, "call")} under way; NATS ${cluster.natsServers.map(loggableText).join(", ") || "can't be asked"}`,
          ] as const,
        ]),
  ];
  const width = Math.max(...lines.map(([name]) => name.length));
  const table = lines.map(([name, text]) => `${colours.faint(name.padEnd(width))}  ${text}`).join("\n");
  if (warnings.length === 0) return `${table}\n\n${colours.good("nothing is wrong")}`;
  return `${table}\n\n${warnings.map((text) => `${colours.warn("warning:")} ${text}`).join("\n")}`;
}
