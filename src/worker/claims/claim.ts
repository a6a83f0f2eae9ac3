import type { AgentId, Epoch, HandlerContext } from "../../core/internal.ts";
import type { LeaveReason, ReturnReason } from "../../protocol/internal.ts";
import type { Outbox } from "../connection/outbox.ts";

/** A message for an agent that the host has placed here, or one that the agent has set itself (a timer). */
export interface ClaimedWork {
  /** Whether no handler has seen it. */
  readonly mayGoBack: boolean;
  /** Whether a turn of the agent waits for it, so that it can't go elsewhere. */
  readonly isAwaited: boolean;
  /** The context of its handler. Undefined while a call is parked. */
  readonly context?: HandlerContext | undefined;
  /** Whether it is an event. Default: false. */
  readonly isEvent?: boolean | undefined;
  /** Gives it back to the host; its handler does not begin any more. */
  goBack(reason: ReturnReason): void;
  /** Drops it, because no host takes it back; its handler does not begin any more. Default: it can't be dropped alone. */
  drop?(): void;
}

/** A message as it came, for an agent that the host has placed here. */
export interface PlacedMessage {
  readonly claim: Claim;
  readonly bytes: Uint8Array;
  readonly isAwaited: boolean;
}

// protocol.md §11.17
/**
 * - `held`: the agent takes messages. `asked` says whether the worker has asked the host to take it back.
 * - `worthless`: its activation counts no more. Each message goes back until the host says `leave`.
 * - `leaving`: the host has said `leave`. Nothing begins but what a turn of the agent waits for.
 */
export type ClaimState = "held" | "worthless" | "leaving";

/** The host's word that this worker has an agent. */
export class Claim {
  readonly id: AgentId;
  readonly epoch: Epoch;
  /** The way back on the connection that told of it last. */
  from: object | undefined;
  state: ClaimState = "held";
  /** Whether the activation counts no more, also while the agent leaves. No other one may begin here: `left` would leave it behind. */
  isWorthless = false;
  /**
   * Whether the agent was here before this claim. A worker that stops keeps its agents when it loses its host, and their turns go on under
   * claims that are gone.
   */
  hasEarlierTurns = false;
  /** The reason for which the worker has asked the host to take the agent back. Undefined: it has not. */
  asked: LeaveReason | undefined;
  /** The reason for which messages go back. */
  returns: ReturnReason = "leaving";
  /** The ways by which `leave` has come. Undefined: it has not. */
  leavesBy: Set<Outbox> | undefined;
  /** Called when the last work has ended. */
  onIdle: () => void = () => undefined;
  /** In the order in which they came. Undefined: there is none. */
  #works: Set<ClaimedWork> | undefined;

  constructor(id: AgentId, epoch: Epoch, from?: object) {
    this.id = id;
    this.epoch = epoch;
    this.from = from;
  }

  get type(): string {
    return this.id.type;
  }

  get key(): string {
    return this.id.key;
  }

  get isIdle(): boolean {
    return this.#works === undefined;
  }

  begin(work: ClaimedWork): void {
    this.#works ??= new Set();
    this.#works.add(work);
  }

  end(work: ClaimedWork): void {
    if (this.#works?.delete(work) !== true || this.#works.size > 0) return;
    this.#works = undefined;
    this.onIdle();
  }

  /** Returns the messages that no handler has seen, in the order in which they came. */
  unbegun(): readonly ClaimedWork[] {
    return [...(this.#works ?? [])].filter(({ mayGoBack }) => mayGoBack);
  }

  contexts(): readonly HandlerContext[] {
    return [...(this.#works ?? [])].flatMap(({ context }) => context ?? []);
  }
}
