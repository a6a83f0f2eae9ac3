import type { MakeId } from "../../core/internal.ts";
import {
  type CancelFrame,
  type CancelReason,
  encodeFrame,
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
  withoutMailMarks,
  withoutPath,
} from "../../protocol/internal.ts";
import type { BatchRunner } from "../batch-runner.ts";
import type { MutableHostCounters } from "../counters.ts";
import type { LeavingAgents } from "../placement/leaving-agents.ts";
import type { Placement } from "../placement/placement.ts";
import type { Workers } from "../placement/workers.ts";
import type { TypeOwners } from "../registry/type-owners.ts";
import type { Peer, PeerTable } from "../sessions/peer.ts";
import type { PendingCall } from "../sessions/pending-call.ts";
import { CallEndings } from "./call-endings.ts";
import { type CallFailure, callFailure } from "./call-failures.ts";
import { CallOutcomes, type CallOutcomesParts } from "./call-outcomes.ts";
import { type BadFrame, type CallBounds, unknownTarget, whyNotSent, whyNotTaken } from "./call-refusals.ts";
import { CallRings } from "./call-rings.ts";
import { CallTable } from "./call-table.ts";
import { whyNotForDotnet } from "./dotnet-calls.ts";
import { GivenUpTypes } from "./given-up-types.ts";
import { HeldCalls } from "./held-calls.ts";
import { HeldWaits } from "./held-waits.ts";
import { type CallWays, SharedCalls } from "./shared-calls.ts";
import { StockChains } from "./stock-chains.ts";

export interface CallRouterParts extends CallOutcomesParts {
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
}

// protocol.md H1–H7
/** Takes calls to the worker that serves their target, and the answers back. Every call gets exactly one outcome. */
export class CallRouter {
  readonly #bounds: CallBounds;
  readonly #counters: MutableHostCounters;
  readonly #owners: TypeOwners;
  readonly #placement: Placement;
  readonly #peers: PeerTable;
  readonly #outcomes: CallOutcomes;
  readonly #courier: Peer | undefined;
  readonly #calls: CallTable;
  /** Takes the workers' reports of calls that wait for their turn. */
  readonly rings: CallRings;
  readonly #chains = new StockChains();
  readonly #held: HeldCalls;
  /** The calls to agents of shared types, and what workers give back of them. */
  readonly shared: SharedCalls;
  readonly #endings: CallEndings;
  /** Gives their outcome to the calls of a worker that has left; there may be thousands. */
  readonly #batches: BatchRunner;
  readonly #givenUp = new GivenUpTypes();
  #isDraining = false;

  constructor(parts: CallRouterParts) {
    const { bounds, callTimeoutMs, channelWaitMs, clock, batches, makeId, counters, owners, peers, observer } = parts;
    this.#courier = parts.courier;
    this.#bounds = bounds;
    this.#counters = counters;
    this.#owners = owners;
    this.#placement = parts.placement;
    this.#peers = peers;
    this.#outcomes = new CallOutcomes(parts);
    this.#calls = new CallTable({
      clock,
      makeId,
      defaultTimeoutMs: callTimeoutMs,
      maxCalls: bounds.maxPendingCalls,
      isTimed: observer !== undefined,
      onTimeout: (call) => {
        this.#counters.timedOutCalls += 1;
        this.#batches.add(call.caller.id, [() => this.#timeOut(call)], call.caller.account.party);
      },
      onNotedLeft: (call) => {
        this.rings.forget(call);
        if (call.stockPath !== undefined) this.#chains.forget(call, call.stockPath);
      },
    });
    this.rings = new CallRings({
      ...{ counters, batches },
      callNamed: (idText) => this.#calls.named(idText),
      onRing: (call, ring) => this.#breakRing(call, ring),
    });
    this.#batches = batches;
    this.#held = new HeldCalls(clock, channelWaitMs, (call) => {
      if (this.#calls.take(call)) this.#fail(call, callFailure.notReached(call.targetType));
    });
    const { placement, leaving } = parts;
    this.#endings = new CallEndings({
      ...{ calls: this.#calls, batches },
      end: (call, failure) => this.#end(call, failure),
      abandon: (call, reason) => this.#abandon(call, reason),
      tellTarget: (call, reason) => this.#tellTarget(call, reason),
    });
    this.shared = new SharedCalls({
      calls: this.#calls,
      placement,
      leaving,
      owners,
      counters,
      waits: new HeldWaits({ ...{ clock, batches, rings: this.rings, workers: parts.workers }, calls: this.#calls }),
      ...this.#waysOfShared(),
    });
  }

  get pendingCount(): number {
    return this.#calls.size;
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
    if (clientId === undefined)
      return this.#outcomes.refuse(caller, requestIdText(request), unknownTarget(targetType), targetType);
    const refusal = whyNotTaken(caller, request, targetType, { calls: this.#calls, bounds: this.#bounds });
    if (refusal !== undefined) return this.#outcomes.refuse(caller, requestIdText(request), refusal, targetType);
    const callerId = requestIdBytes(request);
    const call = this.#calls.open({ caller, callerId, targetType, targetKey }, request.timeoutMs);
    const target = this.#peers.of(clientId);
    const onPath = this.#chains.onPath(caller, request);
    if (target !== undefined) return this.#forward(call, this.#frameFor(target, call, onPath), target);
    this.#expect(clientId, call, spliceRequestId(onPath, this.#calls.idBytesOf(call)));
  }

  // protocol.md §11.13
  /**
   * Returns the frame of a call for its target. The host keeps the path of a call to a worker that knows no paths. `entry`: one more field
   * of the request.
   */
  #frameFor(target: Peer, call: PendingCall, given: PeekedRequest, entry?: Uint8Array): FrameBytes {
    const id = this.#calls.idBytesOf(call);
    const isMarked = call.caller === this.#courier && !target.traits.capabilities.has("mail");
    const request = isMarked ? withoutMailMarks(given) : given;
    if (!request.hasPath || target.traits.capabilities.has("turns")) return spliceRequestId(request, id, entry);
    const { bare, path } = withoutPath(request);
    this.#chains.keep(call, target, request.targetKey, path);
    return spliceRequestId(bare, id, entry);
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
      bare: ({ caller }, message) => (caller === this.#courier ? withoutEpoch(message) : withoutHostKeys(message)),
      forward: (call, request, target, entry) => {
        const frame = this.#frameFor(target, call, request, entry);
        call.sentBytes = frame.byteLength;
        this.#forward(call, frame, target);
      },
      expect: (clientId, call, frame) => this.#expect(clientId, call, frame),
      end: (call, failure) => this.#end(call, failure),
      release: (call) => {
        if (call.reportBytes > 0) this.rings.forget(call);
        if (call.stockPath !== undefined) this.#chains.forget(call, call.stockPath);
      },
      routeAnew: (call, request) => this.#routeAnew(call, request),
    };
  }

  /** Sends a call that waited for an agent whose type is not the same any more. */
  #routeAnew(call: PendingCall, request: PeekedRequest): void {
    const shared = this.#owners.shared(call.targetType);
    if (shared !== undefined) return this.shared.placeAgain(call, request, shared);
    const clientId = this.#owners.locate(call.targetType, request.targetKey);
    if (clientId === undefined) return this.#end(call, unknownTarget(call.targetType));
    const target = this.#peers.of(clientId);
    if (target === undefined) this.#expect(clientId, call, spliceRequestId(request, this.#calls.idBytesOf(call)));
    else this.#forward(call, this.#frameFor(target, call, request), target);
  }

  /** Holds a call for a client whose channel is to come. */
  #expect(clientId: string, call: PendingCall, frame: FrameBytes): void {
    const failure = this.#held.hold(clientId, call, frame);
    if (failure !== undefined) this.#end(call, failure);
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
    this.#calls.take(call);
    this.#outcomes.answer(call, response);
  }

  // protocol.md §11.15
  /**
   * Keeps the call of an answer that rides on a commit. From now on the commit decides it: no end of its worker, no time limit and no
   * drain ends it. Undefined: there is no such call, or it is not this worker's.
   */
  keepForCommit(from: Peer, response: PeekedResponse): PendingCall | undefined {
    const call = this.#calls.answeredBy(response);
    if (call?.target !== from) return undefined;
    call.commits += 1;
    return call;
  }

  /**
   * The commit of a kept call is decided. A call that is still pending continues, unless it should have ended meanwhile. `failure`: for a
   * caller whose worker is gone.
   */
  releaseFromCommit(call: PendingCall, failure: ((agentType: string) => CallFailure) | undefined): void {
    call.commits -= 1;
    const decided = failure?.(call.targetType);
    if (decided?.code === "state-unknown") call.isInDoubt = true;
    if (call.commits > 0 || !this.#calls.has(call)) return;
    if (call.target?.isOpen !== true) return this.#end(call, decided ?? callFailure.disconnected(call.targetType));
    if (this.#isDraining) return this.#endings.cutShort(call);
    if (this.#placement.isRevoked(call.target)) return this.#end(call, callFailure.revoked(call.targetType));
    if (!this.#calls.isOverdue(call)) return;
    this.#counters.timedOutCalls += 1;
    if (this.#calls.take(call)) this.#timeOut(call);
  }

  /** Whether a worker that leaves has given up the type. It may still have calls of it. */
  hasGivenUp(peer: Peer, agentType: string): boolean {
    return this.#givenUp.has(peer, agentType);
  }

  /** A worker gives up one of its own calls. Other workers' ids, and those of calls with an outcome, change nothing. */
  cancel(caller: Peer, { requestId, reason }: CancelFrame): void {
    const call = caller.traits.isAnnounced ? caller.outgoingCalls.named(requestId) : undefined;
    if (call === undefined) this.#counters.unmatchedCancels += 1;
    else this.#abandon(call, reason);
  }

  // protocol.md §11.16
  /**
   * Ends a kept call whose handler has not begun, as far as the host can know. False: it continues. Its worker decides about a call that it
   * has: one whose handler has begun is finished there, and its answer is dropped.
   */
  withdraw(courier: Peer, requestId: string): boolean {
    const call = courier.outgoingCalls.named(requestId);
    if (call === undefined || call.commits > 0) return false;
    if (call.target !== undefined && !call.target.traits.capabilities.has("mail")) return false;
    this.#abandon(call, "withdrawn");
    return true;
  }

  /** Ends a call of which the host could read only the beginning of the request or of the answer. */
  giveUp(from: Peer, head: FrameHead, { reason, isOverload }: BadFrame): void {
    if (head.kind === "request") {
      this.#counters.calls += 1;
      const failure = isOverload ? callFailure.noRoom(reason) : callFailure.unreadableRequest(reason);
      return this.#outcomes.refuse(from, head.requestId, failure);
    }
    const call = this.#calls.named(head.requestId);
    if (call === undefined || call.target !== from) return;
    this.#calls.take(call);
    const failure = isOverload
      ? callFailure.noRoom(`The answer of agent type ${call.targetType} was refused. ${reason}`)
      : callFailure.unreadableAnswer(call.targetType, reason);
    this.#fail(call, failure);
  }

  // protocol.md §11.2
  /** A worker stops: it takes no more calls but those of its own agents, and has given up these types. */
  peerLeaving(peer: Peer, types: ReadonlySet<string>): void {
    if (this.#givenUp.add(peer, types)) this.#placement.peerEnded(peer);
  }

  /** Sends the calls that waited for this client's channel. */
  peerOpened(peer: Peer): void {
    for (const { call, frame } of this.#held.release(peer.id)) {
      const request = peekFrame(frame);
      if (request.kind !== "request") continue;
      const shared = this.#owners.hasShared ? this.#owners.shared(call.targetType) : undefined;
      if (shared !== undefined) this.shared.placeAgain(call, request, shared);
      else this.#forward(call, this.#frameFor(peer, call, request), peer);
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

  /** Ends a call with a failure, if it has no outcome yet. One in doubt says so, since its worker can't any more. */
  #end(call: PendingCall, failure: CallFailure): void {
    if (this.#calls.take(call)) this.#fail(call, call.isInDoubt ? callFailure.inDoubt(call.targetType) : failure);
  }

  #forward(call: PendingCall, frame: FrameBytes, target: Peer): void {
    this.#calls.assign(call, target);
    const refusal = target.dotnet && whyNotForDotnet(target.dotnet, call.targetType, frame);
    if (refusal !== undefined) {
      if (this.#calls.take(call)) this.#fail(call, refusal);
      return;
    }
    const outcome = target.send(frame, "call");
    if (outcome !== "queued" && this.#calls.take(call)) this.#fail(call, whyNotSent(outcome, call, frame, target));
  }

  /** Answers a call that has left the table because its time is up. */
  #timeOut(call: PendingCall): void {
    this.#tellTarget(call, "timed-out");
    this.#fail(call, callFailure.timedOut(call.targetType, call.targetKey, call.timeoutMs));
  }

  /** Fails a call that waits, by way of others, for itself. */
  #breakRing(call: PendingCall, ring: string): void {
    // A call that a commit decides waits for no turn any more.
    if (call.commits > 0 || !this.#calls.take(call)) return;
    this.#counters.deadlockedCalls += 1;
    this.#tellTarget(call, "cancelled");
    this.#fail(call, callFailure.deadlock(ring));
  }

  /** Ends a call whose caller no longer waits for the outcome. */
  #abandon(call: PendingCall, reason: CancelReason): void {
    this.#held.forget(call);
    this.shared.forget(call);
    if (!this.#calls.take(call)) return;
    this.#outcomes.abandon(call, reason);
    this.#tellTarget(call, reason);
  }

  /** Tells an announced target to stop work on a call that has left the table. */
  #tellTarget(call: PendingCall, reason: CancelReason): void {
    const { target } = call;
    if (!target?.traits.isAnnounced) return;
    const outcome = target.notify(encodeFrame({ kind: "cancel", requestId: this.#calls.idTextOf(call), reason }));
    if (outcome === "full") this.#counters.lostNotices += 1;
  }

  /** Answers a call that has left the table with a failure. */
  #fail(call: PendingCall, failure: CallFailure): void {
    this.#held.forget(call);
    this.shared.forget(call);
    this.#outcomes.fail(call, failure);
  }
}
