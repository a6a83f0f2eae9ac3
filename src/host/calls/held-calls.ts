import type { Clock, Timer } from "../../core/internal.ts";
import { type FrameBytes, joinFrame } from "../../protocol/internal.ts";
import { FairShare } from "../../transport/internal.ts";
import { limits } from "../limits.ts";
import type { PendingCall } from "../sessions/pending-call.ts";
import { type CallFailure, callFailure } from "./call-failures.ts";

export interface HeldCall {
  readonly call: PendingCall;
  readonly frame: Uint8Array;
}

interface Waiting extends HeldCall {
  readonly timer: Timer;
}

/** About what a held call occupies beside its frame: a timer and entries of two maps. */
const waitingBytes = 300;

interface Queue {
  readonly clientId: string;
  readonly waiting: Map<PendingCall, Waiting>;
  /** Share its places and bytes between the addresses of the callers. */
  readonly places: FairShare;
  readonly bytes: FairShare;
}

function createQueue(clientId: string): Queue {
  const { heldCallsPerClient, heldBytesPerClient } = limits;
  const shares = { places: new FairShare(heldCallsPerClient), bytes: new FairShare(heldBytesPerClient) };
  return { clientId, waiting: new Map(), ...shares };
}

// protocol.md H3
/**
 * Holds calls to clients that have registered but not opened their channel yet, and calls to agent types whose place is not known. Bounded in
 * time, number and bytes. The callers of one address get two thirds of each.
 */
export class HeldCalls {
  readonly #clock: Clock;
  readonly #waitMs: number;
  readonly #onExpired: (call: PendingCall) => void;
  readonly #queues = new Map<string, Queue>();
  readonly #queueOf = new Map<PendingCall, Queue>();
  /** Shares the bytes of all clients between the addresses of the callers. */
  readonly #share = new FairShare(limits.heldBytes);

  /** `onExpired`: the channel did not come in time, and the call is no longer held. */
  constructor(clock: Clock, waitMs: number, onExpired: (call: PendingCall) => void) {
    this.#clock = clock;
    this.#waitMs = waitMs;
    this.#onExpired = onExpired;
  }

  /** Holds a call. Returns a failure if that is not possible. */
  hold(clientId: string, call: PendingCall, bytes: FrameBytes): CallFailure | undefined {
    if (this.#waitMs <= 0) return callFailure.notReached(call.targetType);
    const frame = joinFrame(bytes);
    const queue = this.#queues.get(clientId) ?? createQueue(clientId);
    const { account } = call.caller;
    const { party } = account;
    const hasRoom = queue.places.mayAdd(party) && queue.bytes.mayAdd(party, frame.length);
    if (!hasRoom || !this.#share.mayAdd(party, frame.length)) return callFailure.overloaded(call.targetType);
    if (!account.take(frame.length + waitingBytes)) return callFailure.noRoom(account.whyNot(frame.length));
    const timer = this.#clock.setTimer(this.#waitMs, () => {
      this.forget(call);
      this.#onExpired(call);
    });
    queue.waiting.set(call, { call, frame, timer });
    queue.places.add(party);
    queue.bytes.add(party, frame.length);
    this.#share.add(party, frame.length);
    this.#queues.set(clientId, queue);
    this.#queueOf.set(call, queue);
    return undefined;
  }

  /** Returns the calls that wait for this client, in the order they came, and no longer holds them. */
  release(clientId: string): readonly HeldCall[] {
    const waiting = [...(this.#queues.get(clientId)?.waiting.values() ?? [])];
    for (const { call } of waiting) this.forget(call);
    return waiting;
  }

  /** No longer holds the call; an unknown one is fine. */
  forget(call: PendingCall): void {
    const queue = this.#queueOf.get(call);
    const held = queue?.waiting.get(call);
    if (queue === undefined || held === undefined) return;
    const { account } = call.caller;
    held.timer.cancel();
    queue.waiting.delete(call);
    queue.places.remove(account.party);
    queue.bytes.remove(account.party, held.frame.length);
    this.#share.remove(account.party, held.frame.length);
    account.release(held.frame.length + waitingBytes);
    this.#queueOf.delete(call);
    if (queue.waiting.size === 0) this.#queues.delete(queue.clientId);
  }
}
