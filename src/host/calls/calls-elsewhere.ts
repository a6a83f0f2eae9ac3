import {
  joinFrame,
  type PeekedFrame,
  type PeekedRequest,
  type PeerBounce,
  peekFrame,
  requestIdText,
  spliceRequestId,
  withoutHostKeys,
} from "../../protocol/internal.ts";
import { limits } from "../limits.ts";
import { HostCaller } from "../peers/host-caller.ts";
import { keyOfType, type OthersSeat } from "../peers/other-hosts.ts";
import type { ExpectedMessage, GatedMessage, PlaceGates } from "../peers/places/place-gates.ts";
import { type CallLink, WorkerElsewhere } from "../peers/worker-elsewhere.ts";
import type { Peer } from "../sessions/peer.ts";
import { keptText, type PendingCall } from "../sessions/pending-call.ts";
import type { CallEnds } from "./call-ends.ts";
import { type CallFailure, callFailure } from "./call-failures.ts";
import { unknownTarget } from "./call-refusals.ts";
import type { CallSending } from "./call-sending.ts";
import type { CallTable } from "./call-table.ts";
import type { SharedCalls } from "./shared-calls.ts";

export interface CallsElsewhereParts {
  readonly others: OthersSeat;
  /** Hold calls of this host, and those of other hosts. */
  readonly gates: PlaceGates;
  readonly expected: PlaceGates<ExpectedMessage>;
  /** The caller of the calls that the host keeps: only those have keys that a host writes. */
  readonly courier: Peer | undefined;
  readonly calls: CallTable;
  readonly ends: CallEnds;
  readonly sending: CallSending;
  /** Looks again where a call goes, also among the workers of this host. */
  readonly routeAnew: (call: PendingCall, request: PeekedRequest) => void;
  /** Looks again for the worker of this host that a call of another one is for. False: it is not here. */
  readonly routeHere: (call: PendingCall, request: PeekedRequest, workerId: string) => boolean;
  /** The call is not its target's any more: forgets what the host keeps about that. */
  readonly release: (call: PendingCall) => void;
  readonly shared: () => SharedCalls;
  readonly refuse: (caller: Peer, request: PeekedRequest, failure: CallFailure, agentType: string) => void;
}

/** A call that waits for the place of its type. */
class GatedCall implements GatedMessage {
  readonly call: PendingCall;
  readonly frame: Uint8Array;
  /** The channel of another host from which it came back. */
  readonly from: WorkerElsewhere | undefined;
  readonly #owner: CallsElsewhere;

  constructor(call: PendingCall, frame: Uint8Array, owner: CallsElsewhere, from?: WorkerElsewhere) {
    this.call = call;
    this.frame = frame;
    this.from = from;
    this.#owner = owner;
  }

  get agentTypes(): readonly string[] {
    return [this.call.targetType];
  }

  get account(): Peer["account"] {
    return this.call.caller.account;
  }

  get byteLength(): number {
    return this.frame.length;
  }

  get sinceMs(): number | undefined {
    return this.call.heldSinceMs;
  }

  set sinceMs(sinceMs: number | undefined) {
    this.call.heldSinceMs = sinceMs;
  }

  place(unserved: string | undefined): void {
    this.#owner.place(this, unserved);
  }

  expire(): void {
    this.#owner.expire(this.call);
  }
}

/** A call of another host for a worker that has yet to register its type here. */
class ExpectedCall extends GatedCall implements ExpectedMessage {
  readonly host: HostCaller;
  readonly workerId: string;
  readonly #giveBack: () => void;

  constructor(held: GatedCall, owner: CallsElsewhere, from: { readonly host: HostCaller; readonly workerId: string }) {
    super(held.call, held.frame, owner);
    this.host = from.host;
    this.workerId = from.workerId;
    this.#giveBack = () => owner.giveBack(this);
  }

  giveBack(): void {
    this.#giveBack();
  }
}

// protocol.md §12
/** Calls to agent types that other hosts serve. While the place of a type is not known, or changes, its calls wait in order. */
export class CallsElsewhere {
  readonly #parts: CallsElsewhereParts;
  readonly #held = new Map<PendingCall, GatedCall | ExpectedCall>();

  constructor(parts: CallsElsewhereParts) {
    this.#parts = parts;
  }

  /** Sends a call to the worker of another host, or holds it until more is known. It fails if no host serves its type. */
  send(call: PendingCall, request: PeekedRequest): void {
    const { others, gates, ends, sending } = this.#parts;
    const gate = gates.isInUse ? others.now.gateFor(call.targetType) : undefined;
    if (gate !== undefined) return this.hold(gate, call, request);
    const found = others.now.find(call.targetType, call.caller.account.party);
    if (found === undefined) return ends.end(call, unknownTarget(call.targetType));
    if (found.at === "busy") return ends.end(call, callFailure.tooManyLookUps(call.targetType));
    if (found.at === "later") return this.hold(found.key, call, request);
    call.sentBytes = sending.forward(call, request, found.peer);
  }

  /** Holds a call at a gate. */
  hold(gate: string, call: PendingCall, request: PeekedRequest): void {
    const held = this.#gated(call, request);
    if (this.#parts.gates.hold(gate, held)) this.#held.set(call, held);
    else this.#refuse(held);
  }

  // protocol.md §12.7
  /** Whether calls of another host wait for a worker that has yet to register their type here. Others wait behind them. */
  isExpecting(agentType: string): boolean {
    return this.#parts.expected.keyOf(agentType) !== undefined;
  }

  /** Holds a call until the worker registers the type here: it has come from another host a moment ago. */
  expect(call: PendingCall, request: PeekedRequest, workerId: string): void {
    const { caller } = call;
    if (!(caller instanceof HostCaller)) return;
    const held = new ExpectedCall(this.#gated(call, request), this, { host: caller, workerId });
    const { expected } = this.#parts;
    const key = expected.keyOf(call.targetType) ?? keyOfType(call.targetType);
    if (expected.hold(key, held)) this.#held.set(call, held);
    else this.#refuse(held);
  }

  /** A call that waited leaves its gate. */
  place(held: GatedCall, unserved: string | undefined): void {
    const { ends, others, calls, routeAnew, routeHere } = this.#parts;
    const { call, frame, from } = held;
    this.#held.delete(call);
    const request = peekFrame(frame);
    if (!calls.has(call) || request.kind !== "request") return;
    if (held instanceof ExpectedCall) {
      if (!routeHere(call, request, held.workerId)) this.giveBack(held);
    } else if (unserved === call.targetType) ends.end(call, unknownTarget(call.targetType));
    else {
      // The channel that gave it back may still count as the place of the type.
      const found = from && others.now.find(call.targetType);
      if (found?.at === "found" && found.peer === from) others.now.doubt(call.targetType, call.caller.account.party);
      routeAnew(call, request);
    }
  }

  /** A call has waited as long as it may. */
  expire(call: PendingCall): void {
    this.#held.delete(call);
    this.#parts.ends.end(call, callFailure.notReached(call.targetType));
  }

  /** A call of another host goes back there: its worker has left. */
  giveBack({ call, frame, host }: ExpectedCall): void {
    const { calls, ends, refuse } = this.#parts;
    this.#held.delete(call);
    const request = peekFrame(frame);
    if (!calls.has(call) || request.kind !== "request") return;
    ends.giveBack(call);
    const given = peekFrame(joinFrame(spliceRequestId(request, call.callerId)));
    if (given.kind !== "request") return;
    const reason = "The worker has left this host.";
    const what = { requestId: requestIdText(given) };
    if (host.bounce({ what, types: [], reason, heldBy: undefined, frame: given.bytes }) || !host.isOpen) return;
    const failure = callFailure.noRoom("The call finds no space on the way back to its host.");
    refuse(host, given, failure, call.targetType);
  }

  /** A call comes back from another host, which has handed it to no worker. */
  bounced(link: CallLink, { what, frame, heldBy }: PeerBounce): void {
    const { calls, ends, others, gates, courier, release, shared } = this.#parts;
    const call = "requestId" in what ? calls.named(what.requestId) : undefined;
    if (call === undefined || !isOn(link, call)) return;
    const from = call.target;
    const came = peekFrame(frame);
    call.bounces += 1;
    if (!isSent(call, came, frame) || call.bounces > limits.bouncesOfCall || !(from instanceof WorkerElsewhere)) {
      return ends.end(call, callFailure.notReached(call.targetType));
    }
    release(call);
    calls.unassign(call);
    const request = call.caller === courier ? came : withoutHostKeys(came);
    if (shared().bounced(call, request, from, heldBy)) return;
    const held = this.#gated(call, request, from);
    if (gates.giveBack(others.now.cameBack(from, call.targetType), held)) this.#held.set(call, held);
    else this.#refuse(held);
  }

  /** The first call on a route was handed over. */
  taken(link: CallLink, requestId: string): void {
    const call = this.#parts.calls.named(requestId);
    if (call !== undefined && isOn(link, call)) this.#parts.shared().taken(call);
  }

  /** The call has its outcome. */
  forget(call: PendingCall): void {
    const held = this.#held.size > 0 ? this.#held.get(call) : undefined;
    if (held === undefined) return;
    this.#held.delete(call);
    if (held instanceof ExpectedCall) this.#parts.expected.forget(held);
    else this.#parts.gates.forget(held);
  }

  #gated(call: PendingCall, request: PeekedRequest, from?: WorkerElsewhere): GatedCall {
    // The bytes of a call may be a part of what came together with it: a copy keeps nothing else in memory.
    const frame = new Uint8Array(joinFrame(spliceRequestId(request, this.#parts.calls.idBytesOf(call))));
    return new GatedCall(call, frame, this, from);
  }

  #refuse({ call, frame }: GatedCall): void {
    const { account } = call.caller;
    const failure = account.mayTake(frame.length)
      ? callFailure.overloaded(call.targetType)
      : callFailure.noRoom(account.whyNot(frame.length));
    this.#parts.ends.end(call, failure);
  }
}

/** Whether what comes back can be the request that was sent. Its target is what the host goes by. */
function isSent(
  { targetType, targetKey, sentBytes }: PendingCall,
  came: PeekedFrame,
  frame: Uint8Array,
): came is PeekedRequest {
  if (came.kind !== "request" || frame.length > sentBytes) return false;
  return came.targetType === targetType && keptText(came.targetKey) === targetKey;
}

/** Whether a link leads to the target of a call. */
export function isOn(link: CallLink, { target }: PendingCall): boolean {
  return target instanceof WorkerElsewhere && target.link === link;
}
