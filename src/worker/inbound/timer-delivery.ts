import {
  type AgentCatalog,
  type AgentId,
  type Delivery,
  type DeliveryOwner,
  type Dispatcher,
  HandlerContext,
  type MakeId,
  movedError,
  type OwnOutcome,
  type TimerMessage,
  type TraceCarrier,
} from "../../core/internal.ts";
import type { Claim } from "../claims/claim.ts";
import type { Claims } from "../claims/claims.ts";
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
  readonly claims: Claims;
  /** Whether the worker runs, and does not stop. Otherwise the message is dropped. */
  readonly takesWork: () => boolean;
}

/** Bytes that the message of a timer counts among the parked ones. It was never on the wire. */
const countedBytes = 0;

/** Delivers the messages of timers and of runs to agents of this worker. */
export class TimerDelivery {
  readonly #options: TimerDeliveryOptions;
  readonly #owner: DeliveryOwner<TimerTurn>;

  constructor(options: TimerDeliveryOptions) {
    this.#options = options;
    this.#owner = {
      spanDetails: ({ agentId: destination, link }) => ({ destination, link }),
      answered: (turn, answer) => this.#end(turn, { answer }),
      failed: (turn, error) => this.#end(turn, { error }),
    };
  }

  /** Runs the handler when a slot is free. Never throws. */
  deliver(timer: TimerMessage): void {
    const { slots, work, takesWork, catalog, makeId, claims } = this.#options;
    const claim = claims.of(timer.agentId);
    if (!takesWork() || (claim !== undefined && claim.state !== "held")) return timer.onEnd();
    const turn = new TimerTurn(timer, { catalog, makeId, claim });
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
  #end(turn: TimerTurn, outcome: OwnOutcome): void {
    if (this.#options.work.delete(turn)) {
      if (turn.handlerSlot === undefined) this.#options.slots.end();
      else turn.handlerSlot.end();
    }
    turn.timer.onEnd(outcome);
  }
}

interface TimerTurnOptions {
  readonly catalog: AgentCatalog;
  readonly makeId: MakeId;
  readonly claim: Claim | undefined;
}

/** One message of a timer on its way to its agent. */
class TimerTurn implements Delivery, Work {
  readonly timer: TimerMessage;
  readonly agentId: AgentId;
  readonly message: unknown;
  readonly context: HandlerContext;
  readonly link: TraceCarrier | undefined;
  readonly claim: Claim | undefined;
  readonly isAwaited = false;
  handlerSlot: HandlerSlot | undefined;
  workSlot = 0;
  /** Removes the message from the parked ones; set while it is parked. */
  onGivenUp: (() => void) | undefined;

  constructor(timer: TimerMessage, { catalog, makeId, claim }: TimerTurnOptions) {
    const { agentId, message, context, link } = timer;
    const { runtime } = catalog;
    this.claim = claim;
    this.timer = timer;
    this.agentId = agentId;
    this.message = message;
    this.link = link;
    const own = { sender: agentId, topicId: undefined, isRpc: true, messageId: makeId, agentId, runtime };
    this.context = context ?? new HandlerContext(own);
  }

  get mayGoBack(): boolean {
    return !this.context.isAtAgent || this.context.isWaiting;
  }

  /** The timers of an activation end with it. */
  goBack(): void {
    this.drop();
  }

  drop(): void {
    this.abandon(movedError(this.agentId));
  }

  abandon(reason: Error): void {
    this.onGivenUp?.();
    this.context.abort(reason);
    // A run fails now: its handler may never end.
    this.timer.onEnd({ error: reason });
  }
}
