import { type Clock, followAbort, unfollowAbort } from "../../core/internal.ts";
import {
  durableKey,
  type PeerUnary,
  type PeerUnaryAnswer,
  refusalKey,
  sharingKey,
  tellsPrincipalKey,
} from "../../protocol/internal.ts";
import { FairShare, type Metadata, partyOfCall, RpcError, StatusCode } from "../../transport/internal.ts";
import { limits } from "../limits.ts";
import type { OutgoingLink } from "./links/outgoing-link.ts";
import type { ForwardedCall } from "./other-hosts.ts";

interface Waiting {
  readonly link: OutgoingLink;
  readonly settle: (outcome: PeerUnaryAnswer | RpcError) => void;
}

/** About what an ask occupies while it waits: an entry, a timer and a promise. */
const waitingBytes = 1_000;

/** Unary calls that other hosts answer for this one. The callers of one address have two thirds of the places, and of the bytes that each host is asked. */
export class UnaryAsks {
  readonly #clock: Clock;
  readonly #waiting = new Map<number, Waiting>();
  readonly #share = new FairShare(limits.peerUnaries);
  /** Bytes of the requests that wait for each host, which keeps them until it answers. */
  readonly #bytes = new Map<OutgoingLink, FairShare>();
  #lastNumber = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Asks one host. Rejects with its `RpcError`, as UNAVAILABLE when it does not answer in time, and as CANCELLED when the caller leaves. */
  async ask(link: OutgoingLink, forwarded: ForwardedCall, timeoutMs: number): Promise<Uint8Array> {
    const outcome = await this.tryAsk(link, forwarded, timeoutMs);
    if (outcome instanceof RpcError) throw outcome;
    return outcome;
  }

  /** As `ask`, but resolves to the error. */
  async tryAsk(link: OutgoingLink, forwarded: ForwardedCall, timeoutMs: number): Promise<Uint8Array | RpcError> {
    const outcome = await this.#ask(link, forwarded, timeoutMs);
    if (outcome instanceof RpcError) return outcome;
    const { code, details, answer } = outcome;
    if (code === StatusCode.ok) return answer;
    return new RpcError(statusOf(code), details.slice(0, limits.errorChars), { metadata: refusalMetadata(outcome) });
  }

  /** Takes an answer that came on a link; one to what another host was asked is dropped. */
  answered(link: OutgoingLink, answer: PeerUnaryAnswer): void {
    if (this.#waiting.get(answer.number)?.link === link) this.#settle(answer.number, answer);
  }

  /** Ends the calls that were asked on the link: no answer will come. */
  linkEnded(link: OutgoingLink): void {
    for (const [number, { link: asked }] of this.#waiting) {
      if (asked === link) this.#settle(number, unavailable("The link to the host that has to answer was lost."));
    }
  }

  #ask(link: OutgoingLink, forwarded: ForwardedCall, timeoutMs: number): Promise<PeerUnaryAnswer | RpcError> {
    const { call } = forwarded;
    const party = partyOfCall(call);
    const { length } = forwarded.request;
    const bytes = this.#bytes.get(link) ?? new FairShare(limits.peerUnaryBytes);
    const refusal = whyTooLong(bytes, party, length) ?? this.#whyFull(party, call.account);
    if (refusal !== undefined) return Promise.resolve(new RpcError(StatusCode.resourceExhausted, refusal));
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
          this.#share.remove(party);
          bytes.remove(party, length);
          if (bytes.size === 0 && this.#bytes.get(link) === bytes) this.#bytes.delete(link);
          call.account?.release(waitingBytes);
          resolve(outcome);
        },
      });
      this.#share.add(party);
      bytes.add(party, length);
      if (bytes.size > 0) this.#bytes.set(link, bytes);
      followAbort(call.signal, leave);
      const sent = link.sendUnary(askOf(number, forwarded), party);
      if (sent !== "queued")
        this.#settle(number, unavailable("The link to the host that has to answer takes nothing now."));
    });
  }

  /** Returns why one more call may not wait. Undefined: it may, and its memory is taken. */
  #whyFull(party: string, account: ForwardedCall["call"]["account"]): string | undefined {
    if (!this.#share.mayAdd(party)) {
      return `${this.#waiting.size} calls wait for other hosts already, and two thirds of ${limits.peerUnaries} may be of one address. Try again later.`;
    }
    return account === undefined || account.take(waitingBytes) ? undefined : account.whyNot(waitingBytes);
  }

  #settle(number: number, outcome: PeerUnaryAnswer | RpcError): void {
    const waiting = this.#waiting.get(number);
    this.#waiting.delete(number);
    waiting?.settle(outcome);
  }
}

/** Returns why a host may not be asked for one more request of this length. One longer than the bound may wait alone. */
function whyTooLong(bytes: FairShare, party: string, length: number): string | undefined {
  if (bytes.size === 0 || bytes.mayAdd(party, length)) return undefined;
  return `Requests of ${bytes.size} bytes wait for the host that has to answer, and two thirds of ${limits.peerUnaryBytes} may be of one address. Try again later.`;
}

/** The terms under which a worker shares a type. */
const termKeys: readonly string[] = [...Object.values(sharingKey), durableKey, tellsPrincipalKey];

function askOf(number: number, { method, clientId, principal, request, call }: ForwardedCall): PeerUnary {
  const metadata = Object.fromEntries(Object.entries(call.metadata).filter(([key]) => termKeys.includes(key)));
  return { kind: "unary", number, method, clientId, principal: principal?.name, request, metadata };
}

/** Returns the metadata of another host's refusal, without texts that no header can carry. */
function refusalMetadata({ metadata }: PeerUnaryAnswer): Metadata {
  const known = Object.values(refusalKey).map((key) => [key, metadata[key] ?? ""] as const);
  return Object.fromEntries(known.filter(([, value]) => headerText.test(value)));
}

const headerText = new RegExp(`^[\\x20-\\x7e]{1,${limits.nameChars}}$`);

function unavailable(details: string): RpcError {
  return new RpcError(StatusCode.unavailable, `${details} Try again later.`);
}

/** A host of a later version may answer with a number that this one does not know. */
function statusOf(code: number): StatusCode {
  // The range has been checked.
  return code > StatusCode.ok && code <= StatusCode.unauthenticated ? (code as StatusCode) : StatusCode.unknown;
}
