import type { Clock, MakeId } from "../../core/internal.ts";
import { largestWindowBytes, NumberMap } from "../../core/internal.ts";
import type { PeekedRequest, PeekedResponse } from "../../protocol/internal.ts";
import { FairShare } from "../../transport/internal.ts";
import { limits } from "../limits.ts";
import type { Observers } from "../observer.ts";
import type { MessageTraces } from "../sessions/message-traces.ts";
import type { Peer } from "../sessions/peer.ts";
import { type CallStream, keptText, type PendingCall, untimed } from "../sessions/pending-call.ts";
import { messageSenderOf, traceIdOf } from "../sessions/traced-origin.ts";
import { CallDeadlines } from "./call-deadlines.ts";
import { HostIds } from "./host-ids.ts";

export interface CallTableParts {
  readonly clock: Clock;
  readonly makeId: MakeId;
  readonly defaultTimeoutMs: number;
  readonly maxCalls: number;
  /** The table notes when each call came while an observer listens. */
  readonly observers: Observers;
  /** The time of calls for observers. */
  readonly observedMs: () => number;
  /** Undefined: calls are not traced. */
  readonly traces?: MessageTraces | undefined;
  /** The call has timed out and has left the table already. */
  readonly onTimeout: (call: PendingCall) => void;
  /** A call leaves the table that was reported to wait for its turn, or whose path the host keeps. */
  readonly onNotedLeft: (call: PendingCall) => void;
}

/** All calls without an outcome. The code that takes a call out must give the caller its outcome, so that there is exactly one. */
export class CallTable {
  readonly #calls = new NumberMap<PendingCall>();
  readonly #deadlines: CallDeadlines;
  readonly #ids: HostIds;
  /** Shares `maxCalls` between the addresses of the callers. */
  readonly #share: FairShare;
  readonly #defaultTimeoutMs: number;
  readonly #clock: Clock;
  readonly #observers: Observers;
  readonly #observedMs: () => number;
  readonly #traces: MessageTraces | undefined;
  readonly #onNotedLeft: (call: PendingCall) => void;
  #count = 0;

  constructor(parts: CallTableParts) {
    const { clock, makeId, defaultTimeoutMs, maxCalls, observers, onTimeout } = parts;
    this.#onNotedLeft = parts.onNotedLeft;
    this.#share = new FairShare(maxCalls);
    this.#clock = clock;
    this.#observers = observers;
    this.#observedMs = parts.observedMs;
    this.#traces = parts.traces;
    const mark = makeId().replace(/[^A-Za-z0-9]/g, "");
    this.#ids = new HostIds(mark.slice(0, 8));
    this.#defaultTimeoutMs = defaultTimeoutMs;
    this.#deadlines = new CallDeadlines({
      clock,
      commonMs: defaultTimeoutMs,
      onDue: (call) => {
        if (call.commits === 0 && this.take(call)) onTimeout(call);
      },
    });
  }

  get size(): number {
    return this.#calls.size;
  }

  /** Whether the caller's address may have one call more. */
  mayOpen(caller: Peer): boolean {
    return this.#share.mayAdd(caller.account.party);
  }

  /** Enters a call before the host forwards it. The caller's account must have space for it. The caller's timeout counts if it is the smaller one. `phase`: how its worker is found, for traces. */
  open(
    call: Pick<PendingCall, "caller" | "callerId" | "targetType" | "targetKey"> &
      Partial<Pick<PendingCall, "principal">>,
    request: PeekedRequest,
    phase: "route" | "place" = "route",
  ): PendingCall {
    this.#count += 1;
    const hostId = this.#count;
    const { caller, callerId, targetType, targetKey, principal = caller.principal } = call;
    const timeoutMs = this.#timeoutMs(request.timeoutMs);
    // The name of a worker's principal is its session's, too.
    const ownName = principal === caller.principal ? 0 : 2 * (principal?.length ?? 0);
    const isHeard = this.#observers.hearOfCalls;
    const traceId = isHeard ? traceIdOf(request) : undefined;
    const path = isHeard ? keptPath(request.path) : "";
    // Readers of failures alone ask for no sender.
    const sender = traceId !== undefined && this.#observers.now !== undefined ? messageSenderOf(request) : undefined;
    const senderChars = sender === undefined ? 0 : sender.type.length + sender.key.length;
    const noted = 2 * ((traceId?.length ?? 0) + path.length + senderChars);
    const heldBytes = costOfCall(callerId.length, targetType, targetKey) + ownName + noted;
    const pending: PendingCall = {
      hostId,
      caller,
      principal,
      callerId,
      targetType,
      targetKey: keptText(targetKey),
      heldBytes,
      reportBytes: 0,
      reporter: undefined,
      stockPath: undefined,
      timeoutMs,
      openedMs: isHeard ? this.#observedMs() : untimed,
      ...{ traceId, path, sender },
      dueMs: 0,
      timer: undefined,
      target: undefined,
      dueSlot: 0,
      commits: 0,
      isInDoubt: false,
      sentBytes: 0,
      returns: 0,
      conflicts: 0,
      bounces: 0,
      heldSinceMs: undefined,
      outgoingSlot: 0,
      incomingSlot: 0,
      stream: this.#streamOf(caller, request),
      trace: this.#traces?.call(caller, request, phase),
    };
    if (isHeard) this.#observers.payloads?.callOpened(pending, request.bytes);
    this.#calls.add(hostId, pending);
    caller.account.add(heldBytes);
    this.#share.add(caller.account.party);
    caller.outgoingCalls.add(pending);
    caller.quota?.count("calls");
    this.#deadlines.add(pending);
    return pending;
  }

  // protocol.md §11.21
  #streamOf(caller: Peer, { streamBytes = 0 }: PeekedRequest): CallStream | undefined {
    if (streamBytes === 0 || !caller.traits.capabilities.has("streams")) return undefined;
    const grantedBytes = firstGrant(streamBytes);
    const moved = { sentBytes: 0, chunks: 0, movedMs: this.#clock.now() };
    return { askedBytes: streamBytes, grantedBytes, ...moved, isCut: false, answer: undefined };
  }

  assign(call: PendingCall, target: Peer): void {
    call.target = target;
    target.incomingCalls.add(call);
  }

  /** The target has given the call back. */
  unassign(call: PendingCall): void {
    call.trace?.returned();
    call.target?.incomingCalls.delete(call);
    call.target = undefined;
  }

  /** The request id that the target sees: as bytes, valid until the next call; and as text. */
  idBytesOf({ hostId }: PendingCall): Uint8Array {
    return this.#ids.bytesOf(hostId);
  }

  idTextOf({ hostId }: PendingCall): string {
    return this.#ids.textOf(hostId);
  }

  /** Finds the call that a response answers, or a chunk belongs to. */
  answeredBy(response: Pick<PeekedResponse, "bytes" | "requestId">): PendingCall | undefined {
    return this.#calls.get(this.#ids.numberIn(response));
  }

  /** Finds a call by the request id that the target sees. */
  named(idText: string): PendingCall | undefined {
    return this.#calls.get(this.#ids.numberInText(idText));
  }

  /** Whether this host has sent a call under this request id, and the call has its outcome: its caller waits no more. */
  isOver(idText: string): boolean {
    const id = this.#ids.numberInText(idText);
    return id > 0 && id <= this.#count && this.#calls.get(id) === undefined;
  }

  /** Whether this host has made this request id. */
  isOwn(idText: string): boolean {
    const id = this.#ids.numberInText(idText);
    return id > 0 && id <= this.#count;
  }

  /** Whether a call has no outcome yet. */
  has(call: PendingCall): boolean {
    return this.#calls.get(call.hostId) === call;
  }

  isOverdue(call: PendingCall): boolean {
    return this.#deadlines.isOver(call);
  }

  /** Takes a call out. False: it was out already. */
  take(call: PendingCall): boolean {
    if (!this.#calls.delete(call.hostId)) return false;
    if (call.reportBytes > 0 || call.stockPath !== undefined) this.#onNotedLeft(call);
    call.caller.account.release(call.heldBytes);
    this.#share.remove(call.caller.account.party);
    call.caller.outgoingCalls.delete(call);
    call.caller.quota?.count("calls", -1);
    call.target?.incomingCalls.delete(call);
    if (call.stream?.answer !== undefined) call.target?.account.release(call.stream.answer.bytes.length);
    this.#deadlines.remove(call);
    return true;
  }

  all(): readonly PendingCall[] {
    return this.#calls.values();
  }

  /** Milliseconds since the oldest call came; 0 without calls, and for calls that came while no observer listened. Looks at all calls. */
  oldestMs(): number {
    const nowMs = this.#clock.now();
    let oldestMs = 0;
    for (const { openedMs } of this.#calls.values())
      if (openedMs !== untimed && nowMs - openedMs > oldestMs) oldestMs = nowMs - openedMs;
    return oldestMs;
  }

  /** Stops all timers. Call it when no call is left and none will come. */
  close(): void {
    this.#deadlines.close();
  }

  #timeoutMs(own: number | undefined): number {
    if (own === undefined) return this.#defaultTimeoutMs;
    return this.#defaultTimeoutMs === 0 ? own : Math.min(own, this.#defaultTimeoutMs);
  }
}

/** The part of a path that is kept for operators. */
function keptPath(path: string): string {
  return path.length <= limits.keptPathChars ? path : `${path.slice(0, limits.keptPathChars)}…`;
}

/** Memory of a pending call beside its names: 440 bytes, measured with 100 000 of them before it had its trace and path. */
const callBytes = 470;

// protocol.md §11.21
/** Returns the bytes that a target uses of the first grant of a reader. */
export function firstGrant(streamBytes: number): number {
  return Math.min(streamBytes, largestWindowBytes);
}

/** The memory of a pending call, for the account of its caller. */
export function costOfCall(callerIdBytes: number, targetType: string, targetKey: string): number {
  return callBytes + callerIdBytes + 2 * (targetType.length + Math.min(targetKey.length, limits.keptKeyChars));
}
