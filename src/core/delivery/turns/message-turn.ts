import type { Agent } from "../../agents/agent.ts";
import { isSameTurn, nameInPath, type OwnTurn, waitingTurns } from "../../scope/call-path.ts";
import type { HandlerContext } from "../handler-context.ts";
import type { Delivery } from "../layers.ts";
import type { WatchedTurn } from "./long-waits.ts";
import type { Turn, TurnQueue } from "./turn-queue.ts";

/** The handler slot of a message, in a runtime that bounds its handlers. A message that waits for its turn holds none. */
export interface TurnSlot {
  /** Bytes of the message. */
  readonly bytes: number;
  /** Whether the message needs no free slot, because a handler that holds one may wait for it. */
  readonly isUrgent: boolean;
  /** Gives the slot up, because the message waits. */
  leave(): void;
  /** Takes a slot again and calls `run`: at once, or when one is free. */
  take(run: () => void): void;
  /** Waits for no free slot any more: an urgent message waits behind this one. */
  hurry(): void;
  /** Gives up the slot, or the wait for one. Twice is fine. */
  end(): void;
}

/** The place of a turn: its token in paths, and where it runs or waits. */
interface TurnPlace {
  readonly token: string;
  readonly agent: Agent;
  readonly queue: TurnQueue<MessageTurn>;
}

/**
 * The turn of one message at a sequential agent: it waits for its turn and its handler slot, and may be given up meanwhile. It stands itself
 * in the paths of the calls that it makes.
 */
export class MessageTurn implements Turn, WatchedTurn, OwnTurn {
  readonly kind: Turn["kind"];
  readonly delivery: Delivery;
  seenMs: number | undefined;
  /** Whether the message is tried for the second time. */
  isRepeated = false;
  readonly token: string;
  /** The activation whose turn it is. */
  agent: Agent;
  /** Undefined while the next activation of the agent is being made. */
  queue: TurnQueue<MessageTurn> | undefined;
  #resolve: () => void = () => undefined;
  #giveUp: (reason: unknown) => void = () => undefined;
  #isGivenUp = false;

  constructor(kind: Turn["kind"], delivery: Delivery, { token, agent, queue }: TurnPlace) {
    this.kind = kind;
    this.token = token;
    this.agent = agent;
    this.queue = queue;
    this.delivery = delivery;
  }

  get isGivenUp(): boolean {
    return this.#isGivenUp;
  }

  /** Ends the wait with this error. */
  giveUp(reason: unknown): void {
    this.#giveUp(reason);
  }

  get context(): HandlerContext {
    return this.delivery.context;
  }

  get type(): string {
    return nameInPath(this.delivery.agentId.type);
  }

  get key(): string {
    return nameInPath(this.delivery.agentId.key);
  }

  // A getter in an object literal costs far more: V8 gives each such object a hidden class of its own, in the old space.
  /** Whether the caller of the message still waits. */
  get isAwaited(): boolean {
    return this.context.isAwaited;
  }

  get hasPath(): boolean {
    return this.context.path.length > 0;
  }

  isAwaitedBy(running: MessageTurn): boolean {
    return waitingTurns(this.context.path).some((turn) => isSameTurn(turn, running));
  }

  get bytes(): number {
    return this.delivery.handlerSlot?.bytes ?? 0;
  }

  get isUrgent(): boolean {
    return this.delivery.handlerSlot?.isUrgent ?? false;
  }

  /** Resolves when the turn and its slot are there. Rejects when the message is given up; `onGivenUp` is called at once then. */
  async begun(onGivenUp: () => void): Promise<void> {
    const { context, handlerSlot: slot } = this.delivery;
    context.isWaiting = true;
    let givenUp: { readonly reason: unknown } | undefined;
    await new Promise<void>((resolve) => {
      this.#resolve = resolve;
      this.#giveUp = (reason) => {
        givenUp ??= { reason };
        this.#isGivenUp = true;
        slot?.end();
        onGivenUp();
        resolve();
      };
      context.onAbort = this.#giveUp;
      slot?.leave();
      // Reading the signal makes the context follow the caller's signal and deadline. It may have aborted before.
      if (context.signal.aborted && givenUp === undefined) this.#giveUp(context.signal.reason);
    });
    context.onAbort = undefined;
    this.#giveUp = () => undefined;
    if (givenUp !== undefined) throw givenUp.reason;
    context.isWaiting = false;
  }

  begin(hurries: boolean): void {
    const { context, handlerSlot: slot } = this.delivery;
    this.seenMs = undefined;
    context.turn = this;
    if (slot === undefined) return this.#resolve();
    if (hurries) slot.hurry();
    slot.take(this.#resolve);
  }

  hurry(): void {
    this.delivery.handlerSlot?.hurry();
  }
}
