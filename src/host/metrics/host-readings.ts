import type { MetricLabels } from "../../core/internal.ts";
import type { ListenerCounters } from "../../transport/internal.ts";
import type { ClusterHostCounters } from "../cluster/cluster-counters.ts";
import type { HostCounters } from "../counters.ts";
import type { HostMetricName } from "./host-metric-table.ts";

/** The counters of a host with all its parts. */
export interface MeasuredCounters extends HostCounters {
  readonly transport: ListenerCounters;
  readonly cluster?: ClusterHostCounters | undefined;
}

type Report = (name: HostMetricName, value: number, labels?: MetricLabels) => void;

/** Reports the counters of a host as metrics. */
export function readHost(now: MeasuredCounters, report: Report): void {
  readMessages(now, report);
  readDrops(now, report);
  readRegistry(now, report);
  readKept(now, report);
  readTransport(now.transport, report);
  if (now.cluster !== undefined) readCluster(now.cluster, report);
}

/** Reports one value for each label. */
function each(report: Report, name: HostMetricName, label: string, values: Readonly<Record<string, number>>): void {
  for (const [text, value] of Object.entries(values)) report(name, value, { [label]: text });
}

function readMessages(now: HostCounters, report: Report): void {
  const { timedOutCalls, overloadedCalls, deadlockedCalls } = now;
  each(report, "troupe.host.calls", "outcome", {
    answered: now.answers,
    failed: now.failedCalls - timedOutCalls - overloadedCalls - deadlockedCalls,
    "timed-out": timedOutCalls,
    overloaded: overloadedCalls,
    deadlock: deadlockedCalls,
    abandoned: now.abandonedCalls,
  });
  report("troupe.host.calls.pending", now.pendingCalls);
  report("troupe.host.events", now.events);
  report("troupe.host.deliveries", now.deliveredEvents);
  report("troupe.host.chunks", now.chunks);
  report("troupe.host.chunks.size", now.chunkBytes);
  report("troupe.host.streams.stalled", now.stalledStreams);
  report("troupe.host.control.messages", now.controlMessages);
  report("troupe.host.held", now.heldMessages);
  report("troupe.host.queue.frames", now.queuedFrames);
  report("troupe.host.queue.size", now.queuedBytes);
  report("troupe.host.memory", now.heldBytes);
  report("troupe.host.gave.way", now.gaveWay);
}

function readDrops(now: HostCounters, report: Report): void {
  each(report, "troupe.host.dropped", "reason", {
    "queue-full": now.droppedEvents,
    unroutable: now.unroutableEvents,
    "invalid-event": now.invalidEvents,
    "no-channel": now.skippedEvents,
    isolated: now.isolatedEvents,
    filtered: now.filteredEvents,
    lost: now.lostEvents,
    unconfirmed: now.unconfirmedEvents,
    "late-answer": now.lateAnswers,
    "stray-answer": now.strayAnswers,
    "late-chunk": now.lateChunks,
    "stray-chunk": now.strayChunks,
    "withheld-answer": now.withheldAnswers,
    unread: now.unreadFrames,
    "empty-frame": now.emptyFrames,
    "bad-frame": now.badFrames,
    "unroutable-control": now.unroutableControlMessages,
    "lost-notice": now.lostNotices,
  });
  each(report, "troupe.host.refused", "reason", {
    "not-authorized": now.deniedCalls,
    rules: now.deniedByRules,
    quota: now.refusedByQuota,
    sender: now.refusedSenders,
    limit: now.refusedByLimit,
    "no-claim": now.refusedClaims,
  });
}

function readRegistry(now: HostCounters, report: Report): void {
  each(report, "troupe.host.sessions", "channel", { data: now.channels, control: now.controlChannels });
  each(report, "troupe.host.channels.ended", "reason", {
    "too-slow": now.overflowedChannels,
    replaced: now.replacedChannels,
  });
  report("troupe.host.types", now.agentTypes);
  report("troupe.host.subscriptions", now.subscriptions);
  each(report, "troupe.host.agents", "state", {
    placed: Math.max(0, now.claims - now.leavingAgents),
    leaving: now.leavingAgents,
  });
  each(report, "troupe.host.agents.disturbed", "problem", {
    revoked: now.revokedClaims,
    quarantined: now.quarantinedAgents,
    split: now.splitUnits,
  });
}

function readKept(now: HostCounters, report: Report): void {
  report("troupe.host.states.loaded", now.loads);
  each(report, "troupe.host.commits", "outcome", {
    committed: now.commits,
    conflict: now.conflictingCommits,
    stale: now.staleCommits,
  });
  report("troupe.host.store.errors", now.storeErrors);
  each(report, "troupe.host.mail", "outcome", {
    delivered: now.mailDelivered,
    buried: now.deadLetters,
    forgotten: now.forgottenLetters,
  });
  each(report, "troupe.host.durable.events", "outcome", { kept: now.keptEvents, refused: now.refusedEvents });
  each(report, "troupe.host.reminders", "outcome", { fired: now.remindersFired, failed: now.remindersFailed });
}

function readTransport(now: ListenerCounters, report: Report): void {
  report("troupe.host.connections", now.connections);
  each(report, "troupe.host.connections.refused", "reason", {
    limit: now.refusedConnections + now.overloadedConnections,
    "no-handshake": now.unopenedConnections,
    idle: now.idleConnections,
    broken: now.brokenConnections,
    flooding: now.floodingConnections,
    "gave-way": now.gaveWay,
  });
}

function readCluster(now: ClusterHostCounters, report: Report): void {
  report("troupe.host.cluster.links", now.peerLinks);
  report("troupe.host.cluster.shards", now.shardsHeld);
  report("troupe.host.cluster.lease", now.leaseLeftMs / 1_000);
  each(report, "troupe.host.cluster.routes", "state", { known: now.routes, searched: now.gates });
  each(report, "troupe.host.cluster.renewals", "outcome", {
    "in-time": Math.max(0, now.leaseRenewals - now.lateRenewals),
    late: now.lateRenewals,
  });
  report("troupe.host.cluster.isolations", now.isolations);
  report("troupe.host.cluster.deaths", now.deathsDeclared);
  each(report, "troupe.host.cluster.claims", "outcome", {
    made: now.claims,
    conflict: now.claimConflicts,
    refreshed: now.claimRefreshes,
    lost: now.lostClaims,
  });
  report("troupe.host.cluster.moves", now.moves);
  each(report, "troupe.host.cluster.events", "outcome", {
    sent: now.sentPeerEvents,
    dropped: now.droppedPeerEvents,
    lost: now.lostPeerEvents,
    unconfirmed: now.unconfirmedPeerEvents,
  });
  report("troupe.host.cluster.bounced", now.bouncedCalls);
}
