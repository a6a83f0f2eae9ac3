import type { Agent } from "../agents/agent.ts";
import type { TurnKind, TurnOptions } from "../agents/turns.ts";
import { UndeliverableException } from "../errors.ts";
import { isSameTurn, nameInPath } from "../scope/call-path.ts";
import { isThenable } from "../thenable.ts";
import type { HandlerContext, OwnTurn } from "./handler-context.ts";
import type { Delivery } from "./layers.ts";
import type { RunningPaths } from "./running-paths.ts";
import { type Turn, type TurnLimits, TurnQueue } from "./turn-queue.ts";

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

/** The parts that the turns of a runtime share. */
export interface SharedTurns {
  readonly paths: RunningPaths;
  /** Makes the token of a turn: no other turn of the agent has it, in any runtime. */
  readonly tokenOf: (delivery: Delivery) => string;
}

/** The turns of the agents of one type. An agent that has nothing to do costs nothing. */
export class AgentTurns {
  readonly #limits: TurnLimits;
  readonly #queues = new Map<Agent, TurnQueue>();
  readonly #shared: SharedTurns;

  constructor(
    shared: SharedTurns,
    { maxQueuedPerAgent = 1_000, maxQueuedBytesPerAgent = 16 * 1024 * 1024 }: TurnOptions,
  ) {
    this.#shared = shared;
    this.#limits = { maxQueued: maxQueuedPerAgent, maxQueuedBytes: maxQueuedBytesPerAgent };
  }

  /**
   * Runs `next` in the message's turn: at once if the agent is free, else later. Throws `overloaded` when too many messages wait.
   * Rejects with the reason when the message is given up while it waits. The context says `isWaiting` until `next` runs.
   */
  inTurn(delivery: Delivery, next: () => unknown, agent: Agent, kind = turnKindOf(agent, delivery)): unknown {
    const { context, agentId } = delivery;
    if (kind === "interleaving") {
      return context.path.length === 0 ? next() : this.#shared.paths.around(agent, context, next);
    }
    const queue = this.#queueOf(agent);
    const turn = new MessageTurn(kind, delivery, {
      token: this.#shared.tokenOf(delivery),
      type: nameInPath(agentId.type),
      key: nameInPath(agentId.key),
      kind,
    });
    switch (queue.ask(turn)) {
      case "begun":
        return this.#run(agent, queue, turn, next);
      case "waits":
        return this.#runLater(agent, queue, turn, next);
      case "full":
        context.isWaiting = true;
        throw queueIsFull(delivery, queue.waitingCount);
    }
  }

  /** Begins the turns of all messages that wait for an agent which is gone: their layers give them to the next one. */
  release(agent: Agent): void {
    this.#queues.get(agent)?.release();
  }

  /** Runs the rest at once. Makes no promise for a handler that answers at once. */
  #run(agent: Agent, queue: TurnQueue, turn: MessageTurn, next: () => unknown): unknown {
    turn.context.turn = turn.own;
    this.#shared.paths.add(agent, turn.context);
    let answer: unknown;
    try {
      answer = next();
    } catch (error) {
      this.#end(agent, queue, turn);
      throw error;
    }
    if (isThenable(answer)) return this.#settle(agent, queue, turn, answer);
    this.#end(agent, queue, turn);
    return answer;
  }

  async #settle(agent: Agent, queue: TurnQueue, turn: MessageTurn, answer: PromiseLike<unknown>): Promise<unknown> {
    try {
      return await answer;
    } finally {
      this.#end(agent, queue, turn);
    }
  }

  /** Waits in the async context of the message, so that its handler runs there. */
  async #runLater(agent: Agent, queue: TurnQueue, turn: MessageTurn, next: () => unknown): Promise<unknown> {
    try {
      await turn.begun(() => this.#end(agent, queue, turn));
    } catch (error) {
      this.#end(agent, queue, turn);
      throw error;
    }
    return this.#run(agent, queue, turn, next);
  }

  #queueOf(agent: Agent): TurnQueue {
    const known = this.#queues.get(agent);
    if (known !== undefined) return known;
    const queue = new TurnQueue(this.#limits);
    this.#queues.set(agent, queue);
    return queue;
  }

  #end(agent: Agent, queue: TurnQueue, turn: MessageTurn): void {
    this.#shared.paths.delete(agent, turn.context);
    queue.end(turn);
    if (queue.isIdle && this.#queues.get(agent) === queue) this.#queues.delete(agent);
  }
}

/** The turn of one message. */
class MessageTurn implements Turn {
  readonly kind: Turn["kind"];
  /** As it stands in the paths of the calls that it makes. */
  readonly own: OwnTurn;
  readonly #delivery: Delivery;
  #resolve: () => void = () => undefined;

  constructor(kind: Turn["kind"], delivery: Delivery, own: OwnTurn) {
    this.kind = kind;
    this.own = own;
    this.#delivery = delivery;
  }

  get context(): HandlerContext {
    return this.#delivery.context;
  }

  get hasPath(): boolean {
    return this.context.path.length > 0;
  }

  isAwaitedBy(running: MessageTurn): boolean {
    return this.context.path.some((turn) => isSameTurn(turn, running.own));
  }

  get bytes(): number {
    return this.#delivery.handlerSlot?.bytes ?? 0;
  }

  get isUrgent(): boolean {
    return this.#delivery.handlerSlot?.isUrgent ?? false;
  }

  /** Resolves when the turn and its slot are there. Rejects when the message is given up; `onGivenUp` is called at once then. */
  async begun(onGivenUp: () => void): Promise<void> {
    const { context, handlerSlot: slot } = this.#delivery;
    context.isWaiting = true;
    let givenUp: { readonly reason: unknown } | undefined;
    await new Promise<void>((resolve) => {
      this.#resolve = resolve;
      context.onAbort = (reason) => {
        givenUp = { reason };
        slot?.end();
        onGivenUp();
        resolve();
      };
      slot?.leave();
      // Reading the signal makes the context follow the caller's signal and deadline. It may have aborted before.
      if (context.signal.aborted && givenUp === undefined) context.onAbort(context.signal.reason);
    });
    context.onAbort = undefined;
    if (givenUp !== undefined) throw givenUp.reason;
    context.isWaiting = false;
  }

  begin(hurries: boolean): void {
    const { handlerSlot: slot } = this.#delivery;
    if (slot === undefined) return this.#resolve();
    if (hurries) slot.hurry();
    slot.take(this.#resolve);
  }

  hurry(): void {
    this.#delivery.handlerSlot?.hurry();
  }
}

/** A message whose `match` throws runs alone: the handler throws the same error to its caller. */
function turnKindOf(agent: Agent, { message, context }: Delivery): TurnKind {
  try {
    return agent.turnKind?.(message, context) ?? "alone";
  } catch {
    return "alone";
  }
}

function queueIsFull({ agentId }: Delivery, count: number): UndeliverableException {
  const text = `${count} messages wait for their turn at ${agentId}, which takes no more (maxQueuedPerAgent, maxQueuedBytesPerAgent).`;
  return new UndeliverableException(`${text} Try again later.`, { code: "overloaded", notHandled: true });
}
