import { type Clock, type CountedQueue, errorText, type Timer, TroupeError } from "../../core/internal.ts";
import { type PeerUnary, peekFrame, peerLinks } from "../../protocol/internal.ts";
import { parseAddress, RpcError, StatusCode } from "../../transport/internal.ts";
import type { PeerTransport } from "../cluster-options.ts";
import type { HostComposition } from "../compose.ts";
import { capabilitiesOf } from "../host-capabilities.ts";
import { limits } from "../limits.ts";
import { openOwnAccount } from "../own-account.ts";
import type { ClusterView } from "../peers/cluster-view.ts";
import {
  createLinkCounters,
  type HostWays,
  type LinkCounters,
  type LinkOccurrence,
  type LinkReport,
} from "../peers/host-ways.ts";
import { LinkedHosts } from "../peers/linked-hosts.ts";
import { AcceptedLinks } from "../peers/links/accepted-links.ts";
import { helloOf } from "../peers/links/hello.ts";
import type { LinkBounds } from "../peers/links/link-queue.ts";
import type { ForwardedCall } from "../peers/other-hosts.ts";
import { giveBackExpected } from "../peers/places/place-gates.ts";
import { ToldPresence } from "../peers/told/told-presence.ts";
import { type HostServicer, partsOf } from "../servicer.ts";

export interface JoinOthersOptions {
  readonly cluster: ClusterView;
  readonly transport: PeerTransport;
  /** `host:port` on which this host listens for the links of others; port 0 takes a free one. */
  readonly address: string;
  /** The secret that all hosts of the cluster name. It is needed beyond loopback where the transport is not mutual. */
  readonly secret?: string | undefined;
  /** Bounds of the queue for each other host. Default: 64 MiB and 200 000 frames. */
  readonly bounds?: { readonly [Name in keyof LinkBounds]?: LinkBounds[Name] | undefined } | undefined;
  /** Milliseconds of silence on a link after which a host asks for a sign of life, and those for the answer. Default: 2 000 and 4 000. */
  readonly keepAliveMs?: number | undefined;
  readonly keepAliveTimeoutMs?: number | undefined;
  /** Answers what an operator asks of this host by another one. Undefined: this host does not know the method. Default: it knows none. */
  readonly operatorAsked?: ((ask: PeerUnary) => Promise<Uint8Array> | undefined) | undefined;
}

/** A host that has joined others. The stop of the host ends the links. */
export interface JoinedOthers {
  /** The address for the links of others, with the real port. */
  readonly address: string;
  counters(): Readonly<LinkCounters>;
  /** The ids of the hosts to which this one has a link, and of those that have one to this. */
  linkedHosts(): { readonly to: readonly string[]; readonly from: readonly string[] };
  /** Resolves when this host has a link to each of these hosts, or when the time is up that `startTimer` begins. */
  linkedTo(hostIds: readonly string[], startTimer: (onLate: () => void) => Timer): Promise<void>;
  /** Ends all links, and makes others under the next id of this host. */
  continueAs(cluster: ClusterView): void;
  /** The links between this host and others. */
  reports(): readonly LinkReport[];
  /** Frames that wait for them. */
  queues(): readonly CountedQueue[];
  /** Asks all other hosts for a sign of life, for the round trips. */
  measure(): void;
  /** Asks one host for an operator. Undefined: there is no link to it. */
  askHost(hostId: string, call: ForwardedCall, timeoutMs: number): Promise<Uint8Array | RpcError> | undefined;
  /** The place of an agent type has changed. */
  typeChanged(agentType: string): void;
}

// protocol.md §12
/**
 * Links a host with the other hosts of its cluster, before workers connect to it. Rejects with `invalid-argument` for options that are not
 * safe or do not fit the host. Rejects with `wrong-state` for a host that has registrations already, and as the listener does.
 */
export async function joinOthers(servicer: HostServicer, options: JoinOthersOptions): Promise<JoinedOthers> {
  const host = partsOf(servicer);
  assertSafe(options);
  assertFits(host);
  const { transport, address, secret } = options;
  let cluster = options.cluster;
  const { accountant, batches } = host;
  const { clock, random, logger, maxSessions, maxSubscriptions, maxMemoryBytes } = host.options;
  const counters = createLinkCounters();
  const account = openOwnAccount(accountant, "subscriptions that other hosts are told");
  const presence = new ToldPresence({
    batches,
    account,
    sessionNumber: (channel) => cluster.sessionNumber(channel),
    isDraining: (channel) => host.workers.isDraining(channel.worker.id),
    loadOf: ({ worker, incomingCalls }) => ({ agents: host.directory.countOf(worker.id), calls: incomingCalls.size }),
  });
  const log = linkLog(host.rateLimited);
  const report = (what: LinkOccurrence): void => {
    log(what);
    host.observers.now?.({ at: "peer", ...what });
  };
  const hello = () => helloOf(cluster.name, cluster.hostId, new Set([...capabilitiesOf(host.options), "rings"]));
  const settings = {
    clock,
    bounds: {
      maxQueuedBytes: options.bounds?.maxQueuedBytes ?? 64 * 1024 * 1024,
      maxQueuedFrames: options.bounds?.maxQueuedFrames ?? 200_000,
    },
    keepAliveMs: options.keepAliveMs ?? 2_000,
    keepAliveTimeoutMs: options.keepAliveTimeoutMs ?? 4_000,
    helloMs: limits.helloMs,
    hello: hello(),
  };
  const ways = waysOf(host, options.operatorAsked);
  const accepted = new AcceptedLinks({ ...settings, ways, presence, counters, secret, report, batches });
  const listening = await transport.listener.listen(address, [accepted], { accountant });
  const endLoads = everySecond(clock, () => {
    // Only agents of shared types go where the load is least.
    if (host.owners.hasShared) presence.tellLoads();
  });
  host.registry.topics.watch((pattern, begins) => presence.patternChanged(pattern, begins));
  const link = (): LinkedHosts =>
    new LinkedHosts({
      ...{ ...settings, hello: hello(), cluster, ways, accepted, presence, counters, report, random },
      ...{ gates: host.gates, expected: host.expected, flushes: host.flushes },
      dialer: transport.dialer,
      telling: { maxWorkers: maxSessions, maxPatterns: maxSubscriptions, maxBytes: maxMemoryBytes / 4 },
      metadata: secret === undefined ? {} : { [peerLinks.secretKey]: secret },
      openAccount: (giveWay) =>
        accountant.openAccount({
          ...{ party: "the other hosts", name: "link to another host", giveWay: () => clock.setTimer(0, giveWay) },
        }),
      onClosed: () => {
        endLoads();
        return listening.close(closeMs);
      },
    });
  let linked = link();
  host.others.now = linked;
  logger?.info("this host links with others", { address: listening.address, cluster: cluster.name });
  return {
    address: listening.address,
    counters: () => ({ ...counters }),
    linkedHosts: () => ({ to: linked.hostIds, from: accepted.hostIds }),
    linkedTo: (hostIds, startTimer) => linked.linkedTo(hostIds, startTimer),
    reports: () => linked.reports,
    queues: () => linked.queues,
    measure: () => linked.measure(),
    askHost: (hostId, call, timeoutMs) => linked.askHost(hostId, call, timeoutMs),
    typeChanged: (agentType) => linked.typeChanged(agentType),
    continueAs: (next) => {
      cluster = next;
      const before = linked;
      accepted.renew(hello());
      linked = link();
      host.others.now = linked;
      before.end();
    },
  };
}

/** Calls a function each second, until the returned one is called. */
function everySecond(clock: Clock, look: () => void): () => void {
  let timer = clock.setTimer(loadsMs, next);
  function next(): void {
    timer = clock.setTimer(loadsMs, next);
    look();
  }
  return () => timer.cancel();
}

const loadsMs = 1_000;

/** Milliseconds in which the connections of other hosts close. */
const closeMs = 1_000;

/** Throws for links that anybody in the network could read, and by which anybody could pretend to be a host. */
function assertSafe({ transport, address, secret }: JoinOthersOptions): void {
  if (secret === "") throw new TroupeError("invalid-argument", "The secret of a cluster (peerSecret) is empty.");
  if (transport.isMutual || secret !== undefined || isLoopback(address)) return;
  throw new TroupeError(
    "invalid-argument",
    `The host would take links of other hosts on ${address} from anybody in the network. Give it certificates (peerTls), or a secret that all hosts of the cluster share (peerSecret).`,
  );
}

function isLoopback(address: string): boolean {
  const parsed = parseAddress(address);
  if (parsed.kind !== "tcp") return true;
  return parsed.host === "localhost" || parsed.host === "::1" || parsed.host.startsWith("127.");
}

function assertFits({ options, others, registry }: HostComposition): void {
  if (options.allowMultipleOwners) {
    const text = "A host of a cluster can't let several clients own a type: leave allowMultipleOwners out.";
    throw new TroupeError("invalid-argument", text);
  }
  if (others.now.areThere) throw new TroupeError("wrong-state", "This host has joined others already.");
  if (registry.subscriptionCount === 0) return;
  throw new TroupeError("wrong-state", "A host must join others before workers connect to it.");
}

function linkLog(logger: HostComposition["rateLimited"]): (what: LinkOccurrence) => void {
  return ({ what, hostId, detail }) => {
    const fields = { hostId, detail: detail === "" ? undefined : detail };
    switch (what) {
      case "opened":
        return logger?.info("a link to another host is open", fields);
      case "accepted":
        return logger?.info("another host has opened a link", fields);
      case "lost":
        return logger?.warn("the link to another host is lost; calls on it fail", fields);
      case "not-opened":
        return logger?.warn("another host can't be reached", fields);
      case "ended":
        return logger?.info("the link of another host has ended", fields);
      case "refused":
        return logger?.warn("a link is refused", fields);
      case "passed-by":
        return logger?.warn("another host tells of what no host takes, and is not believed", fields);
    }
  };
}

/** Makes the ways by which frames of other hosts reach the rooms of the host. */
function waysOf(host: HostComposition, operatorAsked: JoinOthersOptions["operatorAsked"]): HostWays {
  const { calls, control, events, registry, registrations, owners, placement, across, expected } = host;
  return {
    answered: (link, bytes) => {
      const frame = peekFrame(bytes);
      if (frame.kind === "response") calls.answerFrom(link, frame);
      else if (frame.kind === "bad" && frame.head !== undefined) {
        calls.giveUpFrom(link, frame.head, { reason: frame.reason, isOverload: false });
      }
    },
    chunkCame: (link, chunk) => calls.chunks.takeFrom(link, chunk),
    answeredBadly: (link, head, bad) => calls.giveUpFrom(link, head, bad),
    bounced: (link, bounce) => {
      if ("requestId" in bounce.what) calls.elsewhere.bounced(link, bounce);
      else events.bounced(link, bounce, bounce.what.event);
    },
    taken: (link, what) => {
      if ("requestId" in what) calls.elsewhere.taken(link, what.requestId);
      else events.taken(link, what.event);
    },
    workerHere: ({ worker }) => {
      placement.changed();
      across.now?.workerHere(worker.id);
    },
    workerAway: () => placement.changed(),
    linkLost: (link, workers) => {
      placement.changed();
      for (const worker of workers) calls.workerGone(worker);
      events.linkLost(link);
      across.now?.linkEnded(workers);
    },
    isServed: ({ agentType, clientId, isShared }) =>
      isShared ? owners.owners(agentType).includes(clientId) : registry.isServed(agentType),
    typeLost: ({ clientId, agentType }) => registry.loseType(clientId, agentType),
    called: (caller, { isFirst, principal, frame: bytes }, channel) => {
      const frame = peekFrame(bytes);
      if (frame.kind === "request") return calls.routeFrom(caller, frame, { channel, isFirst, principal });
      if (frame.kind === "bad" && frame.head !== undefined) {
        calls.ends.giveUp(caller, frame.head, { reason: frame.reason, isOverload: false });
      }
      return true;
    },
    calledBadly: (caller, head, bad) => calls.ends.giveUp(caller, head, bad),
    noticed: (caller, bytes) => {
      const notice = peekFrame(bytes);
      if (notice.kind === "cancel") calls.ends.cancel(caller, notice);
      else if (notice.kind === "credit") calls.chunks.grant(caller, notice);
    },
    hostsChanged: () => calls.clusterRings.hostsChanged(),
    waitingCame: (caller, notice) => calls.clusterRings.waitingCame(caller, notice),
    callerGone: (caller) => {
      calls.clusterRings.callerGone(caller);
      calls.peerEnded(caller, { inOrder: false });
      events.hostGone(caller);
    },
    published: (caller, event) => {
      const frame = peekFrame(event.frame);
      if (frame.kind === "event") events.routeFrom(caller, frame, event);
    },
    flush: (caller, { agentType, key }, channel, onDone) => {
      if (agentType === "") {
        const workerId = channel?.worker.id;
        giveBackExpected(expected, (message) => message.host === caller && message.workerId === workerId);
        return onDone();
      }
      const type = owners.shared(agentType);
      caller.setBouncing(agentType, key, false);
      if (type === undefined || across.now === undefined) return onDone();
      across.now.flush(caller, type, key, onDone);
    },
    controlCame: (from, envelope) => control.route(from, envelope),
    controlGone: (from) => control.sessionEnded(from),
    asked: async (ask, account, from) => {
      try {
        return (
          calls.clusterRings.answer(ask, from) ?? (await (operatorAsked?.(ask) ?? registrations.answer(ask, account)))
        );
      } catch (error) {
        if (error instanceof RpcError) return error;
        return new RpcError(StatusCode.invalidArgument, errorText(error), { cause: error });
      }
    },
  };
}
