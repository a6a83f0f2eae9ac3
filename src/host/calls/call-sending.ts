import { Buffer } from "node:buffer";
import {
  type FrameBytes,
  mayBeForRuntime,
  type PeekedRequest,
  principalEntry,
  spliceRequestId,
  withoutMailMarks,
  withoutPath,
  withoutStream,
} from "../../protocol/internal.ts";
import type { OthersSeat } from "../peers/other-hosts.ts";
import { WorkerElsewhere } from "../peers/worker-elsewhere.ts";
import type { Peer } from "../sessions/peer.ts";
import type { PendingCall } from "../sessions/pending-call.ts";
import type { CallEnds } from "./call-ends.ts";
import { callFailure } from "./call-failures.ts";
import { whyNotSent } from "./call-refusals.ts";
import { type CallTable, firstGrant } from "./call-table.ts";
import { whyNotForDotnet } from "./dotnet-calls.ts";
import type { StockChains } from "./stock-chains.ts";
import { onWaitingPath } from "./waiting-path.ts";

export interface CallSendingParts {
  readonly calls: CallTable;
  readonly ends: CallEnds;
  readonly chains: StockChains;
  /** The caller of the calls that the host keeps. */
  readonly courier: Peer | undefined;
  readonly others: OthersSeat;
  // protocol.md §11.20
  /** Whether a client wants to hear who calls agents of a type. Undefined: no client does. */
  readonly asksPrincipal: ((clientId: string, agentType: string) => boolean) | undefined;
}

/** Sends calls to their targets, as each target knows them. */
export class CallSending {
  readonly #parts: CallSendingParts;

  constructor(parts: CallSendingParts) {
    this.#parts = parts;
  }

  /**
   * Sends a call to a worker. `entry`: one more field of the request. `use`: `first-call` for one that opens a route to another host. Returns the
   * length of the frame.
   */
  forward(
    call: PendingCall,
    request: PeekedRequest,
    target: Peer,
    entry?: Uint8Array,
    use: "call" | "first-call" = "call",
  ): number {
    if (!this.#parts.others.now.isServing) {
      this.#parts.ends.end(call, callFailure.isolated());
      return 0;
    }
    const marks = call.principal === undefined ? entry : this.#marksOf(call, request, target, entry);
    const frame = this.#frameFor(target, call, request, marks);
    if (frame === undefined) {
      this.#parts.ends.end(call, callFailure.noDurableEvents(call.targetType));
      return 0;
    }
    this.#send(call, frame, target, use);
    return frame.byteLength;
  }

  // protocol.md §11.20
  /**
   * Returns the fields to add to a call whose caller is known. The principal is told to a worker that asks for it, and with each key. It is
   * also told with each call that a runtime may answer itself: it says to whom a run belongs. A call to another host has it beside the frame.
   */
  #marksOf(
    { principal = "", targetType }: PendingCall,
    request: PeekedRequest,
    target: Peer,
    entry: Uint8Array | undefined,
  ): Uint8Array | undefined {
    if (target instanceof WorkerElsewhere || !target.traits.isAnnounced) return entry;
    const isAsked = request.isKeyed || this.#parts.asksPrincipal?.(target.id, targetType) === true;
    if (!isAsked && !mayBeForRuntime(request)) return entry;
    const mark = principalEntry(principal);
    return entry === undefined ? mark : Buffer.concat([entry, mark]);
  }

  // protocol.md §11.13
  /**
   * Returns the frame of a call for its target. The host keeps the path of a call to a worker that knows no paths. Undefined: the worker can't
   * take it.
   */
  #frameFor(
    target: Peer,
    call: PendingCall,
    given: PeekedRequest,
    entry: Uint8Array | undefined,
  ): FrameBytes | undefined {
    const { calls, chains, courier } = this.#parts;
    const id = calls.idBytesOf(call);
    const isMarked = call.caller === courier && !target.traits.capabilities.has("mail");
    const onPath = onWaitingPath(this.#onStream(given, call, target), calls);
    const request = isMarked ? withoutMailMarks(onPath) : onPath;
    if (request === undefined) return undefined;
    if (!request.hasPath || target.traits.capabilities.has("turns")) return spliceRequestId(request, id, entry);
    const { bare, path } = withoutPath(request);
    chains.keep(call, target, request.targetKey, path);
    return spliceRequestId(bare, id, entry);
  }

  // protocol.md §11.21
  /** Returns the call as its target may answer it: in parts only if both ends know that. */
  #onStream(request: PeekedRequest, call: PendingCall, target: Peer): PeekedRequest {
    if (request.streamBytes === undefined) return request;
    if (!target.traits.capabilities.has("streams")) call.stream = undefined;
    if (call.stream === undefined) return withoutStream(request);
    // A target that has given the call back may have had further grants.
    call.stream.grantedBytes = firstGrant(request.streamBytes);
    return request;
  }

  #send(call: PendingCall, frame: FrameBytes, target: Peer, use: "call" | "first-call"): void {
    const { calls, ends } = this.#parts;
    calls.assign(call, target);
    const refusal = target.dotnet && whyNotForDotnet(target.dotnet, call.targetType, frame);
    if (refusal !== undefined) return ends.end(call, refusal);
    const outcome = target.send(frame, use, call.caller);
    if (outcome === "queued") call.trace?.sent(target);
    else ends.end(call, whyNotSent(outcome, call, frame, target));
  }
}
