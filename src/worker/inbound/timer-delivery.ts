import {
  type AgentCatalog,
  type AgentId,
  type Delivery,
  type DeliveryOwner,
  type Dispatcher,
  HandlerContext,
  type MakeId,
  type TimerMessage,
} from "../../core/internal.ts";
import { deliverInLoadContext } from "../load-context.ts";
import type { ConcurrencyLimiter, Parked } from "./concurrency-limiter.ts";
import { HandlerSlot } from "./handler-slot.ts";
import type { InFlight, Work } from "./in-flight.ts";

export interface TimerDeliveryOptions {
  readonly catalog: AgentCatalog;
  readonly dispatcher: Dispatcher;
  readonly work: InFlight;
  readonly slots: ConcurrencyLimiter;
  readonly makeId: MakeId;
  /** Whether the worker runs, and does not stop. Otherwise the message is dropped. */
  readonly takesWork: () => boolean;
}

/** Bytes that the message of a timer counts among the parked ones. It was never on the wire. */
const countedBytes = 0;

/** Delivers the messages of timers to agents of this worker. */
export class TimerDelivery {
  readonly #options: TimerDeliveryOptions;
  readonly #owner: DeliveryOwner<TimerTurn>;

  constructor(options: TimerDeliveryOptions) {
    this.#options = options;
    this.#owner = {
      spanDetails: ({ agentId: destination }) => ({ destination, link: undefined }),
      answered: (turn) => this.#end(turn),
      failed: (turn) => this.#end(turn),
    };
  }

  /** Runs the handler when a slot is free. Never throws. */
  deliver(timer: TimerMessage): void {
    const { slots, work, takesWork, catalog, makeId } = this.#options;
    if (!takesWork()) return timer.onEnd();
    const turn = new TimerTurn(timer, catalog, makeId);
    work.add(turn);
    if (slots.hasFree) return this.#run(turn);
    const parked: Parked = {
      bytes: countedBytes,
      run: () => {
        turn.onGivenUp = undefined;
        this.#run(turn);
      },
    };
    turn.onGivenUp = () => {
      slots.withdraw(parked);
      if (work.delete(turn)) turn.timer.onEnd();
    };
    slots.park(parked);
  }

  #run(turn: TimerTurn): void {
    const { slots, dispatcher, catalog } = this.#options;
    slots.begin();
    if (catalog.turnsOf(turn.agentId.type) !== undefined)
      turn.handlerSlot = new HandlerSlot(slots, countedBytes, false);
    void deliverInLoadContext(dispatcher, turn, this.#owner);
  }

  /** The slot of a handler that a stop has given up is free already. */
  #end(turn: TimerTurn): void {
    if (this.#options.work.delete(turn)) {
      if (turn.handlerSlot === undefined) this.#options.slots.end();
      else turn.handlerSlot.end();
    }
    turn.timer.onEnd();
  }
}

/** One message of a timer on its way to its agent. */
class TimerTurn implements Delivery, Work {
  readonly timer: TimerMessage;
  readonly agentId: AgentId;
  readonly message: object;
  readonly context: HandlerContext;
  readonly link = undefined;
  handlerSlot: HandlerSlot | undefined;
  workSlot = 0;
  /** Removes the message from the parked ones; set while it is parked. */
  onGivenUp: (() => void) | undefined;

  constructor(timer: TimerMessage, { runtime }: AgentCatalog, makeId: MakeId) {
    const { agentId, message } = timer;
    this.timer = timer;
    this.agentId = agentId;
    this.message = message;
    this.context = new HandlerContext({
      ...{ sender: agentId, topicId: undefined, isRpc: true, messageId: makeId },
      ...{ agentId, runtime },
    });
  }

  abandon(reason: Error): void {
    this.onGivenUp?.();
    this.context.abort(reason);
  }
}
