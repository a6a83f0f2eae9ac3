import type { Clock } from "../../core/internal.ts";
import {
  type PeekedFrame,
  type PeekedRequest,
  type PeerBounce,
  peekFrame,
  spliceRequestId,
  withoutHostKeys,
} from "../../protocol/internal.ts";
import { limits } from "../limits.ts";
import { keyOfType, type OthersSeat } from "../peers/other-hosts.ts";
import { type CallLink, WorkerElsewhere } from "../peers/worker-elsewhere.ts";
import type { Peer } from "../sessions/peer.ts";
import { keptText, type PendingCall } from "../sessions/pending-call.ts";
import type { CallEnds } from "./call-ends.ts";
import { callFailure } from "./call-failures.ts";
import { unknownTarget } from "./call-refusals.ts";
import type { CallSending } from "./call-sending.ts";
import type { CallTable } from "./call-table.ts";
import { HeldCalls } from "./held-calls.ts";
import type { SharedCalls } from "./shared-calls.ts";

export interface CallsElsewhereParts {
  readonly clock: Clock;
  readonly others: OthersSeat;
  /** The caller of the calls that the host keeps: only those have keys that a host writes. */
  readonly courier: Peer | undefined;
  readonly calls: CallTable;
  readonly ends: CallEnds;
  readonly sending: CallSending;
  /** Looks again where a call goes, also among the workers of this host. */
  readonly routeAnew: (call: PendingCall, request: PeekedRequest) => void;
  /** The call is not its target's any more: forgets what the host keeps about that. */
  readonly release: (call: PendingCall) => void;
  readonly shared: () => SharedCalls;
}

// protocol.md §12
/** Calls to agent types that other hosts serve. While the place of a type is not known, its calls wait in order. */
export class CallsElsewhere {
  readonly #parts: CallsElsewhereParts;
  readonly #held: HeldCalls;

  constructor(parts: CallsElsewhereParts) {
    this.#parts = parts;
    this.#held = new HeldCalls(parts.clock, limits.elsewhereMs, (call) =>
      parts.ends.end(call, callFailure.notReached(call.targetType)),
    );
  }

  /** Sends a call to the worker of another host, or holds it until more is known. It fails if no host serves its type. */
  send(call: PendingCall, request: PeekedRequest): void {
    const { others, calls, ends, sending } = this.#parts;
    const found = others.now.find(call.targetType, call.caller.account.party);
    if (found === undefined) return ends.end(call, unknownTarget(call.targetType));
    if (found.at === "busy") return ends.end(call, callFailure.tooManyLookUps(call.targetType));
    if (found.at === "found") {
      call.sentBytes = sending.forward(call, request, found.peer);
      return;
    }
    const failure = this.#held.hold(found.key, call, spliceRequestId(request, calls.idBytesOf(call)));
    if (failure !== undefined) ends.end(call, failure);
  }

  // protocol.md §12.7
  /** Holds a call until the worker registers the type here: it has come from another host a moment ago. */
  expect(call: PendingCall, request: PeekedRequest): void {
    const { calls, ends } = this.#parts;
    const frame = spliceRequestId(request, calls.idBytesOf(call));
    const failure = this.#held.hold(keyOfType(call.targetType), call, frame);
    if (failure !== undefined) ends.end(call, failure);
  }

  /** More is known about where the calls under a key go. False: no host serves their type. */
  placeKnown(key: string, isServed: boolean): void {
    const { ends, routeAnew } = this.#parts;
    for (const { call, frame } of this.#held.release(key)) {
      const request = peekFrame(frame);
      if (!isServed || request.kind !== "request") ends.end(call, unknownTarget(call.targetType));
      else routeAnew(call, request);
    }
  }

  /** A call comes back from another host, which has handed it to no worker. */
  bounced(link: CallLink, { what, frame, heldBy }: PeerBounce): void {
    const { calls, ends, others, courier, release, shared } = this.#parts;
    const call = "requestId" in what ? calls.named(what.requestId) : undefined;
    if (call === undefined || !isOn(link, call)) return;
    const from = call.target;
    const came = peekFrame(frame);
    call.bounces += 1;
    if (!isSent(call, came, frame) || call.bounces > limits.bouncesOfCall) {
      return ends.end(call, callFailure.notReached(call.targetType));
    }
    release(call);
    calls.unassign(call);
    const request = call.caller === courier ? came : withoutHostKeys(came);
    if (from instanceof WorkerElsewhere && shared().bounced(call, request, from, heldBy)) return;
    others.now.doubt(call.targetType, call.caller.account.party);
    this.#parts.routeAnew(call, request);
  }

  /** The first call on a route was handed over. */
  taken(link: CallLink, requestId: string): void {
    const call = this.#parts.calls.named(requestId);
    if (call !== undefined && isOn(link, call)) this.#parts.shared().taken(call);
  }

  /** The call has its outcome. */
  forget(call: PendingCall): void {
    this.#held.forget(call);
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
