import type { AgentId } from "./agents/agent-id.ts";
import type { MessageContext } from "./agents/message-context.ts";
import type { Logger } from "./logger.ts";
import { isThenable } from "./thenable.ts";
import type { TraceCarrier, Tracing } from "./tracing.ts";

/** What an intervention returns, the class or an instance, to drop the message. */
export class DropMessage {
  /** Keeps structurally empty objects from being taken for it. */
  readonly dropsMessage = true;
}

export interface SendIntervention {
  readonly messageContext: MessageContext;
  readonly recipient: AgentId;
}

export interface PublishIntervention {
  /** Names the topic. */
  readonly messageContext: MessageContext;
}

export interface ResponseIntervention {
  /** The agent that answers. */
  readonly sender: AgentId;
  /** The one that asked; undefined when it was no agent. */
  readonly recipient: AgentId | undefined;
}

// protocol.md §5.7
/**
 * Sees messages on their way out of a runtime; may change, drop or refuse them. Each method returns the message to go on with, or
 * `DropMessage`, or a promise of either. An error that it throws goes to the caller; an event is logged and dropped. Several handlers form
 * a chain: each sees what the one before returned. Handlers that return no promise keep the order of the messages; while a
 * promise is awaited, other messages overtake. For code around handlers see `HandlerInterceptor`.
 */
export interface InterventionHandler {
  onSend?(message: unknown, details: SendIntervention): unknown;
  onPublish?(message: unknown, details: PublishIntervention): unknown;
  onResponse?(message: unknown, details: ResponseIntervention): unknown;
}

/** Lets everything through: a base for classes that override some methods (AutoGen's name). */
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
}

type Step = (handler: InterventionHandler, current: unknown) => unknown;

/** All the interventions of a runtime as one chain. Every runtime uses it. */
export class InterventionChain {
  readonly #handlers: readonly InterventionHandler[];
  readonly #tracing: Tracing | undefined;
  readonly #logger: Logger | undefined;
  /** Whether anybody listens at all; where not, callers skip the chain. */
  readonly seesSend: boolean;
  readonly seesPublish: boolean;
  readonly seesResponse: boolean;

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
  }

  /**
   * The message to deliver, or `DropMessage`; throws what a handler throws. A promise of it only where a handler takes its
   * time. `link`: the message's trace context.
   */
  onSend(message: unknown, details: SendIntervention, link?: TraceCarrier): unknown {
    return this.#run("onSend", message, (handler, current) =>
      handler.onSend === undefined ? current : this.#traced(handler, link, () => handler.onSend?.(current, details)),
    );
  }

  /** As `onSend`, for an event. */
  onPublish(message: unknown, details: PublishIntervention, link?: TraceCarrier): unknown {
    return this.#run("onPublish", message, (handler, current) =>
      handler.onPublish === undefined
        ? current
        : this.#traced(handler, link, () => handler.onPublish?.(current, details)),
    );
  }

  /** As `onSend`, for an answer; these have no span. */
  onResponse(message: unknown, details: ResponseIntervention): unknown {
    return this.#run("onResponse", message, (handler, current) =>
      handler.onResponse === undefined ? current : handler.onResponse(current, details),
    );
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

  /** From the first handler that takes its time on. */
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
    if (next === DropMessage || next instanceof DropMessage) return DropMessage;
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
