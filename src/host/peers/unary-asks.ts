import { type Clock, followAbort, unfollowAbort } from "../../core/internal.ts";
import { durableKey, type PeerUnaryAnswer, sharingKey } from "../../protocol/internal.ts";
import { partyOfCall, RpcError, StatusCode } from "../../transport/internal.ts";
import { limits } from "../limits.ts";
import type { ForwardedCall } from "./other-hosts.ts";
import type { OutgoingLink } from "./outgoing-link.ts";

interface Waiting {
  readonly link: OutgoingLink;
  readonly settle: (outcome: PeerUnaryAnswer | RpcError) => void;
}

/** Unary calls that other hosts answer for this one. */
export class UnaryAsks {
  readonly #clock: Clock;
  readonly #waiting = new Map<number, Waiting>();
  #lastNumber = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Asks one host. Rejects with its `RpcError`, as UNAVAILABLE when it does not answer in time, and as CANCELLED when the caller leaves. */
  async ask(link: OutgoingLink, forwarded: ForwardedCall, timeoutMs: number): Promise<Uint8Array> {
    const outcome = await this.#ask(link, forwarded, timeoutMs);
    if (outcome instanceof RpcError) throw outcome;
    const { code, details, answer, metadata } = outcome;
    if (code === StatusCode.ok) return answer;
    throw new RpcError(statusOf(code), details, { metadata });
  }

  answered(answer: PeerUnaryAnswer): void {
    this.#settle(answer.number, answer);
  }

  /** Ends the calls that were asked on the link: no answer will come. */
  linkEnded(link: OutgoingLink): void {
    for (const [number, { link: asked }] of this.#waiting) {
      if (asked === link) this.#settle(number, unavailable("The link to the host that has to answer was lost."));
    }
  }

  #ask(link: OutgoingLink, forwarded: ForwardedCall, timeoutMs: number): Promise<PeerUnaryAnswer | RpcError> {
    const { method, clientId, principal, request, call } = forwarded;
    if (this.#waiting.size >= limits.peerUnaries) {
      const text = `${this.#waiting.size} calls wait for other hosts already. Try again later.`;
      return Promise.resolve(new RpcError(StatusCode.resourceExhausted, text));
    }
    this.#lastNumber += 1;
    const number = this.#lastNumber;
    return new Promise((resolve) => {
      const leave = (): void => this.#settle(number, new RpcError(StatusCode.cancelled, "The caller has left."));
      const timer = this.#clock.setTimer(timeoutMs, () =>
        this.#settle(number, unavailable(`Another host has to answer, and did not within ${timeoutMs} ms.`)),
      );
      this.#waiting.set(number, {
        link,
        settle: (outcome) => {
          timer.cancel();
          unfollowAbort(call.signal, leave);
          resolve(outcome);
        },
      });
      followAbort(call.signal, leave);
      const metadata = Object.fromEntries(Object.entries(call.metadata).filter(([key]) => termKeys.includes(key)));
      const ask = { kind: "unary", number, method, clientId, principal: principal?.name, request, metadata } as const;
      const sent = link.sendUnary(ask, partyOfCall(call));
      if (sent !== "queued")
        this.#settle(number, unavailable("The link to the host that has to answer takes nothing now."));
    });
  }

  #settle(number: number, outcome: PeerUnaryAnswer | RpcError): void {
    const waiting = this.#waiting.get(number);
    this.#waiting.delete(number);
    waiting?.settle(outcome);
  }
}

/** The terms under which a worker shares a type. */
const termKeys: readonly string[] = [...Object.values(sharingKey), durableKey];

function unavailable(details: string): RpcError {
  return new RpcError(StatusCode.unavailable, `${details} Try again later.`);
}

/** A host of a later version may answer with a number that this one does not know. */
function statusOf(code: number): StatusCode {
  // The range has been checked.
  return code > StatusCode.ok && code <= StatusCode.unauthenticated ? (code as StatusCode) : StatusCode.unknown;
}
