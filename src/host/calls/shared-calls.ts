import { nameInPath } from "../../core/internal.ts";
import {
  epochEntry,
  type FrameBytes,
  joinFrame,
  type PeekedRequest,
  peekFrame,
  type ReturnedFrame,
  requestIdBytes,
  requestIdText,
  spliceRequestId,
} from "../../protocol/internal.ts";
import type { MutableHostCounters } from "../counters.ts";
import { limits } from "../limits.ts";
import type { LeavingAgents } from "../placement/leaving-agents.ts";
import type { Located, Placed } from "../placement/located.ts";
import type { HeldMessage, MovingAgent } from "../placement/moving-agent.ts";
import type { Placement } from "../placement/placement.ts";
import type { SharedType } from "../registry/shared-type.ts";
import type { TypeOwners } from "../registry/type-owners.ts";
import type { Peer } from "../sessions/peer.ts";
import { keptText, type PendingCall } from "../sessions/pending-call.ts";
import { type CallFailure, callFailure } from "./call-failures.ts";
import type { CallTable } from "./call-table.ts";
import type { HeldWaits } from "./held-waits.ts";
import { type EndedCalls, waitingPathOf } from "./waiting-path.ts";

/** The work of the call router for calls to agents of shared types. */
export interface CallWays {
  /** Refuses a call that has not entered the table. Returns whether it did. */
  readonly mayEnter: (caller: Peer, request: PeekedRequest, agentType: string) => boolean;
  readonly refuse: (caller: Peer, request: PeekedRequest, failure: CallFailure, agentType: string) => void;
  /** The request with the path that a stock worker could not pass on. */
  readonly onPath: (caller: Peer, request: PeekedRequest) => PeekedRequest;
  /** Returns a call that a worker gives back without what hosts say to workers alone. */
  readonly bare: (call: PendingCall, message: PeekedRequest) => PeekedRequest;
  readonly forward: (call: PendingCall, request: PeekedRequest, target: Peer, entry: Uint8Array | undefined) => void;
  /** Holds a call for a client whose channel is to come. */
  readonly expect: (clientId: string, call: PendingCall, frame: FrameBytes) => void;
  /** Ends a call with a failure, if it has no outcome yet. */
  readonly end: (call: PendingCall, failure: CallFailure) => void;
  /** The call is not its target's any more: forgets what the host keeps about that. */
  readonly release: (call: PendingCall) => void;
  /** Routes a call anew whose type is not shared any more, or is shared anew. */
  readonly routeAnew: (call: PendingCall, request: PeekedRequest) => void;
}

export interface SharedCallsParts extends CallWays {
  readonly calls: CallTable;
  readonly placement: Placement;
  readonly leaving: LeavingAgents;
  readonly owners: TypeOwners;
  readonly counters: MutableHostCounters;
  readonly waits: HeldWaits;
}

/** A call that waits for its agent. */
class HeldCall implements HeldMessage {
  readonly call: PendingCall;
  readonly frame: Uint8Array;
  readonly isUnfit: boolean;
  readonly place: (placed: Placed | undefined) => void;
  queue: HeldMessage["queue"];

  constructor(call: PendingCall, frame: Uint8Array, isUnfit: boolean, owner: SharedCalls) {
    this.call = call;
    this.frame = frame;
    this.isUnfit = isUnfit;
    this.place = (placed) => owner.placed(this, placed);
  }

  get caller(): Peer {
    return this.call.caller;
  }

  get payer(): Peer {
    return this.call.caller;
  }

  get account(): Peer["account"] {
    return this.call.caller.account;
  }

  get byteLength(): number {
    return this.frame.length;
  }
}

// protocol.md §11.14, §11.17
/** Takes calls to agents of shared types to the workers that hold them. While an agent moves, its calls wait. */
export class SharedCalls {
  readonly #parts: SharedCallsParts;
  readonly #waiting = new Map<PendingCall, HeldCall>();

  constructor(parts: SharedCallsParts) {
    this.#parts = parts;
  }

  route(caller: Peer, request: PeekedRequest, type: SharedType): void {
    const { placement, calls, mayEnter, refuse, onPath } = this.#parts;
    if (!mayEnter(caller, request, type.name)) return;
    const { targetKey } = request;
    const located = placement.locate(type, targetKey, { caller, payer: caller });
    if (located.at === "nowhere") return refuse(caller, request, callFailure.notPlaced(located), type.name);
    const callerId = requestIdBytes(request);
    const call = calls.open({ caller, callerId, targetType: type.name, targetKey }, request.timeoutMs);
    this.#send(call, onPath(caller, request), located);
  }

  /** Places a call that waited for a channel, or whose type was something else before. */
  placeAgain(call: PendingCall, request: PeekedRequest, type: SharedType): void {
    const { caller } = call;
    this.#send(call, request, this.#parts.placement.locate(type, request.targetKey, { caller, payer: caller }));
  }

  /** A worker gives a call back, which the host then places anew. */
  takeBack(from: Peer, { agents, reason }: ReturnedFrame, message: PeekedRequest): void {
    const { calls, counters, leaving, end, release } = this.#parts;
    const call = calls.named(requestIdText(message));
    const [agent, other] = agents;
    const isHere = call?.target === from && call.commits === 0 && message.bytes.length <= call.sentBytes;
    const isTarget =
      agent !== undefined &&
      other === undefined &&
      agent.type === message.targetType &&
      agent.key === message.targetKey &&
      agent.type === call?.targetType &&
      keptText(agent.key) === call.targetKey;
    if (call === undefined || !isHere || !isTarget) {
      counters.unmatchedReturns += 1;
      return;
    }
    release(call);
    calls.unassign(call);
    call.returns += 1;
    if (reason === "conflict") call.conflicts += 1;
    if (call.conflicts > limits.conflictsOfCall) return end(call, callFailure.conflict(call.targetType));
    if (call.returns > limits.returnsOfCall) return end(call, callFailure.movedTooOften(call.targetType));
    const held = this.#heldCall(call, this.#parts.bare(call, message), reason === "unfit");
    if (!leaving.takeBack(from, agent, held)) return this.#refuseHeld(held);
    if (held.queue !== undefined) this.#wait(held, held.queue.agent);
  }

  /** The agent of a call that waited has a place, or gets none. */
  placed({ call, frame }: HeldCall, placed: Placed | undefined): void {
    this.#waiting.delete(call);
    this.#parts.waits.forget(call);
    const request = peekFrame(frame);
    if (!this.#parts.calls.has(call) || request.kind !== "request") return;
    if (placed === undefined) this.#parts.routeAnew(call, request);
    else this.#send(call, request, placed);
  }

  /** The call has its outcome. */
  forget(call: PendingCall): void {
    if (this.#waiting.size === 0) return;
    const held = this.#waiting.get(call);
    if (held === undefined) return;
    this.#waiting.delete(call);
    this.#parts.waits.forget(call);
    this.#parts.leaving.forget(held);
  }

  #send(call: PendingCall, request: PeekedRequest, located: Located): void {
    const { forward, expect, end, calls } = this.#parts;
    switch (located.at) {
      case "found":
        return forward(call, request, located.peer, located.epoch && epochEntry(located.epoch));
      case "expected":
        return expect(located.clientId, call, spliceRequestId(request, calls.idBytesOf(call)));
      case "nowhere":
        return end(call, callFailure.notPlaced(located));
      case "moving": {
        const { agent, holder } = located;
        if (holder !== undefined && waitsForTurnOf(request, agent, calls)) return this.#send(call, request, holder);
        const held = this.#heldCall(call, request, false);
        if (!this.#parts.leaving.hold(agent, held)) return this.#refuseHeld(held);
        this.#wait(held, agent);
      }
    }
  }

  #wait(held: HeldCall, agent: MovingAgent): void {
    this.#waiting.set(held.call, held);
    this.#parts.waits.add(held, agent);
  }

  #heldCall(call: PendingCall, request: PeekedRequest, isUnfit: boolean): HeldCall {
    // The bytes of a call may be a part of what came together with it: a copy keeps nothing else in memory.
    const frame = new Uint8Array(joinFrame(spliceRequestId(request, this.#parts.calls.idBytesOf(call))));
    return new HeldCall(call, frame, isUnfit, this);
  }

  #refuseHeld({ call, frame }: HeldCall): void {
    const { account } = call.caller;
    const failure = account.mayTake(frame.length)
      ? callFailure.tooManyHeld(call.targetType)
      : callFailure.noRoom(account.whyNot(frame.length));
    this.#parts.end(call, failure);
  }
}

/** Whether a turn of the agent may wait for this call: then the agent can't leave before the call has its answer. */
function waitsForTurnOf(request: PeekedRequest, { type, key }: MovingAgent, calls: EndedCalls): boolean {
  if (!request.hasPath) return false;
  const [ownType, ownKey] = [nameInPath(type.name), nameInPath(key)];
  return waitingPathOf(request, calls).some((turn) => turn.type === ownType && turn.key === ownKey);
}
