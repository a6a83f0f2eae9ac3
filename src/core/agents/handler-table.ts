import { brandClass } from "../copies.ts";
import { TroupeError } from "../errors.ts";
import type { MessageType } from "../serialization/message-type.ts";
import { wrongValue } from "../validation/option-values.ts";
import {
  assertDeclared,
  type HandledMessage,
  Handler,
  type HandlerOptions,
  type HandlerResult,
  type MessageTypes,
  type NowOrLater,
} from "./handler.ts";
import type { MessageContext } from "./message-context.ts";

/** A handler in a table, and what it returns. Its `this` is the agent; TypeScript infers the type of the message. */
export type TableHandler<Agent, Types extends MessageTypes, Result> = (
  this: Agent,
  message: HandledMessage<Types>,
  context: MessageContext,
) => Result;

/** Holds the handlers of a routed agent's class. The agent tries them in this order. */
export interface HandlerSource {
  readonly handlers: readonly Handler[];
}

/**
 * The handlers of a routed agent, which tries them in this order. A method throws `invalid-argument` when an earlier handler without
 * `match` takes every message of a type that the new handler is for. Each method returns a new table with one more handler:
 * `static override readonly handlers = handlerTable<Greeter>().rpc(AskToGreet, function (ask) { … })`.
 */
export class HandlerTable<Agent> implements HandlerSource {
  readonly handlers: readonly Handler[];

  constructor(handlers: readonly Handler[] = []) {
    this.handlers = handlers;
  }

  /**
   * Adds a handler of calls. It returns or resolves to the answer that the message's type names. An `async function*` yields the chunks of the
   * answer first.
   */
  rpc<const Types extends MessageTypes>(
    types: Types,
    handle: TableHandler<Agent, Types, HandlerResult<Types>>,
    options?: HandlerOptions<HandledMessage<Types>>,
  ): HandlerTable<Agent> {
    assertDeclared(types, options, "rpc");
    return this.#with(new Handler({ ...options, kind: "rpc", types, handle }));
  }

  /** Adds a handler of events. It returns nothing. */
  event<const Types extends MessageTypes>(
    types: Types,
    handle: TableHandler<Agent, Types, NowOrLater<void>>,
    options?: HandlerOptions<HandledMessage<Types>>,
  ): HandlerTable<Agent> {
    assertDeclared(types, options, "event");
    return this.#with(new Handler({ ...options, kind: "event", types, handle }));
  }

  /** Adds a handler of calls and events. */
  message<const Types extends MessageTypes>(
    types: Types,
    handle: TableHandler<Agent, Types, HandlerResult<Types>>,
    options?: HandlerOptions<HandledMessage<Types>>,
  ): HandlerTable<Agent> {
    assertDeclared(types, options, "message");
    return this.#with(new Handler({ ...options, kind: "message", types, handle }));
  }

  /** Adds another table's handlers after these: `handlerTable<Child>().including(Parent.handlers)`. */
  including(other: HandlerSource): HandlerTable<Agent> {
    if (!Array.isArray(other?.handlers)) throw wrongValue("What a handler table includes must be another one", other);
    return new HandlerTable([...this.handlers, ...other.handlers]);
  }

  #with(handler: Handler): HandlerTable<Agent> {
    for (const earlier of this.handlers) {
      const hidden = earlier.typeHiddenFrom(handler);
      if (hidden !== undefined) throw hiddenHandlerError(hidden);
    }
    return new HandlerTable([...this.handlers, handler]);
  }
}
brandClass(HandlerTable, "HandlerTable");

function hiddenHandlerError({ typeName }: MessageType): TroupeError {
  const text = `A handler table has two handlers of ${typeName}, and the second one would get no message of it.`;
  const advice =
    "Give the first one a match, remove one, or put the class's own handlers before those that it includes.";
  return new TroupeError("invalid-argument", `${text} ${advice}`);
}

/** Returns an empty table for agents of a class. */
export function handlerTable<Agent>(): HandlerTable<Agent> {
  return new HandlerTable();
}
