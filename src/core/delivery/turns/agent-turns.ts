import type { Agent } from "../../agents/agent.ts";
import type { TurnKind, TurnOptions } from "../../agents/turns.ts";
import { ChurnedMap } from "../../collections/churned-map.ts";
import { UndeliverableException } from "../../errors.ts";
import { isThenable } from "../../thenable.ts";
import { ActivationGone } from "../activations/activation-gone.ts";
import type { Delivery } from "../layers.ts";
import type { LongWaits } from "./long-waits.ts";
import { MessageTurn } from "./message-turn.ts";
import type { RunningPaths } from "./running-paths.ts";
import { type TurnLimits, TurnQueue } from "./turn-queue.ts";

/** The parts that the turns of a runtime share. */
export interface SharedTurns {
  readonly paths: RunningPaths;
  /** Makes the token of a turn: no other turn of the agent has it, in any runtime. */
  readonly tokenOf: (delivery: Delivery) => string;
  /** Hears of each change of a queue. Undefined: the runtime does not watch for calls that wait for each other. */
  readonly longWaits: LongWaits | undefined;
}

/** Messages of one agent at which a look goes. */
const mostLooks = 100;

/** The turns of the agents of one type. An agent that has nothing to do costs nothing. */
export class AgentTurns {
  readonly #limits: TurnLimits;
  readonly #queues = new ChurnedMap<Agent, TurnQueue<MessageTurn>>();
  readonly #shared: SharedTurns;
  /** Turns of a persistent agent that may run while a commit is under way. */
  readonly runAhead: number;

  constructor(
    shared: SharedTurns,
    { maxQueuedPerAgent = 1_000, maxQueuedBytesPerAgent = 16 * 1024 * 1024, runAhead = 0 }: TurnOptions,
  ) {
    this.runAhead = runAhead;
    this.#shared = shared;
    this.#limits = { maxQueued: maxQueuedPerAgent, maxQueuedBytes: maxQueuedBytesPerAgent };
  }

  /**
   * Runs `handle` in the message's turn: at once if the agent is free, else later. Throws `overloaded` when too many messages wait.
   * Rejects with the reason when the message is given up while it waits. The context says `isWaiting` until `handle` runs. The agent
   * that it gets is another object if the activation has ended while the message waited.
   */
  inTurn(
    delivery: Delivery,
    handle: (agent: Agent) => unknown,
    agent: Agent,
    kind = turnKindOf(agent, delivery),
  ): unknown {
    const { context } = delivery;
    if (kind === "interleaving") {
      context.isInterleaving = true;
      if (context.path.length > 0) return this.#shared.paths.around(agent, context, () => handle(agent));
      this.#shared.paths.list(agent, context);
      return handle(agent);
    }
    const queue = this.#queueOf(agent);
    const turn = new MessageTurn(kind, delivery, { token: this.#shared.tokenOf(delivery), agent, queue });
    switch (queue.ask(turn)) {
      case "begun":
        if (queue.hasWaitingPath) this.#shared.longWaits?.changed(queue);
        return this.#run(turn, handle);
      case "waits":
        if (turn.hasPath) this.#shared.longWaits?.changed(queue);
        return this.#runLater(turn, handle);
      case "full":
        context.isWaiting = true;
        throw queueIsFull(delivery, queue.waitingCount);
    }
  }

  /**
   * Looks how long messages wait for their turns. Returns the milliseconds of the oldest one, from the first look that saw it wait. Messages carry no
   * time, so that they cost nothing without a look.
   */
  oldestWaitMs(nowMs: number): number {
    let oldestMs = 0;
    for (const queue of this.#queues.values()) {
      let looks = 0;
      for (const turn of queue.waiting) {
        turn.seenMs ??= nowMs;
        oldestMs = Math.max(oldestMs, nowMs - turn.seenMs);
        looks += 1;
        if (looks === mostLooks) break;
      }
    }
    return oldestMs;
  }

  /** Whether a turn of the agent runs or waits. */
  isBusy(agent: Agent): boolean {
    return this.#queues.has(agent);
  }

  /** From now on no turn of the agent begins, but those for which all that run wait. `move` or `forget` ends that. */
  hold(agent: Agent): void {
    this.#queueOf(agent).hold();
  }

  /** The activation has ended, and nothing waits for it any more. */
  forget(agent: Agent): void {
    this.#queues.delete(agent);
  }

  /**
   * The activation has ended: the messages that wait go to the next one, in their order. If `next` rejects, each of them has that
   * error. `next` is called only if messages wait.
   */
  move(agent: Agent, next: () => Agent | Promise<Agent>): void {
    const queue = this.#queues.get(agent);
    const waiting = queue?.takeWaiting() ?? [];
    this.#queues.delete(agent);
    if (queue === undefined || waiting.length === 0) return;
    for (const turn of waiting) turn.queue = undefined;
    this.#shared.longWaits?.changed(queue);
    const left = () => waiting.filter(({ isGivenUp }) => !isGivenUp);
    Promise.resolve(next()).then(
      (agentNow) => {
        for (const turn of left()) this.#rejoin(turn, agentNow);
      },
      (error: unknown) => {
        for (const turn of left()) turn.giveUp(error);
      },
    );
  }

  #rejoin(turn: MessageTurn, agent: Agent): void {
    const queue = this.#queueOf(agent);
    turn.agent = agent;
    turn.queue = queue;
    switch (queue.ask(turn)) {
      case "begun":
        return turn.begin(false);
      case "waits":
        if (turn.hasPath) this.#shared.longWaits?.changed(queue);
        return;
      case "full":
        turn.giveUp(queueIsFull(turn.delivery, queue.waitingCount));
    }
  }

  /** Runs the rest at once. Makes no promise for a handler that answers at once. */
  #run(turn: MessageTurn, handle: (agent: Agent) => unknown): unknown {
    turn.context.turn = turn;
    if (this.runAhead > 0) turn.context.endTurn = () => this.#endAhead(turn);
    this.#shared.paths.add(turn.agent, turn.context);
    let answer: unknown;
    try {
      answer = handle(turn.agent);
    } catch (error) {
      this.#end(turn);
      throw error;
    }
    if (isThenable(answer)) return this.#settle(turn, answer, handle);
    this.#end(turn);
    return answer;
  }

  async #settle(turn: MessageTurn, answer: PromiseLike<unknown>, handle: (agent: Agent) => unknown): Promise<unknown> {
    let settled: unknown;
    try {
      settled = await answer;
    } catch (error) {
      if (ActivationGone.is(error) && error.leave !== undefined) return this.#again(turn, error, handle);
      this.#end(turn);
      throw error;
    }
    this.#end(turn);
    return settled;
  }

  /**
   * Ends the activation of a turn that met another writer. The message is tried once more, before those that wait: at the next activation, or
   * where the host places it.
   */
  async #again(turn: MessageTurn, gone: ActivationGone, handle: (agent: Agent) => unknown): Promise<unknown> {
    const { queue, delivery } = turn;
    if (delivery.giveBack?.("conflict") === true) {
      gone.leave?.();
      this.#end(turn);
      throw gone;
    }
    if (turn.isRepeated || queue === undefined || delivery.giveBack !== undefined) {
      gone.leave?.();
      this.#end(turn);
      throw gone.error;
    }
    turn.isRepeated = true;
    this.#shared.paths.delete(turn.agent, turn.context);
    queue.putBack(turn);
    const begun = this.#runLater(turn, handle);
    gone.leave?.();
    // An instance stays, and loads its state again.
    if (turn.queue === queue) queue.resume();
    return begun;
  }

  /** Waits in the async context of the message, so that its handler runs there. */
  async #runLater(turn: MessageTurn, handle: (agent: Agent) => unknown): Promise<unknown> {
    try {
      await turn.begun(() => this.#end(turn));
    } catch (error) {
      this.#end(turn);
      throw error;
    }
    return this.#run(turn, handle);
  }

  #queueOf(agent: Agent): TurnQueue<MessageTurn> {
    const known = this.#queues.get(agent);
    if (known !== undefined) return known;
    const queue = new TurnQueue<MessageTurn>(this.#limits);
    this.#queues.set(agent, queue);
    return queue;
  }

  /** Ends a turn whose answer waits for its commit. It gives its handler slot up, too. */
  #endAhead(turn: MessageTurn): void {
    turn.context.endTurn = undefined;
    turn.delivery.handlerSlot?.end();
    this.#end(turn);
  }

  #end(turn: MessageTurn): void {
    const { agent, queue } = turn;
    this.#shared.paths.delete(agent, turn.context);
    if (queue === undefined) return;
    queue.end(turn);
    this.#shared.longWaits?.changed(queue);
    if (queue.isIdle && this.#queues.get(agent) === queue) this.#queues.delete(agent);
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
