import { type Clock, errorText, type Logger } from "../../core/internal.ts";
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

/** Refuses a call that waits for `authorize`. */
type Refuse = (reason: RpcError) => void;

// protocol.md H21, H23
/** Admits calls one by one: none while the host stops, and only those that the `authorize` option admits. */
export class Admission {
  readonly #parts: AdmissionParts;
  readonly #pending = new Set<Refuse>();
  #isDraining = false;

  constructor(parts: AdmissionParts) {
    this.#parts = parts;
  }

  /** Admits a call, at once if `authorize` answers at once. Throws, or rejects with, the `RpcError` that refuses the call. */
  admit(call: CallContext): Admitted | Promise<Admitted> {
    if (this.#isDraining) throw shuttingDown();
    const { authorize } = this.#parts;
    if (authorize === undefined) return undefined;
    let answer: unknown;
    try {
      answer = authorize(call);
    } catch (error) {
      throw this.#failed(call, error);
    }
    return isPromiseLike(answer) ? this.#await(call, answer) : this.#judge(call, answer);
  }

  /** Refuses what waits for `authorize`, and every later call. */
  drain(): void {
    this.#isDraining = true;
    for (const refuse of [...this.#pending]) refuse(shuttingDown());
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
  #await(call: CallContext, answer: PromiseLike<unknown>): Promise<Admitted> {
    const { clock, counters, observer } = this.#parts;
    if (this.#pending.size >= limits.pendingAdmissions) {
      counters.refusedByLimit += 1;
      const detail = `${limits.pendingAdmissions} calls wait for the host's authorize option already. Try again later.`;
      observer?.({ at: "limited", what: "admissions", clientId: call.metadata[clientIdKey], detail });
      throw new RpcError(StatusCode.resourceExhausted, detail);
    }
    return new Promise((resolve, reject) => {
      const isFirst = (): boolean => {
        if (!this.#pending.delete(refuse)) return false;
        timer.cancel();
        call.signal.removeEventListener("abort", hangUp);
        return true;
      };
      const refuse: Refuse = (reason) => {
        if (isFirst()) reject(reason);
      };
      const hangUp = (): void => refuse(new RpcError(StatusCode.cancelled, "The caller has left."));
      const timer = clock.setTimer(limits.admissionMs, () => {
        const text = `The host's authorize option did not answer within ${limits.admissionMs} ms.`;
        refuse(this.#denied(call, new RpcError(StatusCode.unavailable, text)));
      });
      this.#pending.add(refuse);
      call.signal.addEventListener("abort", hangUp);
      if (call.signal.aborted) hangUp();
      answer.then(
        (value) => {
          if (!isFirst()) return;
          try {
            resolve(this.#judge(call, value));
          } catch (refusal) {
            reject(refusal);
          }
        },
        (error: unknown) => {
          if (isFirst()) reject(this.#failed(call, error));
        },
      );
    });
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
      clientId: call.metadata[clientIdKey],
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

function isPromiseLike(value: unknown): value is PromiseLike<unknown> {
  return typeof value === "object" && value !== null && "then" in value && typeof value.then === "function";
}
