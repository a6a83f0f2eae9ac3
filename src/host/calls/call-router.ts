// Over 400 lines: it composes what works on calls, and each way by which a call comes decides in a few lines who gets it.
import { type Clock, type MakeId, sharedTime } from "../../core/internal.ts";
import {
  type FrameBytes,
  type FrameHead,
  type PeekedRequest,
  type PeekedResponse,
  peekFrame,
  requestIdBytes,
  requestIdText,
  spliceRequestId,
  withoutEpoch,
  withoutHostKeys,
  withoutPrincipal,
} from "../../protocol/internal.ts";
import type { BatchRunner } from "../batch-runner.ts";
import type { MutableHostCounters } from "../counters.ts";
import { HostCaller } from "../peers/host-caller.ts";
import { noOthers, type OthersSeat } from "../peers/other-hosts.ts";
import { type ExpectedMessage, PlaceGates } from "../peers/places/place-gates.ts";
import type { CallLink, WorkerElsewhere } from "../peers/worker-elsewhere.ts";
import type { AgentRoutes } from "../placement/cluster/agent-routes.ts";
import type { AcrossSeat, LeavingAgents } from "../placement/leaving-agents.ts";
import type { CallOfHost } from "../placement/located.ts";
import type { Placement } from "../placement/placement.ts";
import type { Workers } from "../placement/workers.ts";
import type { SharedType } from "../registry/shared-type.ts";
import type { TypeOwners } from "../registry/type-owners.ts";
import type { MessageTraces } from "../sessions/message-traces.ts";
import type { Peer, PeerTable } from "../sessions/peer.ts";
import type { PendingCall } from "../sessions/pending-call.ts";
import { CallChunks } from "./call-chunks.ts";
import { CallCommits } from "./call-commits.ts";
import { CallEndings } from "./call-endings.ts";
import { CallEnds } from "./call-ends.ts";
import { type CallFailure, callFailure } from "./call-failures.ts";
import { CallOutcomes, type CallOutcomesParts } from "./call-outcomes.ts";
import { type BadFrame, type CallBounds, unknownTarget, whyNotTaken } from "./call-refusals.ts";
import { CallSending } from "./call-sending.ts";
import { CallTable } from "./call-table.ts";
import { CallsElsewhere, isOn } from "./calls-elsewhere.ts";
import { type GivenUp, GivenUpTypes } from "./given-up-types.ts";
import { HeldCalls } from "./held-calls.ts";
import { CallRings } from "./rings/call-rings.ts";
import { ClusterRings } from "./rings/cluster-rings.ts";
import { HeldWaits } from "./rings/held-waits.ts";
import { type CallWays, SharedCalls } from "./shared-calls.ts";
import { StockChains } from "./stock-chains.ts";

export interface CallRouterParts extends Omit<CallOutcomesParts, "observedMs"> {
  readonly clock: Clock;
  readonly bounds: CallBounds;
  readonly callTimeoutMs: number;
  readonly channelWaitMs: number;
  /** Runs what may be long: the ends of a worker's calls. */
  readonly batches: BatchRunner;
  readonly makeId: MakeId;
  readonly owners: TypeOwners;
  readonly placement: Placement;
  readonly leaving: LeavingAgents;
  readonly workers: Workers;
  readonly peers: PeerTable;
  /** The caller of the calls that the host keeps. */
  readonly courier?: Peer | undefined;
  // protocol.md §11.20
  /** Whether a client wants to hear who calls agents of a type. Default: no client does. */
  readonly asksPrincipal?: ((clientId: string, agentType: string) => boolean) | undefined;
  /** Default: this host is alone. */
  readonly others?: OthersSeat | undefined;
  readonly gates?: PlaceGates | undefined;
  readonly expected?: PlaceGates<ExpectedMessage> | undefined;
  readonly across?: AcrossSeat<AgentRoutes> | undefined;
  /** Default: calls are not traced. */
  readonly traces?: MessageTraces | undefined;
}

// protocol.md H1–H7
/** Takes calls to the worker that serves their target, and the answers back. Every call gets exactly one outcome. */
export class CallRouter {
  readonly #bounds: CallBounds;
  /** A link of another host has the calls of all its workers. */
  readonly #boundsOfHosts: CallBounds;
  readonly #counters: MutableHostCounters;
  readonly #owners: TypeOwners;
  readonly #placement: Placement;
  readonly #peers: PeerTable;
  readonly #outcomes: CallOutcomes;
  readonly #courier: Peer | undefined;
  readonly #calls: CallTable;
  /** Takes the workers' reports of calls that wait for their turn. */
  readonly rings: CallRings;
  /** Searches for rings over the hosts of a cluster. */
  readonly clusterRings: ClusterRings;
  readonly #chains = new StockChains();
  readonly #held: HeldCalls;
  /** The calls to agents of shared types, and what workers give back of them. */
  readonly shared: SharedCalls;
  readonly #endings: CallEndings;
  /** Ends single calls. */
  readonly ends: CallEnds;
  /** Calls whose answers ride on commits. */
  readonly commits: CallCommits;
  readonly #sending: CallSending;
  /** The chunks of answers that come in parts. */
  readonly chunks: CallChunks;
  /** Calls that other hosts serve. */
  readonly elsewhere: CallsElsewhere;
  readonly #others: OthersSeat;
  readonly #gates: PlaceGates;
  /** Gives their outcome to the calls of a worker that has left; there may be thousands. */
  readonly #batches: BatchRunner;
  readonly #givenUp = new GivenUpTypes();
  #isDraining = false;

  constructor(parts: CallRouterParts) {
    const { bounds, callTimeoutMs, channelWaitMs, clock, batches, makeId, counters, owners, peers, observers } = parts;
    this.#courier = parts.courier;
    this.#bounds = bounds;
    this.#boundsOfHosts = { ...bounds, maxPendingCallsPerSession: bounds.maxPendingCalls };
    this.#counters = counters;
    this.#owners = owners;
    this.#placement = parts.placement;
    this.#peers = peers;
    const observedMs = sharedTime(clock);
    this.#outcomes = new CallOutcomes({ ...parts, observedMs });
    this.#calls = new CallTable({
      clock,
      makeId,
      defaultTimeoutMs: callTimeoutMs,
      maxCalls: bounds.maxPendingCalls,
      ...{ observers, observedMs },
      traces: parts.traces,
      onTimeout: (call) => {
        const { stream } = call;
        if (stream?.answer === undefined) this.#counters.timedOutCalls += 1;
        if (stream !== undefined && stream.sentBytes >= stream.askedBytes) this.#counters.stalledStreams += 1;
        this.#batches.add(call.caller.id, [() => this.ends.timeOut(call)], call.caller.account.party);
      },
      onNotedLeft: (call) => {
        this.rings.forget(call);
        if (call.stockPath !== undefined) this.#chains.forget(call, call.stockPath);
      },
    });
    const calls = this.#calls;
    this.ends = new CallEnds({
      ...{ calls, outcomes: this.#outcomes, counters },
      onOver: (call) => {
        this.#held.forget(call);
        this.shared.forget(call);
        this.elsewhere.forget(call);
      },
    });
    this.chunks = new CallChunks({ calls, ends: this.ends, counters, clock });
    const { placement, leaving, others = { now: noOthers } } = parts;
    const { courier, asksPrincipal } = parts;
    const chains = this.#chains;
    this.#sending = new CallSending({ calls, ends: this.ends, chains, courier, others, asksPrincipal });
    this.clusterRings = new ClusterRings({
      ...{ clock, batches, counters, calls, others },
      onRing: (call, ring) => this.rings.breakRing(call, ring),
    });
    this.rings = new CallRings({
      ...{ counters, batches, cluster: this.clusterRings },
      callNamed: (idText) => calls.named(idText),
      isOver: (idText) => calls.isOver(idText),
      isOwn: (idText) => calls.isOwn(idText),
      onRing: (call, ring) => this.ends.breakRing(call, ring),
    });
    this.#batches = batches;
    this.#held = new HeldCalls(clock, channelWaitMs, (call) =>
      this.ends.end(call, callFailure.notReached(call.targetType)),
    );
    this.#others = others;
    const release = (call: PendingCall): void => this.#release(call);
    const routeAnew = (call: PendingCall, request: PeekedRequest): void => this.#routeAnew(call, request);
    const [sending, ends] = [this.#sending, this.ends];
    const { gates = new PlaceGates(clock), expected = new PlaceGates<ExpectedMessage>(clock) } = parts;
    this.#gates = gates;
    this.elsewhere = new CallsElsewhere({
      ...{ others, gates, expected, calls, ends, sending, release, routeAnew },
      courier: parts.courier,
      shared: () => this.shared,
      routeHere: (call, request, workerId) => this.#routeHere(call, request, workerId),
      refuse: (caller, request, failure, agentType) =>
        this.#outcomes.refuse(caller, requestIdText(request), failure, agentType),
    });
    this.#endings = new CallEndings({ calls, batches, ends: this.ends });
    this.commits = new CallCommits({
      ...{ calls, ends: this.ends, endings: this.#endings, placement, counters, isDraining: () => this.#isDraining },
    });
    this.shared = new SharedCalls({
      ...{ calls, placement, leaving, owners, counters, across: parts.across ?? { now: undefined } },
      waits: new HeldWaits({ clock, batches, rings: this.rings, workers: parts.workers, calls }),
      ...this.#waysOfShared(),
    });
  }

  get pendingCount(): number {
    return this.#calls.size;
  }

  /** Milliseconds that the oldest pending call has waited for its outcome; 0 without pending calls. */
  oldestMs(): number {
    return this.#calls.oldestMs();
  }

  /** A copy of the calls without an outcome, in no order. */
  pending(): readonly PendingCall[] {
    return this.#calls.all();
  }

  /** Takes a call that came on a worker's channel. */
  route(caller: Peer, given: PeekedRequest): void {
    this.#counters.calls += 1;
    const request = caller === this.#courier ? given : withoutHostKeys(given);
    const { targetType, targetKey } = request;
    if (this.#isDraining)
      return this.#outcomes.refuse(caller, requestIdText(request), callFailure.shuttingDown(), targetType);
    if (targetType === undefined) return this.#outcomes.refuse(caller, requestIdText(request), callFailure.noTarget());
    const shared = this.#owners.hasShared ? this.#owners.shared(targetType) : undefined;
    if (shared !== undefined) return this.shared.route(caller, request, shared);
    const isOwn = this.#givenUp.isOwnCall(caller, request);
    const clientId = isOwn ? caller.id : this.#owners.locate(targetType, targetKey);
    const nowhere = clientId === undefined ? this.#whyNotElsewhere(targetType) : undefined;
    if (nowhere !== undefined) return this.#outcomes.refuse(caller, requestIdText(request), nowhere, targetType);
    const refusal = whyNotTaken(caller, request, targetType, { calls: this.#calls, bounds: this.#bounds });
    if (refusal !== undefined) return this.#outcomes.refuse(caller, requestIdText(request), refusal, targetType);
    const callerId = requestIdBytes(request);
    const call = this.#calls.open({ caller, callerId, targetType, targetKey }, request);
    const onPath = this.#chains.onPath(caller, request);
    if (clientId === undefined) return this.elsewhere.send(call, onPath);
    const gate = this.#gates.isInUse && !isOwn ? this.#others.now.gateFor(targetType) : undefined;
    if (gate !== undefined) return this.elsewhere.hold(gate, call, onPath);
    const target = this.#peers.of(clientId);
    if (target !== undefined) this.#sending.forward(call, onPath, target);
    else this.#expect(clientId, call, spliceRequestId(onPath, this.#calls.idBytesOf(call)));
  }

  /** The reason why a call can't go to another host; undefined: it can. */
  #whyNotElsewhere(targetType: string): CallFailure | undefined {
    const others = this.#others.now;
    if (!others.isServing) return callFailure.isolated();
    return others.find(targetType) === undefined ? unknownTarget(targetType) : undefined;
  }

  /** Answers a call that the host does not take. */
  refuse(caller: Peer, request: PeekedRequest, failure: CallFailure): void {
    this.#counters.calls += 1;
    this.#outcomes.refuse(caller, requestIdText(request), failure, request.targetType);
  }

  // protocol.md §12
  /**
   * Takes a call that another host has sent for the worker of a channel here, and sends it to no other host. `isFirst`: it is the first one on a
   * route to an agent of a shared type. False: the worker does not serve the type, or this host has lost touch with its cluster; nothing was done.
   */
  routeFrom(caller: HostCaller, request: PeekedRequest, named: CallOfHost): boolean {
    const { channel, principal } = named;
    const { targetType = "", targetKey } = request;
    const { isServing } = this.#others.now;
    const shared = this.#owners.hasShared ? this.#owners.shared(targetType) : undefined;
    if (shared !== undefined && this.#placement.isAcross) {
      this.#counters.calls += 1;
      this.#routeToAgent(caller, request, shared, named);
      return true;
    }
    if (!isServing) return false;
    const clientId = this.#owners.locate(targetType, targetKey);
    const target = clientId === undefined ? undefined : this.#peers.of(clientId);
    const isWaiting = shared === undefined && this.elsewhere.isExpecting(targetType);
    const isHere = shared !== undefined || (!isWaiting && target?.worker.id === channel.worker.id);
    const isExpected =
      isWaiting || (!isHere && clientId === undefined && this.#others.now.isPlaceOf(channel, targetType));
    if (!isHere && !isExpected) return false;
    this.#counters.calls += 1;
    const refusal = this.#isDraining
      ? callFailure.shuttingDown()
      : whyNotTaken(caller, request, targetType, { calls: this.#calls, bounds: this.#boundsOfHosts });
    if (refusal !== undefined) this.#outcomes.refuse(caller, requestIdText(request), refusal, targetType);
    else if (shared !== undefined) this.shared.route(caller, request, shared, principal);
    else {
      const callerId = requestIdBytes(request);
      const call = this.#calls.open({ caller, principal, callerId, targetType, targetKey }, request);
      if (isExpected || target === undefined) this.elsewhere.expect(call, request, channel.worker.id);
      else this.#sending.forward(call, request, target);
    }
    return true;
  }

  /** Sends a call of another host to a worker of this one. False: the worker does not serve the type, and is not about to. */
  #routeHere(call: PendingCall, request: PeekedRequest, workerId: string): boolean {
    const { targetType } = call;
    const { now } = this.#others;
    const shared = this.#owners.shared(targetType);
    if (shared !== undefined || !now.isServing) return false;
    const clientId = this.#owners.locate(targetType, request.targetKey);
    const target = clientId === undefined ? undefined : this.#peers.of(clientId);
    if (target?.worker.id === workerId && !this.elsewhere.isExpecting(targetType)) {
      this.#sending.forward(call, request, target);
      return true;
    }
    if (clientId !== undefined && target?.worker.id !== workerId) return false;
    if (!now.isExpectedHere(targetType)) return false;
    this.elsewhere.expect(call, request, workerId);
    return true;
  }

  // protocol.md §12.8
  #routeToAgent(caller: HostCaller, request: PeekedRequest, type: SharedType, named: CallOfHost): void {
    // Another host may have a worker for the agent.
    if (this.#isDraining || !this.#others.now.isServing) return this.shared.refuseFrom(caller, request, named);
    const refusal = whyNotTaken(caller, request, type.name, { calls: this.#calls, bounds: this.#boundsOfHosts });
    if (refusal !== undefined) this.#outcomes.refuse(caller, requestIdText(request), refusal, type.name);
    else this.shared.routeFrom(caller, request, type, named);
  }

  /** Returns what the room for calls of shared types needs of this router. */
  #waysOfShared(): CallWays {
    return {
      mayEnter: (caller, request, agentType) => {
        const refusal = whyNotTaken(caller, request, agentType, { calls: this.#calls, bounds: this.#bounds });
        if (refusal !== undefined) this.#outcomes.refuse(caller, requestIdText(request), refusal, agentType);
        return refusal === undefined;
      },
      refuse: (caller, request, failure, agentType) =>
        this.#outcomes.refuse(caller, requestIdText(request), failure, agentType),
      onPath: (caller, request) => this.#chains.onPath(caller, request),
      // What a host has sent has what only hosts say.
      bare: ({ caller, principal }, message) => {
        if (caller !== this.#courier && !(caller instanceof HostCaller)) return withoutHostKeys(message);
        // The host names the principal anew, unless it has kept the call.
        return withoutEpoch(principal === undefined ? message : withoutPrincipal(message));
      },
      forward: (call, request, target, entry, use) => {
        call.sentBytes = this.#sending.forward(call, request, target, entry, use);
      },
      giveBack: (call) => this.ends.giveBack(call),
      expect: (clientId, call, frame) => this.#expect(clientId, call, frame),
      end: (call, failure) => this.ends.end(call, failure),
      release: (call) => this.#release(call),
      routeAnew: (call, request) => this.#routeAnew(call, request),
    };
  }

  #release(call: PendingCall): void {
    if (call.reportBytes > 0) this.rings.forget(call);
    if (call.stockPath !== undefined) this.#chains.forget(call, call.stockPath);
  }

  /** Sends a call that waited for an agent whose type is not the same any more. */
  #routeAnew(call: PendingCall, request: PeekedRequest): void {
    const shared = this.#owners.shared(call.targetType);
    if (shared !== undefined) return this.shared.placeAgain(call, request, shared);
    const clientId = this.#owners.locate(call.targetType, request.targetKey);
    if (clientId === undefined) return this.elsewhere.send(call, request);
    const gate = this.#gates.isInUse ? this.#others.now.gateFor(call.targetType) : undefined;
    if (gate !== undefined) return this.elsewhere.hold(gate, call, request);
    const target = this.#peers.of(clientId);
    if (target === undefined) this.#expect(clientId, call, spliceRequestId(request, this.#calls.idBytesOf(call)));
    else this.#sending.forward(call, request, target);
  }

  /** Holds a call for a client whose channel is to come. */
  #expect(clientId: string, call: PendingCall, frame: FrameBytes): void {
    const failure = this.#held.hold(clientId, call, frame);
    if (failure !== undefined) this.ends.end(call, failure);
  }

  /** Takes an answer that came on a worker's channel. */
  answer(from: Peer, response: PeekedResponse): void {
    const call = this.#calls.answeredBy(response);
    if (call === undefined) {
      this.#counters.lateAnswers += 1;
      return;
    }
    if (call.target !== from) {
      this.#counters.strayAnswers += 1;
      return;
    }
    if (response.chunks > 0 && this.chunks.keepAnswer(call, from, response)) return;
    this.#calls.take(call);
    this.#outcomes.answer(call, response);
  }

  // protocol.md §12
  /** Takes an answer that came on the link to another host. */
  answerFrom(link: CallLink, response: PeekedResponse): void {
    const call = this.#calls.answeredBy(response);
    if (call === undefined) this.#counters.lateAnswers += 1;
    else if (!isOn(link, call)) this.#counters.strayAnswers += 1;
    else {
      // The other host may have refused it: then no worker got it, and the next message is the first on its route.
      this.shared.forget(call);
      this.#calls.take(call);
      this.#outcomes.answer(call, response);
    }
  }

  /** Only the beginning of an answer, or of a chunk, that came on such a link could be read. */
  giveUpFrom(link: CallLink, { kind, requestId }: FrameHead, bad: BadFrame): void {
    const call = this.#calls.named(requestId);
    if (call !== undefined && isOn(link, call)) this.ends.giveUpAnswer(call, kind, bad);
  }

  /** The link to a worker of another host has ended: the calls that it has fail. */
  workerGone(worker: WorkerElsewhere): void {
    this.#endings.ofPeer(worker, callFailure.disconnected);
  }

  /** Whether a worker that leaves has given up the type. It may still have calls of it. */
  hasGivenUp(peer: Peer, agentType: string): boolean {
    return this.#givenUp.has(peer, agentType);
  }

  // protocol.md §11.17 L10
  /** Whether a worker that leaves has given up the type after its agents had been revoked. */
  hasLost(peer: Peer, agentType: string): boolean {
    return this.#givenUp.hasLost(peer, agentType);
  }

  // protocol.md §11.2
  /** A worker stops: it takes no more calls but those of its own agents, and has given up these types. */
  peerLeaving(peer: Peer, givenUp: GivenUp): void {
    if (this.#givenUp.add(peer, givenUp)) this.#placement.peerEnded(peer);
  }

  /** Sends the calls that waited for this client's channel. */
  peerOpened(peer: Peer): void {
    for (const { call, frame } of this.#held.release(peer.id)) {
      const request = peekFrame(frame);
      if (request.kind !== "request") continue;
      const shared = this.#owners.hasShared ? this.#owners.shared(call.targetType) : undefined;
      if (shared !== undefined) this.shared.placeAgain(call, request, shared);
      else this.#sending.forward(call, request, peer);
    }
  }

  // protocol.md H4, H5
  /**
   * Forgets the calls that this worker made, and fails those that it has not answered. `inOrder`: the worker itself has ended its
   * channel. If it had said before that it leaves, it had answered all that it took.
   */
  peerEnded(peer: Peer, { inOrder }: { readonly inOrder: boolean }): void {
    const failure = this.#givenUp.delete(peer) && inOrder ? callFailure.notTaken : callFailure.disconnected;
    this.#endings.ofPeer(peer, failure);
  }

  // protocol.md §11.17
  /** Ends the calls that channels of a worker have for agents of shared types. Commits decide those of theirs. */
  endShared(peers: readonly Peer[]): void {
    const isShared = (agentType: string): boolean => this.#owners.shared(agentType) !== undefined;
    for (const peer of peers) this.#endings.ofRevoked(peer, isShared);
  }

  // protocol.md H21
  /**
   * Refuses calls from now on, and ends those without an outcome: at once if they are few, else in batches. Then the promise
   * resolves when all have one.
   */
  drain(): Promise<void> | undefined {
    this.#isDraining = true;
    return this.#endings.ofAll();
  }
}
