import {
  type HandledAnswer,
  type HandledMessage,
  Handler,
  type HandlerOptions,
  type MessageTypes,
  type NowOrLater,
} from "./handler.ts";
import type { MessageContext } from "./message-context.ts";

/** A handler as it is written in a table: `this` is the agent, the message's type is inferred. */
export type TableHandler<Agent, Types extends MessageTypes, Result> = (
  this: Agent,
  message: HandledMessage<Types>,
  context: MessageContext,
) => NowOrLater<Result>;

/** Where a routed agent's class keeps its handlers, in the order in which they are asked. */
export interface HandlerSource {
  readonly handlers: readonly Handler[];
}

/**
 * The handlers of a routed agent, asked in this order. Each method gives a new table with one handler more:
 * `static override readonly handlers = handlerTable<Greeter>().rpc(AskToGreet, function (ask) { … })`.
 */
export class HandlerTable<Agent> implements HandlerSource {
  readonly handlers: readonly Handler[];

  constructor(handlers: readonly Handler[] = []) {
    this.handlers = handlers;
  }

  /** Takes calls, and returns or resolves to the answer that the message's type names. */
  rpc<const Types extends MessageTypes>(
    types: Types,
    handle: TableHandler<Agent, Types, HandledAnswer<Types>>,
    options?: HandlerOptions<HandledMessage<Types>>,
  ): HandlerTable<Agent> {
    return this.#with(new Handler({ ...options, kind: "rpc", types, handle }));
  }

  /** Takes events; returns nothing. */
  event<const Types extends MessageTypes>(
    types: Types,
    handle: TableHandler<Agent, Types, void>,
    options?: HandlerOptions<HandledMessage<Types>>,
  ): HandlerTable<Agent> {
    return this.#with(new Handler({ ...options, kind: "event", types, handle }));
  }

  /** Takes calls and events alike. */
  message<const Types extends MessageTypes>(
    types: Types,
    handle: TableHandler<Agent, Types, HandledAnswer<Types>>,
    options?: HandlerOptions<HandledMessage<Types>>,
  ): HandlerTable<Agent> {
    return this.#with(new Handler({ ...options, kind: "message", types, handle }));
  }

  /** Adds another table's handlers after these: `handlerTable<Child>().including(Parent.handlers)`. */
  including(other: HandlerSource): HandlerTable<Agent> {
    return new HandlerTable([...this.handlers, ...other.handlers]);
  }

  #with(handler: Handler): HandlerTable<Agent> {
    return new HandlerTable([...this.handlers, handler]);
  }
}

/** An empty table for agents of a class. */
export function handlerTable<Agent>(): HandlerTable<Agent> {
  return new HandlerTable();
}
