import { counter, duration, gauge, type MetricTable } from "../../core/internal.ts";

/** The counters and gauges of a host. docs/operations.md describes each. */
export const hostMetrics = {
  "troupe.host.calls": counter(
    "{call}",
    "Calls with an outcome: answered by their target, failed by the host, or abandoned by their caller.",
  ),
  "troupe.host.calls.by.type": counter("{call}", "Calls to types that a worker serves, by type and outcome."),
  "troupe.host.calls.pending": gauge("{call}", "Calls without an outcome."),
  "troupe.host.calls.oldest": gauge("s", "Age of the oldest call without an outcome."),
  "troupe.host.events": counter("{event}", "Events that came from workers."),
  "troupe.host.deliveries": counter("{delivery}", "Frames that were queued for events."),
  "troupe.host.chunks": counter("{chunk}", "Chunks of answers passed on."),
  "troupe.host.chunks.size": counter("By", "Bytes of these chunks."),
  "troupe.host.streams.stalled": counter(
    "{stream}",
    "Streams that ran out of time while their handler waited for the reader.",
  ),
  "troupe.host.control.messages": counter("{message}", "Control messages passed on."),
  "troupe.host.dropped": counter("{message}", "Messages that the host dropped, by the reason."),
  "troupe.host.refused": counter("{request}", "Requests that the host refused, by the reason."),
  "troupe.host.sessions": gauge("{session}", "Open channels of workers, by their kind."),
  "troupe.host.channels.ended": counter("{channel}", "Channels that the host ended itself, by the reason."),
  "troupe.host.types": gauge("{type}", "Agent types that workers serve."),
  "troupe.host.subscriptions": gauge("{subscription}", "Subscriptions of workers."),
  "troupe.host.agents": gauge("{agent}", "Agents of shared types that have a worker, by whether they leave it."),
  "troupe.host.agents.disturbed": counter("{agent}", "Agents of shared types with a problem, by its kind."),
  "troupe.host.held": gauge("{message}", "Messages that wait for agents which leave their workers."),
  "troupe.host.queue.frames": gauge("{frame}", "Frames that wait to be sent to workers."),
  "troupe.host.queue.size": gauge("By", "Bytes that wait to be sent to workers."),
  "troupe.host.queue.age": gauge(
    "s",
    "Age of the oldest entry that waits, by the queue: for workers, for other hosts, for the state store, for agents.",
  ),
  "troupe.host.memory": gauge("By", "Bytes that the host keeps for its clients; maxMemoryBytes bounds them."),
  "troupe.host.gave.way": counter("{client}", "Clients that held most and ended because others needed space."),
  "troupe.host.states.loaded": counter("{state}", "States that workers loaded."),
  "troupe.host.commits": counter("{commit}", "Commits of workers, by their outcome."),
  "troupe.host.store.errors": counter("{error}", "Times that the state store could not do what it was asked."),
  "troupe.host.mail": counter("{message}", "Told messages and durable events that ended, by how."),
  "troupe.host.durable.events": counter("{event}", "Durable events that were kept or refused."),
  "troupe.host.reminders": counter("{reminder}", "Ticks of reminders that ended, by how."),
  "troupe.host.connections": gauge("{connection}", "Open connections."),
  "troupe.host.connections.refused": counter("{connection}", "Connections that were refused or ended, by the reason."),
  "troupe.host.ready": gauge("1", "1 while the host takes workers and its store and cluster can be used, else 0."),
  "troupe.host.cluster.links": gauge("{link}", "Other hosts to which this one has a link."),
  "troupe.host.cluster.shards": gauge("{shard}", "Shards of the mail that this host reads."),
  "troupe.host.cluster.lease": gauge("s", "Time until this host is isolated."),
  "troupe.host.cluster.routes": gauge("{agent}", "Agents at other hosts, by whether their place is known."),
  "troupe.host.cluster.renewals": counter(
    "{renewal}",
    "Renewals of the lease of this host, by whether they were late.",
  ),
  "troupe.host.cluster.isolations": counter("{isolation}", "Times that the lease was over before it was renewed."),
  "troupe.host.cluster.deaths": counter("{host}", "Hosts that this one has declared dead."),
  "troupe.host.cluster.claims": counter("{claim}", "Claims of agents, by what became of them."),
  "troupe.host.cluster.moves": counter("{agent}", "Agents that were given to other workers."),
  "troupe.host.cluster.events": counter("{event}", "Events for other hosts, by their outcome."),
  "troupe.host.cluster.bounced": counter("{call}", "Calls that came back from other hosts."),
} as const satisfies MetricTable;

/** The histograms of a host. */
export const hostHistograms = {
  "troupe.host.call.duration": duration("Time from the arrival of a call at the host to its outcome."),
  "troupe.host.commit.duration": duration("Time that a commit of a worker took at the host."),
  "troupe.host.mail.age": duration("Age of a told message or a durable event when its agent had handled it."),
  "troupe.host.reminder.delay": duration("Time from when a reminder was due to the end of its handler."),
} as const satisfies MetricTable;

export type HostMetricName = keyof typeof hostMetrics;
