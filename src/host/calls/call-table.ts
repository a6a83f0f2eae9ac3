import { Buffer } from "node:buffer";
import type { Clock, MakeId } from "../../core/internal.ts";
import { NumberMap } from "../../core/internal.ts";
import type { PeekedResponse } from "../../protocol/internal.ts";
import { limits } from "../limits.ts";
import type { Session } from "../sessions/session.ts";
import { CallDeadlines } from "./call-deadlines.ts";
import { HostIds } from "./host-ids.ts";
import type { PendingCall } from "./pending-call.ts";

export interface CallTableParts {
  readonly clock: Clock;
  readonly makeId: MakeId;
  readonly defaultTimeoutMs: number;
  /** The call's time is up; it has left the table already. */
  readonly onTimeout: (call: PendingCall) => void;
}

/** All calls without an outcome. Whoever takes a call out owes its caller the outcome, so that there is exactly one. */
export class CallTable {
  readonly #calls = new NumberMap<PendingCall>();
  readonly #deadlines: CallDeadlines;
  readonly #ids: HostIds;
  readonly #defaultTimeoutMs: number;
  #count = 0;

  constructor({ clock, makeId, defaultTimeoutMs, onTimeout }: CallTableParts) {
    const mark = makeId().replace(/[^A-Za-z0-9]/g, "");
    this.#ids = new HostIds(mark.slice(0, 8));
    this.#defaultTimeoutMs = defaultTimeoutMs;
    this.#deadlines = new CallDeadlines({
      clock,
      commonMs: defaultTimeoutMs,
      onDue: (call) => {
        if (this.take(call)) onTimeout(call);
      },
    });
  }

  get size(): number {
    return this.#calls.size;
  }

  /** Enters a call before it is forwarded. `ownTimeoutMs` is the caller's bound and counts when it is the smaller one. */
  open(
    call: Pick<PendingCall, "caller" | "callerId" | "targetType" | "targetKey">,
    ownTimeoutMs: number | undefined,
  ): PendingCall {
    this.#count += 1;
    const hostId = this.#count;
    const { caller, callerId, targetType, targetKey } = call;
    const timeoutMs = this.#timeoutMs(ownTimeoutMs);
    const pending: PendingCall = {
      hostId,
      caller,
      callerId,
      targetType,
      targetKey: keptText(targetKey),
      timeoutMs,
      dueMs: 0,
      timer: undefined,
      target: undefined,
      outgoingSlot: 0,
      askingSlot: 0,
    };
    this.#calls.add(hostId, pending);
    caller.asked.add(pending);
    this.#deadlines.add(pending);
    return pending;
  }

  assign(call: PendingCall, target: Session): void {
    call.target = target;
    target.asking.add(call);
  }

  /** The request id that the target sees: as bytes, valid until the next call; and as text. */
  idBytesOf({ hostId }: PendingCall): Uint8Array {
    return this.#ids.bytesOf(hostId);
  }

  idTextOf({ hostId }: PendingCall): string {
    return this.#ids.textOf(hostId);
  }

  /** The call that this answers. */
  answeredBy(response: PeekedResponse): PendingCall | undefined {
    return this.#calls.get(this.#ids.numberIn(response));
  }

  /** The call with this id, as the target sees it. */
  named(idText: string): PendingCall | undefined {
    const call = this.#calls.get(Number(idText.slice(idText.lastIndexOf("-") + 1)));
    return call !== undefined && this.idTextOf(call) === idText ? call : undefined;
  }

  /** Takes a call out; false: somebody else has done so. */
  take(call: PendingCall): boolean {
    if (!this.#calls.delete(call.hostId)) return false;
    call.caller.asked.delete(call);
    call.target?.asking.delete(call);
    this.#deadlines.remove(call);
    return true;
  }

  all(): readonly PendingCall[] {
    return this.#calls.values();
  }

  /** Stops all timers; called when no call is left and none will come. */
  close(): void {
    this.#deadlines.close();
  }

  #timeoutMs(own: number | undefined): number {
    if (own === undefined) return this.#defaultTimeoutMs;
    return this.#defaultTimeoutMs === 0 ? own : Math.min(own, this.#defaultTimeoutMs);
  }
}

/** The beginning of a long key, without the rest in memory behind it. */
function keptText(key: string): string {
  if (key.length <= limits.keptKeyChars) return key;
  return `${Buffer.from(key.slice(0, limits.keptKeyChars)).toString()}…`;
}
