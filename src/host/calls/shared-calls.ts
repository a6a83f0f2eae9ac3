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
import { HostCaller } from "../peers/host-caller.ts";
import { WorkerElsewhere } from "../peers/worker-elsewhere.ts";
import type { AgentRoutes } from "../placement/cluster/agent-routes.ts";
import type { AcrossSeat, LeavingAgents } from "../placement/leaving-agents.ts";
import type { CallOfHost, Elsewhere, Located, MessageOrigin, Placed } from "../placement/located.ts";
import type { HeldMessage, MovingAgent } from "../placement/moving-agent.ts";
import type { Placement } from "../placement/placement.ts";
import type { SharedType } from "../registry/shared-type.ts";
import type { TypeOwners } from "../registry/type-owners.ts";
import type { Peer } from "../sessions/peer.ts";
import { callerIdText, keptText, type PendingCall } from "../sessions/pending-call.ts";
import { type CallFailure, callFailure } from "./call-failures.ts";
import type { CallTable } from "./call-table.ts";
import type { HeldWaits } from "./rings/held-waits.ts";
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
  readonly forward: (
    call: PendingCall,
    request: PeekedRequest,
    target: Peer,
    entry: Uint8Array | undefined,
    use: "call" | "first-call",
  ) => void;
  /** A call of another host goes back there without an outcome. */
  readonly giveBack: (call: PendingCall) => void;
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
  /** Agents at other hosts; a lone host has none. */
  readonly across: AcrossSeat<AgentRoutes>;
}

interface HeldCallParts {
  readonly call: PendingCall;
  readonly frame: Uint8Array;
  readonly isUnfit: boolean;
  readonly origin: MessageOrigin | undefined;
}

/** A call that waits for its agent. */
class HeldCall implements HeldMessage {
  readonly call: PendingCall;
  readonly frame: Uint8Array;
  readonly isUnfit: boolean;
  readonly origin: MessageOrigin | undefined;
  readonly opensRoutes = true;
  readonly place: (placed: Placed | undefined) => void;
  queue: HeldMessage["queue"];

  constructor({ call, frame, isUnfit, origin }: HeldCallParts, owner: SharedCalls) {
    this.call = call;
    this.frame = frame;
    this.isUnfit = isUnfit;
    this.origin = origin;
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
  /** Calls that are the first on a route to another host, with the gates that they are to open. */
  readonly #first = new Map<PendingCall, MovingAgent>();

  constructor(parts: SharedCallsParts) {
    this.#parts = parts;
  }

  /** `principal`: who calls, if the caller is another host. */
  route(caller: Peer, request: PeekedRequest, type: SharedType, principal = caller.principal): void {
    const { placement, calls, mayEnter, refuse, onPath } = this.#parts;
    if (!mayEnter(caller, request, type.name)) return;
    const { targetKey } = request;
    const located = placement.locate(type, targetKey, { caller, payer: caller });
    if (located.at === "nowhere") return refuse(caller, request, callFailure.notPlaced(located), type.name);
    const callerId = requestIdBytes(request);
    const call = calls.open({ caller, principal, callerId, targetType: type.name, targetKey }, request, "place");
    this.#send(call, onPath(caller, request), located);
  }

  // protocol.md §12.8
  /** Takes a call of another host to the worker that it names, or gives it back. */
  routeFrom(
    caller: HostCaller,
    request: PeekedRequest,
    type: SharedType,
    { channel, isFirst, principal }: CallOfHost,
  ): void {
    const { across, calls, refuse } = this.#parts;
    const { targetKey } = request;
    const origin = { host: caller, channel, isFirst, number: 0 };
    const located = across.now?.locateFor(type, targetKey, origin) ?? notHere;
    const isHeld = "lane" in located;
    if (isFirst) caller.setBouncing(type.name, targetKey, false);
    if (!isHeld && located.at === "nowhere") return refuse(caller, request, callFailure.notPlaced(located), type.name);
    if (!isHeld && located.at !== "found")
      return this.#bounce(request, origin, located.at === "elsewhere" ? located : notHere);
    const callerId = requestIdBytes(request);
    const call = calls.open({ caller, principal, callerId, targetType: type.name, targetKey }, request, "place");
    if (!isHeld) return this.#send(call, request, located, origin);
    const holder = across.now?.holderOf(type, targetKey);
    this.#send(call, request, { at: "moving", agent: located, holder }, origin);
  }

  /** Gives a call of another host back at once: this host hands nothing to workers now. */
  refuseFrom(host: HostCaller, request: PeekedRequest, named: Pick<MessageOrigin, "channel" | "isFirst">): void {
    this.#bounce(request, { host, ...named, number: 0 }, notHere);
  }

  /** A call comes back from the worker of another host. False: its type is not shared. */
  bounced(call: PendingCall, request: PeekedRequest, from: WorkerElsewhere, heldBy: string | undefined): boolean {
    const { across, owners } = this.#parts;
    const gate = this.#first.get(call);
    this.#first.delete(call);
    const type = owners.shared(call.targetType);
    if (type === undefined || across.now === undefined) {
      if (gate !== undefined) across.now?.over(gate);
      return false;
    }
    const message = this.#heldCall(call, request);
    const { link } = from;
    const isHeld = across.now.bounced({ type, key: request.targetKey, message, link, from, heldBy, gate });
    if (!isHeld) this.#refuseHeld(message);
    else if (message.queue !== undefined) this.#wait(message, message.queue.agent);
    return true;
  }

  /** The first call on a route was handed over: others may follow. */
  taken(call: PendingCall): void {
    const gate = this.#first.get(call);
    this.#first.delete(call);
    const by = call.target;
    if (gate !== undefined && by instanceof WorkerElsewhere) this.#parts.across.now?.taken(gate, by);
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
    const { caller } = call;
    const origin =
      caller instanceof HostCaller ? { host: caller, channel: from, isFirst: false, number: 0 } : undefined;
    const held = this.#heldCall(call, this.#parts.bare(call, message), origin, reason === "unfit");
    if (!leaving.takeBack(from, agent, held)) return this.#refuseHeld(held);
    if (held.queue !== undefined) this.#wait(held, held.queue.agent);
  }

  /** The agent of a call that waited has a place, or gets none. */
  placed({ call, frame, origin }: HeldCall, placed: Placed | undefined): void {
    this.#waiting.delete(call);
    this.#parts.waits.forget(call);
    const request = peekFrame(frame);
    if (!this.#parts.calls.has(call) || request.kind !== "request") return;
    if (placed === undefined) this.#parts.routeAnew(call, request);
    else this.#send(call, request, placed, origin);
  }

  /** The call has its outcome. */
  forget(call: PendingCall): void {
    const gate = this.#first.size > 0 ? this.#first.get(call) : undefined;
    if (gate !== undefined) {
      this.#first.delete(call);
      this.#parts.across.now?.over(gate);
    }
    if (this.#waiting.size === 0) return;
    const held = this.#waiting.get(call);
    if (held === undefined) return;
    this.#waiting.delete(call);
    this.#parts.waits.forget(call);
    this.#parts.leaving.forget(held);
  }

  #send(call: PendingCall, request: PeekedRequest, located: Located, origin?: MessageOrigin): void {
    const { forward, expect, end, calls, giveBack } = this.#parts;
    switch (located.at) {
      case "found": {
        const { peer, epoch, gate } = located;
        if (gate !== undefined) this.#first.set(call, gate);
        forward(call, request, peer, epoch && epochEntry(epoch), gate === undefined ? "call" : "first-call");
        if (origin?.isFirst && calls.has(call)) origin.host.taken({ requestId: callerIdText(call) });
        if (origin !== undefined) origin.isFirst = false;
        return;
      }
      case "elsewhere":
        if (origin === undefined) return end(call, callFailure.notReached(call.targetType));
        giveBack(call);
        return this.#bounce(request, origin, located, call.callerId);
      case "expected":
        return expect(located.clientId, call, spliceRequestId(request, calls.idBytesOf(call)));
      case "nowhere":
        return end(call, callFailure.notPlaced(located));
      case "moving": {
        const { agent, holder } = located;
        if (holder !== undefined && waitsForTurnOf(request, agent, calls))
          return this.#send(call, request, holder, origin);
        const held = this.#heldCall(call, request, origin);
        if (!this.#parts.leaving.hold(agent, held)) return this.#refuseHeld(held);
        if (held.queue !== undefined) this.#wait(held, held.queue.agent);
      }
    }
  }

  /** Gives a call back to the host that has sent it, or fails it if that finds no space. `callerId`: the id under which that host knows it, if the request has another one. */
  #bounce(request: PeekedRequest, origin: MessageOrigin, { heldBy, reason }: Elsewhere, callerId?: Uint8Array): void {
    const { host, isFirst } = origin;
    const frame = callerId === undefined ? request.bytes : joinFrame(spliceRequestId(request, callerId));
    const given = peekFrame(frame);
    if (given.kind !== "request") return;
    if (!isFirst) host.setBouncing(request.targetType ?? "", request.targetKey, true);
    if (host.bounce({ what: { requestId: requestIdText(given) }, types: [], reason, heldBy, frame })) return;
    const failure = callFailure.noRoom("The call finds no space on the way back to its host.");
    if (host.isOpen) this.#parts.refuse(host, given, failure, request.targetType ?? "");
  }

  #wait(held: HeldCall, agent: MovingAgent): void {
    this.#waiting.set(held.call, held);
    this.#parts.waits.add(held, agent);
  }

  #heldCall(call: PendingCall, request: PeekedRequest, origin?: MessageOrigin, isUnfit = false): HeldCall {
    // The bytes of a call may be a part of what came together with it: a copy keeps nothing else in memory.
    const frame = new Uint8Array(joinFrame(spliceRequestId(request, this.#parts.calls.idBytesOf(call))));
    return new HeldCall({ call, frame, isUnfit, origin }, this);
  }

  #refuseHeld({ call, frame }: HeldCall): void {
    const { account } = call.caller;
    const failure = account.mayTake(frame.length)
      ? callFailure.tooManyHeld(call.targetType)
      : callFailure.noRoom(account.whyNot(frame.length));
    this.#parts.end(call, failure);
  }
}

const notHere = { at: "elsewhere", heldBy: undefined, reason: "The worker does not have the agent any more." } as const;

/** Whether a turn of the agent may wait for this call: then the agent can't leave before the call has its answer. */
function waitsForTurnOf(request: PeekedRequest, { type, key }: MovingAgent, calls: EndedCalls): boolean {
  if (!request.hasPath) return false;
  const [ownType, ownKey] = [nameInPath(type.name), nameInPath(key)];
  return waitingPathOf(request, calls).some((turn) => turn.type === ownType && turn.key === ownKey);
}
