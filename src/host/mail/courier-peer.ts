import { ChurnedMap } from "../../core/internal.ts";
import {
  decodeFrame,
  type FrameBytes,
  fromWireError,
  joinFrame,
  plainAnswerOf,
  type WorkerIdentity,
} from "../../protocol/internal.ts";
import type { MemoryAccount } from "../../transport/internal.ts";
import type { Peer, PeerTraits, SendOutcome } from "../sessions/peer.ts";
import { createIncomingCalls, createOutgoingCalls } from "../sessions/pending-call.ts";

/** Called with the end of a call: its error, or nothing if it was answered. */
type Settle = (error: Error | undefined) => void;

/** The caller of the calls that a host keeps. It has no channel: answers come back to it in this process. */
export class CourierPeer implements Peer {
  /** No client has this id. */
  readonly id = "";
  readonly traits: PeerTraits = {
    ...{ takesJsonEvents: true, maxFrameBytes: Number.POSITIVE_INFINITY, isAnnounced: true },
    ...{ capabilities: new Set(), reconnectGraceMs: 0 },
  };
  readonly worker: WorkerIdentity = { id: "", name: "", version: undefined, labels: {} };
  readonly dotnet = undefined;
  readonly isOpen = true;
  readonly account: MemoryAccount;
  readonly outgoingCalls = createOutgoingCalls();
  readonly incomingCalls = createIncomingCalls();
  lastEvent = 0;
  readonly #underWay = new ChurnedMap<string, Settle>();
  #lastId = 0;

  constructor(account: MemoryAccount) {
    this.account = account;
  }

  /** Returns the request id of a new call. `settle` is called once, perhaps while the call is routed. */
  begin(settle: Settle): string {
    this.#lastId += 1;
    const requestId = String(this.#lastId);
    this.#underWay.set(requestId, settle);
    return requestId;
  }

  /** Forgets a call. False: it has its end already. */
  forget(requestId: string): boolean {
    return this.#underWay.delete(requestId);
  }

  send(bytes: FrameBytes): SendOutcome {
    const whole = joinFrame(bytes);
    const answered = plainAnswerOf(whole);
    if (answered !== undefined) {
      this.#end(answered, undefined);
      return "queued";
    }
    const frame = decodeFrame(whole);
    if (frame.kind !== "response") return "queued";
    this.#end(frame.requestId, frame.error === "" ? undefined : fromWireError(frame.error, frame.metadata, undefined));
    return "queued";
  }

  #end(requestId: string, error: Error | undefined): void {
    const settle = this.#underWay.get(requestId);
    this.#underWay.delete(requestId);
    settle?.(error);
  }

  notify(): SendOutcome {
    return "queued";
  }
}
