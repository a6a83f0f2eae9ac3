import type { AgentCatalog, DeactivationReason, Epoch, RunDesk } from "../../core/internal.ts";
import { AgentId, compareEpochs } from "../../core/internal.ts";
import type { ClaimedAgent, LeaveFrame, LeaveReason } from "../../protocol/internal.ts";
import type { Outbox } from "../connection/outbox.ts";
import { Claim } from "./claim.ts";
import type { Claims } from "./claims.ts";

export interface LeavingOptions {
  readonly claims: Claims;
  readonly catalog: () => AgentCatalog;
  readonly runs: () => Pick<RunDesk, "release">;
}

// protocol.md §11.17
/** Lets agents of shared types go when the host says `leave`. Messages that have not begun go back, and turns that run end. Then it says `left`. */
export class Leaving {
  readonly #options: LeavingOptions;
  #isStopping = false;
  #onHandedOver: () => void = () => undefined;
  #handedOver: Promise<void> | undefined;

  constructor(options: LeavingOptions) {
    this.#options = options;
  }

  /** Takes a `leave` of the data channel: no message comes behind it for these agents, but what their turns wait for. */
  take({ agents, reason }: LeaveFrame, outbox: Outbox): void {
    // No agent of a shared type is left here, and none comes any more.
    if (agents.length === 0) this.#onHandedOver();
    for (const agent of agents) this.#takeOne(agent, reason, outbox);
  }

  /** The worker stops: from now on no agent stays. Resolves when the host has taken all back, or is lost. */
  handOver(): Promise<void> {
    this.#isStopping = true;
    this.#handedOver ??= new Promise((resolve) => {
      this.#onHandedOver = resolve;
    });
    return this.#handedOver;
  }

  /** The host is lost. It does not take anything back: what has not begun is dropped. Returns the number of these messages. */
  hostLost(): number {
    const dropped = dropWorkOf(this.#options.claims.clear());
    this.#onHandedOver();
    return dropped;
  }

  // protocol.md §11.19
  /** No host knows of the agents here any more. What has not begun is dropped. Returns the number of events. */
  placementsEnd(): number {
    let events = 0;
    for (const work of this.#options.claims.clear().flatMap((claim) => claim.unbegun())) {
      if (work.isEvent === true) events += 1;
      work.drop?.();
    }
    return events;
  }

  // protocol.md §11.14
  /**
   * The host of this connection has left, and the worker has gone to another one. That may place the agents elsewhere: their activations
   * here are worthless. Does what `hostLost` does, for these agents alone.
   */
  hostLeft(from: object): number {
    const { claims, catalog } = this.#options;
    const gone = claims.clearOf(from);
    const dropped = dropWorkOf(gone);
    for (const { id } of gone) catalog().supersede(id);
    return dropped;
  }

  /** A connection has ended, and the worker has a newer one to the same host. When that ends with its host, all agents from there end. */
  connectionChanged(from: object, to: object): void {
    this.#options.claims.carryOver(from, to);
  }

  /** A new run begins. */
  reset(): void {
    this.#isStopping = false;
    this.#handedOver = undefined;
    this.#onHandedOver = () => undefined;
  }

  #takeOne({ type, key, epoch }: ClaimedAgent, reason: LeaveReason, outbox: Outbox): void {
    const { claims } = this.#options;
    const claim = claims.of({ type, key });
    if (claim === undefined || !isSame(claim.epoch, epoch)) {
      // The host placed it here, and no message came. One may still come on another channel.
      const untold = new Claim(new AgentId(type, key), epoch);
      if (claim === undefined) claims.remember(untold);
      claims.notices.left(untold, outbox);
      return;
    }
    if (claim.state === "leaving") {
      claim.leavesBy?.add(outbox);
      return;
    }
    const isOptional = reason === "idle" || reason === "capacity";
    if (isOptional && claim.state === "held" && claim.asked === undefined && !this.#isStopping) {
      claims.notices.stay(claim, outbox);
      return;
    }
    claim.state = "leaving";
    claim.leavesBy = new Set([outbox]);
    for (const work of claim.unbegun()) if (!work.isAwaited) work.goBack(claim.returns);
    // It never rejects.
    void this.#letGo(claim, deactivationReason(reason));
  }

  async #letGo(claim: Claim, reason: DeactivationReason): Promise<void> {
    const { claims, catalog, runs } = this.#options;
    // Before the wait for turns, which the readers of a run take part in.
    runs().release(claim.id);
    await catalog().release(claim.id, reason, () => claims.isCurrent(claim));
    // A worthless copy may still have a turn that runs.
    if (!claim.isIdle)
      await new Promise<void>((resolve) => {
        claim.onIdle = resolve;
      });
    if (!claims.isCurrent(claim)) return;
    claims.letGo(claim);
    for (const outbox of claim.leavesBy ?? []) claims.notices.left(claim, outbox);
  }
}

/** Gives back what has not begun, which no host takes. Returns the number of these messages. */
function dropWorkOf(claims: readonly Claim[]): number {
  const works = claims.flatMap((claim) => claim.unbegun());
  for (const work of works) work.goBack("leaving");
  return works.length;
}

function isSame(a: Epoch, b: Epoch): boolean {
  return compareEpochs(a, b) === 0;
}

/** An activation that the host thinks worthless, and that is none, is moved: its state is saved. */
function deactivationReason(reason: LeaveReason): DeactivationReason {
  return reason === "failed" || reason === "stale" ? "moved" : reason;
}
