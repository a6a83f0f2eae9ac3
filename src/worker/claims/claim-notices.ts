import type { Clock, Timer } from "../../core/internal.ts";
import type { LeaveReason, LeavingNotice } from "../../protocol/internal.ts";
import { mostAgentsOfNotice } from "../../protocol/internal.ts";
import type { Outbox } from "../connection/outbox.ts";
import type { Claim } from "./claim.ts";

type ListNotice = Extract<LeavingNotice, { readonly kind: "ask-leave" | "left" | "stay" }>;

interface Batch {
  readonly kind: ListNotice["kind"];
  readonly reason: LeaveReason | undefined;
  /** The way of the `leave` that it answers. Undefined: that of the present connection. */
  readonly outbox: Outbox | undefined;
  readonly agents: Claim[];
}

// protocol.md §11.17 L2
/** Agents for which a worker asks at most, until it has said what became of them. */
export const mostAsked = 10_000;
/** Milliseconds after which a worker asks again for agents for which no `leave` has come. Each wait is twice as long as the one before. */
const firstRetryMs = 2_000;
const longestRetryMs = 30_000;

export interface ClaimNoticesOptions {
  readonly clock: Clock;
  /** Sends a notice on the data channel of the present connection. False: it can't leave, or the host does not name `claims`. Must not throw. */
  readonly send: (frame: LeavingNotice) => boolean;
}

/** The notices of a worker about its claims. What is said in one turn of the event loop goes in few frames, in its order. */
export class ClaimNotices {
  readonly #clock: Clock;
  readonly #send: (frame: LeavingNotice) => boolean;
  #batches: Batch[] = [];
  readonly #asked = new Set<Claim>();
  /** Those for which the worker asks when it has said what became of others. */
  readonly #waiting = new Set<Claim>();
  /** Whether a question could not leave. */
  #isUnsaid = false;
  /** Those without a `leave` at the last look. If they have none at the next one, the worker asks again. */
  #unheard = new Set<Claim>();
  #retry: Timer | undefined;
  #retryMs = firstRetryMs;

  constructor({ clock, send }: ClaimNoticesOptions) {
    this.#clock = clock;
    this.#send = send;
  }

  /** Asks the host to take the agent back, for the reason in `claim.asked`. */
  ask(claim: Claim): void {
    if (claim.asked === undefined) return;
    if (!this.#asked.has(claim) && this.#asked.size >= mostAsked) {
      this.#waiting.add(claim);
      return;
    }
    this.#asked.add(claim);
    this.#say("ask-leave", claim, { reason: claim.asked });
    this.#retry ??= this.#lookLater();
  }

  /** The host has said on the present connection what it knows. The worker asks now if it could not ask before. */
  askUnsaid(): void {
    if (this.#isUnsaid) this.askAgain();
  }

  /**
   * A connection has ended while the worker has another one: the host may not have got what the worker asked there. A question that the
   * host has got changes nothing.
   */
  askAgain(): void {
    this.#isUnsaid = false;
    for (const claim of this.#asked) if (claim.state !== "leaving") this.ask(claim);
  }

  /** A message has come: the worker does not ask for an agent for which it has not asked yet. */
  withdraw(claim: Claim): void {
    this.#waiting.delete(claim);
  }

  /** Answers a `leave` on the channel on which it came, behind all that the worker has given back there. */
  left(claim: Claim, outbox: Outbox): void {
    this.#say("left", claim, { outbox });
    this.#answered(claim);
  }

  stay(claim: Claim, outbox: Outbox): void {
    this.#say("stay", claim, { outbox });
    this.#answered(claim);
  }

  /** The claim is void, and no host answers for it any more. */
  forget(claim: Claim): void {
    this.#answered(claim);
  }

  /** Sends what was said, so that what follows in the data channel comes behind it. */
  flush(): void {
    const batches = this.#batches;
    this.#batches = [];
    for (const { kind, reason = "asked", outbox, agents } of batches) {
      const listed = agents.map(({ type, key, epoch }) => ({ type, key, epoch }));
      const notice: LeavingNotice = kind === "ask-leave" ? { kind, agents: listed, reason } : { kind, agents: listed };
      // Where the channel has ended, the host hears of that, and says `leave` again on another one.
      if (outbox !== undefined) outbox.sayClaims(notice);
      else if (!this.#send(notice)) this.#isUnsaid = true;
    }
  }

  /** The host is lost. The worker asks the next one for what it has asked this one; see `askAgain`. */
  hostGone(): void {
    this.#batches = [];
  }

  /** The host is lost, with all that it was asked. */
  clear(): void {
    this.#batches = [];
    this.#isUnsaid = false;
    this.#asked.clear();
    this.#waiting.clear();
    this.#unheard.clear();
    this.#retry?.cancel();
    this.#retry = undefined;
    this.#retryMs = firstRetryMs;
  }

  #lookLater(): Timer {
    return this.#clock.setTimer(this.#retryMs, () => this.#look());
  }

  /** A host passes by an ask for which it has no space now. It forgets such an ask, so that without another one the agent would never leave. */
  #look(): void {
    const unheard = [...this.#asked].filter(({ state }) => state !== "leaving");
    const passedBy = unheard.filter((claim) => this.#unheard.has(claim));
    this.#unheard = new Set(unheard);
    this.#retryMs = passedBy.length > 0 ? Math.min(2 * this.#retryMs, longestRetryMs) : firstRetryMs;
    this.#retry = unheard.length > 0 ? this.#lookLater() : undefined;
    for (const claim of passedBy) {
      if (claim.asked !== undefined) this.ask(claim);
      // A message has come, so that the agent stays: the ask counts no more.
      else this.#answered(claim);
    }
  }

  #answered(claim: Claim): void {
    this.#waiting.delete(claim);
    if (!this.#asked.delete(claim)) return;
    const [next] = this.#waiting;
    if (next === undefined) return;
    this.#waiting.delete(next);
    this.ask(next);
  }

  #say(kind: ListNotice["kind"], claim: Claim, { reason, outbox }: Partial<Pick<Batch, "reason" | "outbox">>): void {
    // Notices keep their order on each channel.
    const last = this.#batches.findLast((batch) => {
      return outbox === undefined || batch.outbox === undefined || batch.outbox === outbox;
    });
    const isSame = last?.kind === kind && last.reason === reason && last.outbox === outbox;
    if (isSame && last.agents.length < mostAgentsOfNotice) {
      last.agents.push(claim);
      return;
    }
    if (this.#batches.length === 0) queueMicrotask(() => this.flush());
    this.#batches.push({ kind, reason, outbox, agents: [claim] });
  }
}
