import { type Clock, errorText, followAbort, type Logger, unfollowAbort } from "../../core/internal.ts";
import { clientIdKey } from "../../protocol/internal.ts";
import {
  type CallContext,
  FairCount,
  type FairCountOptions,
  FairShare,
  partyOfCall,
  RpcError,
  StatusCode,
} from "../../transport/internal.ts";
import type { MutableHostCounters } from "../counters.ts";
import { limits } from "../limits.ts";
import type { Observers } from "../observer.ts";
import type { Principal } from "../principal.ts";
import type { QuotaCheck } from "../quotas/quota-check.ts";
import { type CallerCheck, type Judgement, Refusal } from "./caller-check.ts";

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
  /** Undefined: everybody is admitted. */
  readonly check: CallerCheck | undefined;
  /** Undefined: the host has no quotas. */
  readonly quotas?: QuotaCheck | undefined;
  readonly clock: Clock;
  readonly counters: MutableHostCounters;
  readonly logger: Logger | undefined;
  readonly observers: Observers;
  /** The bound of the calls and streams that wait at once. */
  readonly places: FairCountOptions;
}

/** The result of an admission: the principal, or undefined for an anonymous caller. */
export type Admitted = Principal | undefined;

// protocol.md H21, H23
/** Admits calls one by one: none while the host stops, and only those that the check of the host admits. */
export class Admission {
  readonly #parts: AdmissionParts;
  readonly #pending = new Set<PendingAdmission>();
  /** Shares the places of what waits between peer addresses. */
  readonly #places: FairCount;
  /** Number and request bytes of the calls of each connection that wait. */
  readonly #byPeer = new Map<string, { calls: number; bytes: number }>();
  /** The calls and streams of each client id that wait. */
  readonly #byClient = new Map<string, Set<PendingAdmission>>();
  /** Shares the bytes of the requests of all unary calls that wait between peer addresses. */
  readonly #bytes = new FairShare(limits.pendingRequestBytes);
  #isDraining = false;

  constructor(parts: AdmissionParts) {
    this.#parts = parts;
    this.#places = new FairCount(parts.places);
  }

  /** Admits a call, at once if its check answers at once. Throws, or rejects with, the `RpcError` that refuses the call. */
  admit(call: CallContext): Admitted | PendingAdmission {
    this.assertOpen();
    const { check, quotas } = this.#parts;
    if (check === undefined) return undefined;
    quotas?.assertMayAsk(partyOfCall(call));
    this.#checkRoom(call);
    let answer: unknown;
    let then: unknown;
    try {
      answer = check.ask(call);
      then = thenOf(answer);
    } catch (error) {
      throw this.#failed(call, check, error);
    }
    return typeof then === "function"
      ? this.#await(call, check, { value: answer, then })
      : this.#judge(call, check, answer);
  }

  /** The outcomes of what waits under a client id now: of all its streams and calls, or of those with this method. */
  pendingOf(clientId: string, method?: string): readonly Promise<Admitted>[] {
    const pending = [...(this.#byClient.get(clientId) ?? [])];
    return pending.filter((one) => method === undefined || one.method === method).map(({ outcome }) => outcome);
  }

  /**
   * Holds an admitted stream within the bounds of what waits for the check: until its release, for 30 s at most. The end of
   * the stream or of the host ends the wait. `onEnd` is called once, when the wait is over. Throws `RpcError` beyond the bounds.
   */
  hold(call: CallContext, principal: Admitted, onEnd: () => void): PendingAdmission {
    this.assertOpen();
    this.#checkRoom(call);
    return this.#pend(call, { onLate: (held) => held.release(), onEnd, principal });
  }

  /** Counts and reports a call that is refused for who made it; returns the refusal. */
  deny(call: CallContext, refusal: RpcError, principal: Admitted): RpcError {
    return this.#denied(call, refusal, { principal });
  }

  /** Throws `RpcError` while the host stops. */
  assertOpen(): void {
    if (this.#isDraining) throw shuttingDown();
  }

  /** Refuses what waits for the check, and every later call. */
  drain(): void {
    this.#isDraining = true;
    for (const pending of [...this.#pending]) pending.refuse(shuttingDown());
  }

  /** Throws `RpcError` when a limit of what waits is reached, for the host or for the connection. */
  #checkRoom(call: CallContext): void {
    const { pendingAdmissionsPerPeer, pendingRequestBytesPerPeer } = limits;
    const ofPeer = this.#byPeer.get(call.peer);
    if ((ofPeer?.calls ?? 0) >= pendingAdmissionsPerPeer)
      this.#limited(call, `${pendingAdmissionsPerPeer} calls of this connection`);
    if (!this.#mayHold(call)) this.#limited(call, `Requests of ${this.#bytes.size} bytes`);
    const bytes = ofPeer?.bytes ?? 0;
    if (isOver(bytes, call.requestBytes, pendingRequestBytesPerPeer))
      this.#limited(call, `Requests of ${bytes} bytes of this connection`);
    // Last, since another call may have to give way for it.
    if (!this.#places.mayTake(partyOfCall(call))) this.#limited(call, `${this.#places.size} calls`);
  }

  /** Whether the bytes of a request find a place. A request that waits alone does: the transport bounds it. */
  #mayHold(call: CallContext): boolean {
    const { requestBytes } = call;
    return requestBytes === undefined || this.#bytes.size === 0 || this.#bytes.mayAdd(partyOfCall(call), requestBytes);
  }

  #limited(call: CallContext, calls: string): never {
    const { counters, observers } = this.#parts;
    counters.refusedByLimit += 1;
    const detail = `${calls} wait for the host's ${this.#option} already. Try again later.`;
    observers.now?.({
      at: "limited",
      what: "admissions",
      clientId: call.metadata[clientIdKey]?.slice(0, limits.nameChars),
      detail,
    });
    throw new RpcError(StatusCode.resourceExhausted, detail);
  }

  get #option(): string {
    return this.#parts.check?.option ?? "admission";
  }

  #judge(call: CallContext, check: CallerCheck, answer: unknown): Admitted {
    let judgement: Judgement;
    try {
      judgement = check.read(answer);
    } catch (error) {
      throw this.#failed(call, check, error);
    }
    if (judgement === "invalid") {
      const why = answer instanceof Error ? answer : `The ${check.option} returned a value that it must not.`;
      throw this.#failed(call, check, why);
    }
    if (judgement instanceof Refusal) throw this.#denied(call, judgement.status, judgement);
    return judgement;
  }

  /** Waits for the answer; the end of the call, of the host or of 30 s ends the wait, and a later answer changes nothing. */
  #await(
    call: CallContext,
    check: CallerCheck,
    answer: { readonly value: unknown; readonly then: CallableFunction },
  ): PendingAdmission {
    const text = `The host's ${check.option} did not answer within ${limits.admissionMs} ms.`;
    const pending = this.#pend(call, {
      onLate: (late) => late.refuse(this.#denied(call, new RpcError(StatusCode.unavailable, text))),
    });
    const onAnswer = (value: unknown): void => pending.settle(() => this.#judge(call, check, value));
    const onFailure = (error: unknown): void =>
      pending.settle(() => {
        throw this.#failed(call, check, error);
      });
    try {
      Reflect.apply(answer.then, answer.value, [onAnswer, onFailure]);
    } catch (error) {
      onFailure(error);
    }
    return pending;
  }

  /** Enters a call that waits. `principal`: that of a stream which is admitted already. */
  #pend(
    call: CallContext,
    wait: { onLate: (pending: PendingAdmission) => void; onEnd?: () => void; principal?: Admitted },
  ): PendingAdmission {
    const hangUp = (): void => pending.cancel();
    const onEnd = (): void => {
      place.leave();
      this.#leave(call, pending);
      timer.cancel();
      unfollowAbort(call.signal, hangUp);
      wait.onEnd?.();
    };
    const pending = new PendingAdmission(call.method, onEnd, wait.principal);
    const timer = this.#parts.clock.setTimer(limits.admissionMs, () => wait.onLate(pending));
    const place = this.#places.take(partyOfCall(call), () => pending.refuse(gaveWay(this.#option)));
    this.#enter(call, pending);
    followAbort(call.signal, hangUp);
    if (call.signal.aborted) hangUp();
    return pending;
  }

  #enter(call: CallContext, pending: PendingAdmission): void {
    const { peer, requestBytes = 0 } = call;
    this.#pending.add(pending);
    this.#bytes.add(partyOfCall(call), requestBytes);
    const { calls, bytes } = this.#byPeer.get(peer) ?? { calls: 0, bytes: 0 };
    this.#byPeer.set(peer, { calls: calls + 1, bytes: bytes + requestBytes });
    const clientId = call.metadata[clientIdKey] || undefined;
    if (clientId === undefined) return;
    const ofClient = this.#byClient.get(clientId) ?? new Set();
    this.#byClient.set(clientId, ofClient.add(pending));
  }

  #leave(call: CallContext, pending: PendingAdmission): void {
    const { peer, requestBytes = 0 } = call;
    this.#pending.delete(pending);
    this.#bytes.remove(partyOfCall(call), requestBytes);
    const { calls, bytes } = this.#byPeer.get(peer) ?? { calls: 0, bytes: 0 };
    if (calls > 1) this.#byPeer.set(peer, { calls: calls - 1, bytes: bytes - requestBytes });
    else this.#byPeer.delete(peer);
    const clientId = call.metadata[clientIdKey] ?? "";
    const ofClient = this.#byClient.get(clientId);
    ofClient?.delete(pending);
    if (ofClient?.size === 0) this.#byClient.delete(clientId);
  }

  #failed(call: CallContext, check: CallerCheck, error: unknown): RpcError {
    this.#parts.logger?.error(`the ${check.option} failed; the call is refused`, {
      method: call.method,
      error: errorText(error),
    });
    const { status, reason } = check.failed(error);
    return this.#denied(call, status, { reason });
  }

  /** `reason`: for the log and the observer alone. */
  #denied(
    call: CallContext,
    refusal: RpcError,
    { reason = refusal.message, principal }: { readonly reason?: string; readonly principal?: Admitted } = {},
  ): RpcError {
    this.#parts.counters.deniedCalls += 1;
    this.#parts.quotas?.denied(partyOfCall(call));
    this.#parts.observers.now?.({
      at: "denied",
      method: call.method,
      clientId: call.metadata[clientIdKey]?.slice(0, limits.nameChars),
      address: call.peer,
      principal,
      code: refusal.code,
      reason,
    });
    return refusal;
  }
}

/** Whether a request finds no room beside what waits. A request that waits alone does: the transport bounds it. */
function isOver(heldBytes: number, requestBytes: number | undefined, maxBytes: number): boolean {
  return requestBytes !== undefined && heldBytes > 0 && heldBytes + requestBytes > maxBytes;
}

function gaveWay(option: string): RpcError {
  const text = `The clients of this address had most of the calls that wait for the host's ${option}, and others needed a place. Try again later.`;
  return new RpcError(StatusCode.resourceExhausted, text);
}

function shuttingDown(): RpcError {
  return new RpcError(StatusCode.unavailable, shuttingDownText);
}

/** The method `then` of a promise or of an object like one; read once, since reading may run code of the user. */
function thenOf(value: unknown): unknown {
  return typeof value === "object" && value !== null && "then" in value ? value.then : undefined;
}

/** The admission of a call that waits for the answer of `authorize`, or of an admitted stream that the host holds back. */
export class PendingAdmission {
  /** Rejects with the `RpcError` that refuses the call. A rejection that has no reader is harmless. */
  readonly outcome: Promise<Admitted>;
  readonly method: string;
  readonly #onEnd: () => void;
  readonly #held: Admitted;
  #resolve: (principal: Admitted) => void = () => undefined;
  #reject: (refusal: unknown) => void = () => undefined;
  #isOver = false;

  /** `onEnd` is called once, when the wait is over. `held`: the principal of a stream that is only held back. */
  constructor(method: string, onEnd: () => void, held?: Admitted) {
    this.method = method;
    this.#onEnd = onEnd;
    this.#held = held;
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

  /** Ends the wait of a stream that is held back: the stream opens as its principal's. */
  release(): void {
    this.settle(() => this.#held);
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
