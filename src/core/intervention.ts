import type { AgentId } from "./agents/agent-id.ts";
import type { MessageContext } from "./agents/message-context.ts";
import { brandClass, isClass } from "./copies.ts";
import { TroupeError } from "./errors.ts";
import type { Logger } from "./logger.ts";
import { isThenable } from "./thenable.ts";
import type { TraceCarrier, Tracing } from "./tracing.ts";

/** Drops a message: an intervention returns this class or an instance of it. */
export class DropMessage {
  /** Tells the type checker that other objects are not a `DropMessage`. */
  readonly dropsMessage = true;
}
brandClass(DropMessage, "DropMessage");

/** Tells an intervention about a call on its way out. */
export interface SendIntervention {
  /** Names the sender. No handler runs yet, so `scope` throws `wrong-state`. */
  readonly messageContext: MessageContext;
  /** The agent that is called. */
  readonly recipient: AgentId;
}

/** Tells an intervention about an event on its way out. */
export interface PublishIntervention {
  /** Names the sender and the topic. No handler runs yet, so `scope` throws `wrong-state`. */
  readonly messageContext: MessageContext;
}

/** Tells an intervention about an answer on its way back. */
export interface ResponseIntervention {
  /** The agent that answers. */
  readonly sender: AgentId;
  /** The agent that made the call. Undefined: the caller is not an agent. */
  readonly recipient: AgentId | undefined;
}

// protocol.md §5.7
/**
 * Sees messages on their way out of a runtime; may change, drop or refuse them. Each method returns the message to deliver, or
 * `DropMessage`, or a promise of either. When it throws, the caller of a call gets the error; the runtime logs and drops an event.
 * Several handlers form a chain: each sees the message that the one before returned. Handlers that return no promise keep the
 * order of the messages. While the runtime awaits a promise, other messages overtake. For code around handlers see
 * `HandlerInterceptor`.
 */
export interface InterventionHandler {
  /** Called for each call that a caller sends. */
  onSend?(message: unknown, details: SendIntervention): unknown;
  /** Called for each event that is published. */
  onPublish?(message: unknown, details: PublishIntervention): unknown;
  /** Called for each answer that a handler returns. */
  onResponse?(message: unknown, details: ResponseIntervention): unknown;
  /**
   * Called for each chunk of a stream, when its reader reads it. Returns the chunk or `DropMessage`, and no promise. When it throws, the stream
   * ends with the error.
   */
  onChunk?(chunk: unknown, details: ResponseIntervention): unknown;
}

/** Returns every message unchanged. Extend it and override some methods (AutoGen's name). */
export class DefaultInterventionHandler implements InterventionHandler {
  onSend(message: unknown, _details: SendIntervention): unknown {
    return message;
  }

  onPublish(message: unknown, _details: PublishIntervention): unknown {
    return message;
  }

  onResponse(message: unknown, _details: ResponseIntervention): unknown {
    return message;
  }

  onChunk(chunk: unknown, _details: ResponseIntervention): unknown {
    return chunk;
  }
}

type Step = (handler: InterventionHandler, current: unknown) => unknown;

/** All the interventions of a runtime as one chain. Every runtime uses it. */
export class InterventionChain {
  readonly #handlers: readonly InterventionHandler[];
  readonly #tracing: Tracing | undefined;
  readonly #logger: Logger | undefined;
  /** Whether a handler has the method `onSend`. If none has, callers skip the chain; the same holds for the other three. */
  readonly seesSend: boolean;
  readonly seesPublish: boolean;
  readonly seesResponse: boolean;
  readonly seesChunk: boolean;

  constructor(
    handlers: readonly InterventionHandler[] = [],
    options: { readonly tracing?: Tracing | undefined; readonly logger?: Logger | undefined } = {},
  ) {
    this.#handlers = handlers;
    this.#tracing = options.tracing;
    this.#logger = options.logger;
    this.seesSend = handlers.some((handler) => handler.onSend !== undefined);
    this.seesPublish = handlers.some((handler) => handler.onPublish !== undefined);
    this.seesResponse = handlers.some((handler) => handler.onResponse !== undefined);
    this.seesChunk = handlers.some((handler) => handler.onChunk !== undefined);
  }

  /**
   * Returns the message to deliver, or `DropMessage`, and throws the error of a handler. It returns a promise only when a
   * handler does. `link` is the message's trace context.
   */
  onSend(message: unknown, details: SendIntervention, link?: TraceCarrier): unknown {
    return this.#run("onSend", message, (handler, current) =>
      handler.onSend === undefined ? current : this.#traced(handler, link, () => handler.onSend?.(current, details)),
    );
  }

  /** The same as `onSend`, for an event. */
  onPublish(message: unknown, details: PublishIntervention, link?: TraceCarrier): unknown {
    return this.#run("onPublish", message, (handler, current) =>
      handler.onPublish === undefined
        ? current
        : this.#traced(handler, link, () => handler.onPublish?.(current, details)),
    );
  }

  /** The same as `onSend`, for an answer. Answers have no span. */
  onResponse(message: unknown, details: ResponseIntervention): unknown {
    return this.#run("onResponse", message, (handler, current) =>
      handler.onResponse === undefined ? current : handler.onResponse(current, details),
    );
  }

  /** Returns the chunk to hand out, or `DropMessage`. Throws the error of a handler, and `wrong-state` for one that returns a promise. */
  onChunk(chunk: unknown, details: ResponseIntervention): unknown {
    const seen = this.#run("onChunk", chunk, (handler, current) => {
      if (handler.onChunk === undefined) return current;
      const next = handler.onChunk(current, details);
      if (!isThenable(next)) return next;
      next.then(undefined, () => undefined);
      const text = `Intervention handler ${handler.constructor.name} returned a promise from onChunk.`;
      throw new TroupeError(
        "wrong-state",
        `${text} Return the chunk itself: chunks keep their order, and do not wait.`,
      );
    });
    return seen;
  }

  #run(name: keyof InterventionHandler, message: unknown, step: Step): unknown {
    let current = message;
    for (const [index, handler] of this.#handlers.entries()) {
      const next = step(handler, current);
      if (isThenable(next)) return this.#runLater(name, this.#handlers.slice(index), { current, next, step });
      current = this.#outcome(name, handler, current, next);
      if (current === DropMessage) return DropMessage;
    }
    return current;
  }

  /** Runs the rest of the chain, from the first handler that returned a promise. */
  async #runLater(
    name: keyof InterventionHandler,
    [first, ...others]: readonly InterventionHandler[],
    { current, next, step }: { readonly current: unknown; readonly next: PromiseLike<unknown>; readonly step: Step },
  ): Promise<unknown> {
    let latest = this.#outcome(name, first, current, await next);
    for (const handler of others) {
      if (latest === DropMessage) return DropMessage;
      latest = this.#outcome(name, handler, latest, await step(handler, latest));
    }
    return latest;
  }

  #outcome(
    name: keyof InterventionHandler,
    handler: InterventionHandler | undefined,
    current: unknown,
    next: unknown,
  ): unknown {
    if (next instanceof DropMessage || isClass(next, "DropMessage")) return DropMessage;
    if (next !== undefined && next !== null) return next;
    if (handler !== undefined && current !== undefined && current !== null) this.#warn(handler, name);
    return current;
  }

  #traced(handler: InterventionHandler, link: TraceCarrier | undefined, body: () => unknown): unknown {
    if (this.#tracing === undefined) return body();
    return this.#tracing.span("intercept", { destination: handler.constructor.name, link }, body);
  }

  #warn(handler: InterventionHandler, name: keyof InterventionHandler): void {
    this.#logger?.warn(
      `Intervention handler ${handler.constructor.name} returned nothing from ${name}: the message is unchanged. ` +
        "Return the message, or DropMessage to drop it.",
    );
  }
}
