import type { Agent } from "../agents/agent.ts";
import { namingHandler } from "../agents/wrong-result.ts";
import { errorText, TroupeError } from "../errors.ts";
import type { RuntimeLog } from "../limited-log.ts";
import type { RunDesk } from "../runs/run-desk.ts";
import { isRunMessage, type RunMessage } from "../runs/run-messages.ts";
import { messageTypeText } from "../serialization/message-index.ts";
import { isThenable } from "../thenable.ts";
import type { SpanDetails, Tracing } from "../tracing.ts";
import { ActivationGone } from "./activations/activation-gone.ts";
import type { AgentCatalog } from "./activations/agent-catalog.ts";
import { type Delivery, type Handle, inActivation, type Layer, withLayers } from "./layers.ts";
import { loggableError, loggableText } from "./loggable.ts";
import type { MessageLog } from "./message-log.ts";
import { isLeaseMissed } from "./turn-lease.ts";

export interface DispatcherOptions {
  readonly catalog: AgentCatalog;
  readonly logger: RuntimeLog;
  /** Set only if the runtime has a sink for message-log records. */
  readonly log: MessageLog | undefined;
  readonly tracing: Tracing | undefined;
  /** The layers around each handler, inside its span and its turn; the outermost comes first. */
  readonly layers: readonly Layer[];
  /** Layers around those, for agents that have turns or a state. Default: none. */
  readonly stateLayers?: readonly Layer[] | undefined;
  /** Answers the messages of runs. */
  readonly runs: RunDesk;
}

/** The runtime's part in one kind of deliveries. The dispatcher calls `answered` or `failed` once for each; neither throws. */
export interface DeliveryOwner<D extends Delivery> {
  /** Returns the details of the span `process`. Called only if the runtime records spans. */
  spanDetails(delivery: D): SpanDetails;
  /** Called when the span has begun and is the active one. */
  onSpan?(delivery: D): void;
  /** Called when the handler has ended with this answer. Ignore the answer of an event's handler. */
  answered(delivery: D, answer: unknown): void;
  /** Called when there is no agent, or its handler failed with this error. The dispatcher has logged the error. */
  failed(delivery: D, error: unknown): void;
  /**
   * Called in place of `failed` when the message had no turn at a sequential agent, so that no handler has seen it. Too many messages
   * waited (`overloaded`), or it was given up while it waited. Default: `failed`.
   */
  refused?(delivery: D, error: unknown): void;
}

/**
 * The only way to an agent, in every runtime. It writes the message-log record, gets the agent, opens the span and runs the
 * layers with the handler. Then it logs a failure and releases the handler's context. Runtimes queue before it and reply after
 * it. The order is AutoGen's.
 */
// protocol.md §5.8
export class Dispatcher {
  readonly #catalog: AgentCatalog;
  readonly #logger: RuntimeLog;
  readonly #log: MessageLog | undefined;
  readonly #tracing: Tracing | undefined;
  readonly #layers: readonly Layer[];
  readonly #stateLayers: readonly Layer[];
  readonly #runs: RunDesk;
  #handle: Handle;
  /** The same for agents of sequential types, and of types whose live agents are limited. */
  #handleInActivation: Handle;

  /** Messages that were given to a second activation, since their first one had ended. */
  readonly #repeated = new WeakSet<Delivery>();

  constructor({ catalog, logger, log, tracing, layers, stateLayers = [], runs }: DispatcherOptions) {
    this.#catalog = catalog;
    this.#logger = logger;
    this.#log = log;
    this.#tracing = tracing;
    this.#layers = layers;
    this.#runs = runs;
    this.#stateLayers = stateLayers;
    this.#handle = withLayers(layers);
    this.#handleInActivation = inActivation(catalog, withLayers([...stateLayers, ...layers]));
  }

  /** From now on no handler begins but in this layer. Undefined: no lease is needed any more. */
  underLease(layer: Layer | undefined): void {
    const inLease = layer === undefined ? [] : [layer];
    const all = withLayers([...inLease, ...this.#stateLayers, ...this.#layers]);
    this.#handleInActivation = inActivation(this.#catalog, all);
    this.#handle = layer === undefined ? withLayers(this.#layers) : this.#handleInActivation;
  }

  /** Delivers a message. Returns undefined if the delivery has ended, else a promise of its end. Never throws or rejects. */
  deliver<D extends Delivery>(delivery: D, owner: DeliveryOwner<D>): Promise<void> | undefined {
    let found: Agent | Promise<Agent>;
    // An event goes to the agent, also that of a topic for calls. A principal that may publish need not be one that may call.
    const { message, context } = delivery;
    if (isRunMessage(message) && context.topicId === undefined) return this.#answerForRuns(delivery, message, owner);
    try {
      if (this.#log !== undefined) logDelivery(this.#log, delivery);
      found = this.#catalog.agentFor(delivery.agentId);
    } catch (error) {
      return this.#failWithoutAgent(delivery, owner, error);
    }
    return found instanceof Promise ? this.#giveLater(found, delivery, owner) : this.#give(found, delivery, owner);
  }

  /** The runtime answers in place of the agent: without a turn and a slot. An error is the caller's alone. */
  async #answerForRuns<D extends Delivery>(delivery: D, message: RunMessage, owner: DeliveryOwner<D>): Promise<void> {
    let answer: unknown;
    try {
      answer = await this.#runs.answer(delivery, message);
    } catch (error) {
      delivery.context.release();
      owner.failed(delivery, error);
      return;
    }
    delivery.context.release();
    owner.answered(delivery, answer);
  }

  async #giveLater<D extends Delivery>(found: Promise<Agent>, delivery: D, owner: DeliveryOwner<D>): Promise<void> {
    let agent: Agent;
    try {
      agent = await found;
    } catch (error) {
      this.#failWithoutAgent(delivery, owner, error);
      return;
    }
    const { context } = delivery;
    const { withheld } = context;
    if (withheld === undefined) {
      return this.#catalog.isDropped(agent) ? this.#giveNext(delivery, owner) : this.#give(agent, delivery, owner);
    }
    // The run has ended while the agent was being made: the handler would reach into the next one. Or its message was withdrawn.
    context.release();
    owner.failed(delivery, withheld.reason);
  }

  /** Runs the handler. It makes no closure and no promise for a handler that answers at once. */
  #give<D extends Delivery>(agent: Agent, delivery: D, owner: DeliveryOwner<D>): Promise<void> | undefined {
    let answer: unknown;
    delivery.context.isAtAgent = true;
    this.#catalog.senders.listHandler(agent, delivery);
    try {
      const isPlain = this.#catalog.isPlain && delivery.context.path.length === 0;
      const handle = isPlain ? this.#handle : this.#handleInActivation;
      answer = this.#tracing === undefined ? handle(agent, delivery) : this.#trace(agent, delivery, owner, handle);
    } catch (error) {
      return this.#fail(delivery, owner, error);
    }
    if (isThenable(answer)) return this.#settle(answer, delivery, owner);
    delivery.context.release();
    owner.answered(delivery, answer);
    return undefined;
  }

  async #settle<D extends Delivery>(
    pending: PromiseLike<unknown>,
    delivery: D,
    owner: DeliveryOwner<D>,
  ): Promise<void> {
    let answer: unknown;
    try {
      answer = await pending;
    } catch (error) {
      await this.#fail(delivery, owner, error);
      return;
    }
    delivery.context.release();
    owner.answered(delivery, answer);
  }

  #trace<D extends Delivery>(agent: Agent, delivery: D, owner: DeliveryOwner<D>, handle: Handle): unknown {
    return this.#tracing?.span("process", owner.spanDetails(delivery), () => {
      owner.onSpan?.(delivery);
      const answer = handle(agent, delivery);
      // A span waits for native promises only, not for those of a library.
      return isThenable(answer) && !(answer instanceof Promise) ? Promise.resolve(answer) : answer;
    });
  }

  #fail<D extends Delivery>(delivery: D, owner: DeliveryOwner<D>, thrown: unknown): Promise<void> | undefined {
    if (delivery.context.isWaiting || delivery.context.isWithdrawn) return this.#refuse(delivery, owner, thrown);
    if (ActivationGone.is(thrown)) return this.#repeat(delivery, owner, thrown);
    const error = namingHandler(thrown, delivery.agentId, delivery.message);
    this.#record(delivery, error);
    this.#tell(delivery, error);
    delivery.context.release();
    owner.failed(delivery, error);
    return undefined;
  }

  /** Gives the message to the next activation of the agent. A message that a handler has seen is given once more only. */
  #repeat<D extends Delivery>(delivery: D, owner: DeliveryOwner<D>, gone: ActivationGone): Promise<void> | undefined {
    if (delivery.giveBack !== undefined) return this.#giveBack(delivery, owner, gone);
    if (gone.isHandled) {
      if (this.#repeated.has(delivery)) return this.#fail(delivery, owner, gone.error);
      this.#repeated.add(delivery);
    }
    return this.#giveNext(delivery, owner);
  }

  /** The host decides where the next activation of the agent is: it gets the message back. */
  #giveBack<D extends Delivery>(delivery: D, owner: DeliveryOwner<D>, gone: ActivationGone): undefined {
    if (delivery.giveBack?.(gone.isHandled ? "conflict" : "leaving") !== true) this.#tell(delivery, gone.error);
    delivery.context.release();
    owner.failed(delivery, gone.error);
    return undefined;
  }

  /** Gives the message to the agent's next activation. */
  #giveNext<D extends Delivery>(delivery: D, owner: DeliveryOwner<D>): Promise<void> | undefined {
    let found: Agent | Promise<Agent>;
    try {
      found = this.#catalog.agentFor(delivery.agentId);
    } catch (error) {
      return this.#failWithoutAgent(delivery, owner, error);
    }
    return this.#giveLater(Promise.resolve(found), delivery, owner);
  }

  /** Ends a delivery that had no turn. A call's owner tells its caller; an event that found no place is logged. */
  #refuse<D extends Delivery>(delivery: D, owner: DeliveryOwner<D>, error: unknown): undefined {
    const { context, agentId, message } = delivery;
    const isEvent = context.topicId !== undefined && !context.isOfCourier;
    if (isEvent && error instanceof TroupeError && error.code === "overloaded") {
      const text = `An event for ${agentId} (${messageTypeText(message)}) was dropped: ${error.message}`;
      this.#logger.warn(loggableText(text), undefined, `An event for ${agentId.type} was dropped`);
    }
    context.release();
    if (owner.refused === undefined) owner.failed(delivery, error);
    else owner.refused(delivery, error);
    return undefined;
  }

  /** Ends a delivery without an agent. As in AutoGen, a call gets the record of a failed handler and an event does not. */
  #failWithoutAgent<D extends Delivery>(delivery: D, owner: DeliveryOwner<D>, error: unknown): undefined {
    if (isLeaseMissed(error)) return this.#giveBackUnbegun(delivery, owner, error);
    const { agentId, context } = delivery;
    if (context.topicId === undefined) this.#record(delivery, error);
    // The catalog has logged the error of its factory.
    if (!this.#catalog.hasType(agentId.type)) this.#tell(delivery, error);
    context.release();
    owner.failed(delivery, error);
    return undefined;
  }

  /** The runtime had no lease under which the agent could be made. */
  #giveBackUnbegun<D extends Delivery>(delivery: D, owner: DeliveryOwner<D>, error: unknown): undefined {
    delivery.giveBack?.("no-lease");
    return this.#refuse(delivery, owner, error);
  }

  #record({ message, agentId }: Delivery, error: unknown): void {
    try {
      this.#log?.handlerException(message, agentId, error);
    } catch {
      // An observer that throws must not keep the outcome from the caller.
    }
  }

  /** Logs the failure of a handler in the process where it ran: once, for calls and for events. */
  #tell(delivery: Delivery, error: unknown): void {
    const { agentId, message, context } = delivery;
    const messageType = messageTypeText(message);
    const what = context.topicId === undefined ? "a call" : `an event from ${context.topicId}`;
    const fields = { agent: loggableText(agentId.toString()), messageType: loggableText(messageType) };
    try {
      if (isEndOfAborted(delivery, error)) {
        this.#logger.debug(
          loggableText(`${agentId} ended ${what} (${messageType}): ${errorText(error)}`),
          fields,
          `A handler of ${agentId.type} ended`,
        );
        return;
      }
      const head = loggableText(`${agentId} failed on ${what} (${messageType})`);
      const shown = loggableError(isError(error) ? error : TroupeError.from(error));
      this.#logger.error(
        `${head}: ${loggableText(errorText(error))}`,
        { ...fields, error: shown },
        `A handler of ${agentId.type} failed`,
      );
    } catch {
      // As above: a logger that throws.
    }
  }
}

function logDelivery(log: MessageLog, { message, agentId, context }: Delivery): void {
  const { sender, topicId } = context;
  if (topicId !== undefined)
    log.message("MessageKind.PUBLISH", "DeliveryStage.DELIVER", { message, sender, receiver: undefined });
  else log.message("MessageKind.DIRECT", "DeliveryStage.DELIVER", { message, sender, receiver: agentId });
}

/** Returns whether a handler ended because its signal aborted. No caller waits for the outcome, so it does not count as a failure. */
function isEndOfAborted({ context }: Delivery, error: unknown): boolean {
  if (!isError(error)) return false;
  const isOfAbort = error.name === "AbortError" || (error instanceof TroupeError && abortCodes.has(error.code));
  return isOfAbort && context.signal.aborted;
}

/** As `instanceof Error`, also for a proxy whose traps throw. */
function isError(thrown: unknown): thrown is Error {
  try {
    return thrown instanceof Error;
  } catch {
    return false;
  }
}

const abortCodes: ReadonlySet<string> = new Set(["cancelled", "timed-out", "caller-gone", "shutting-down"]);
