import { type Clock, errorText, followAbort, type Logger, unfollowAbort } from "../../core/internal.ts";
import { clientIdKey } from "../../protocol/internal.ts";
import { type CallContext, RpcError, StatusCode } from "../../transport/internal.ts";
import type { MutableHostCounters } from "../counters.ts";
import { limits } from "../limits.ts";
import type { HostObserver } from "../observer.ts";
import { type Authorize, type Principal, readAdmittance } from "../principal.ts";

export const shuttingDownText = "Host is shutting down.";

/** The client id that a call carries; an empty one counts as none. Throws `RpcError` for one that is too long to keep. */
export function clientIdOf(call: CallContext): string | undefined {
  const clientId = call.metadata[clientIdKey] ?? "";
  if (clientId.length <= limits.nameChars) return clientId || undefined;
  throw new RpcError(StatusCode.invalidArgument, `The client-id is longer than ${limits.nameChars} characters.`);
}

/** The client id that a call must carry. Throws `RpcError` if there is none. */
export function requireClientId(call: CallContext): string {
  const clientId = clientIdOf(call); // protocol.md §2.2
  if (clientId === undefined) throw new RpcError(StatusCode.invalidArgument, "client-id metadata not found.");
  return clientId;
}

export interface AdmissionParts {
  readonly authorize: Authorize | undefined;
  readonly clock: Clock;
  readonly counters: MutableHostCounters;
  readonly logger: Logger | undefined;
  readonly observer: HostObserver | undefined;
}

/** The result of an admission: the principal, or undefined for an anonymous caller. */
export type Admitted = Principal | undefined;

// protocol.md H21, H23
/** Admits calls one by one: none while the host stops, and only those that the `authorize` option admits. */
export class Admission {
  readonly #parts: AdmissionParts;
  readonly #pending = new Set<PendingAdmission>();
  /** How many admissions of each peer wait. */
  readonly #byPeer = new Map<string, number>();
  #isDraining = false;

  constructor(parts: AdmissionParts) {
    this.#parts = parts;
  }

  get isDraining(): boolean {
    return this.#isDraining;
  }

  /** Admits a call, at once if `authorize` answers at once. Throws, or rejects with, the `RpcError` that refuses the call. */
  admit(call: CallContext): Admitted | PendingAdmission {
    this.assertOpen();
    const { authorize } = this.#parts;
    if (authorize === undefined) return undefined;
    this.#checkRoom(call);
    let answer: unknown;
    let then: unknown;
    try {
      answer = authorize(call);
      then = thenOf(answer);
    } catch (error) {
      throw this.#failed(call, error);
    }
    return typeof then === "function" ? this.#await(call, answer, then) : this.#judge(call, answer);
  }

  /** Throws `RpcError` while the host stops. */
  assertOpen(): void {
    if (this.#isDraining) throw shuttingDown();
  }

  /** Refuses what waits for `authorize`, and every later call. */
  drain(): void {
    this.#isDraining = true;
    for (const pending of [...this.#pending]) pending.refuse(shuttingDown());
  }

  /** Throws `RpcError` when the limit of waiting admissions is reached, for the host or for the connection. */
  #checkRoom(call: CallContext): void {
    const { pendingAdmissions, pendingAdmissionsPerPeer } = limits;
    if (this.#pending.size >= pendingAdmissions) this.#limited(call, `${pendingAdmissions} calls`);
    if ((this.#byPeer.get(call.peer) ?? 0) < pendingAdmissionsPerPeer) return;
    this.#limited(call, `${pendingAdmissionsPerPeer} calls of this connection`);
  }

  #limited(call: CallContext, calls: string): never {
    const { counters, observer } = this.#parts;
    counters.refusedByLimit += 1;
    const detail = `${calls} wait for the host's authorize option already. Try again later.`;
    observer?.({
      at: "limited",
      what: "admissions",
      clientId: call.metadata[clientIdKey]?.slice(0, limits.nameChars),
      detail,
    });
    throw new RpcError(StatusCode.resourceExhausted, detail);
  }

  #judge(call: CallContext, answer: unknown): Admitted {
    let admittance: ReturnType<typeof readAdmittance>;
    try {
      admittance = readAdmittance(answer);
    } catch (error) {
      throw this.#failed(call, error);
    }
    if (admittance === "invalid") {
      throw this.#failed(call, answer instanceof Error ? answer : "It returned neither a status nor a principal.");
    }
    if (admittance instanceof RpcError) throw this.#denied(call, admittance);
    return admittance;
  }

  /** Waits for the answer; the end of the call, of the host or of 30 s ends the wait, and a later answer changes nothing. */
  #await(call: CallContext, answer: unknown, then: CallableFunction): PendingAdmission {
    const hangUp = (): void => pending.cancel();
    const pending = new PendingAdmission(() => {
      this.#pending.delete(pending);
      this.#countPeer(call.peer, -1);
      timer.cancel();
      unfollowAbort(call.signal, hangUp);
    });
    const timer = this.#parts.clock.setTimer(limits.admissionMs, () => {
      const text = `The host's authorize option did not answer within ${limits.admissionMs} ms.`;
      pending.refuse(this.#denied(call, new RpcError(StatusCode.unavailable, text)));
    });
    this.#pending.add(pending);
    this.#countPeer(call.peer, 1);
    followAbort(call.signal, hangUp);
    if (call.signal.aborted) hangUp();
    const onAnswer = (value: unknown): void => pending.settle(() => this.#judge(call, value));
    const onFailure = (error: unknown): void =>
      pending.settle(() => {
        throw this.#failed(call, error);
      });
    try {
      Reflect.apply(then, answer, [onAnswer, onFailure]);
    } catch (error) {
      onFailure(error);
    }
    return pending;
  }

  #countPeer(peer: string, change: 1 | -1): void {
    const count = (this.#byPeer.get(peer) ?? 0) + change;
    if (count > 0) this.#byPeer.set(peer, count);
    else this.#byPeer.delete(peer);
  }

  #failed(call: CallContext, error: unknown): RpcError {
    this.#parts.logger?.error("the authorize option failed; the call is refused", {
      method: call.method,
      error: errorText(error),
    });
    const text = "The call could not be authorized.";
    return this.#denied(call, new RpcError(StatusCode.permissionDenied, text, { cause: error }));
  }

  #denied(call: CallContext, refusal: RpcError): RpcError {
    this.#parts.counters.deniedCalls += 1;
    this.#parts.observer?.({
      at: "denied",
      method: call.method,
      clientId: call.metadata[clientIdKey]?.slice(0, limits.nameChars),
      address: call.peer,
      code: refusal.code,
      reason: refusal.message,
    });
    return refusal;
  }
}

function shuttingDown(): RpcError {
  return new RpcError(StatusCode.unavailable, shuttingDownText);
}

/** The method `then` of a promise or of an object like one; read once, since reading may run code of the user. */
function thenOf(value: unknown): unknown {
  return typeof value === "object" && value !== null && "then" in value ? value.then : undefined;
}

/** The admission of a call that waits for the answer of `authorize`. */
export class PendingAdmission {
  /** Rejects with the `RpcError` that refuses the call. A rejection that has no reader is harmless. */
  readonly outcome: Promise<Admitted>;
  readonly #onEnd: () => void;
  #resolve: (principal: Admitted) => void = () => undefined;
  #reject: (refusal: unknown) => void = () => undefined;
  #isOver = false;

  /** `onEnd` is called once, when the wait is over. */
  constructor(onEnd: () => void) {
    this.#onEnd = onEnd;
    this.outcome = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    this.outcome.catch(() => undefined);
  }

  /** Ends the wait with a decision: what `judge` returns, or the refusal that it throws. It does not run after the wait. */
  settle(judge: () => Admitted): void {
    if (!this.#end()) return;
    try {
      this.#resolve(judge());
    } catch (refusal) {
      this.#reject(refusal);
    }
  }

  refuse(refusal: RpcError): void {
    if (this.#end()) this.#reject(refusal);
  }

  /** The caller no longer waits. */
  cancel(): void {
    this.refuse(new RpcError(StatusCode.cancelled, "The caller has left."));
  }

  #end(): boolean {
    if (this.#isOver) return false;
    this.#isOver = true;
    this.#onEnd();
    return true;
  }
}
