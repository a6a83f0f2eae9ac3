import {
  type Agent,
  type AgentId,
  errorText,
  HandlerContext,
  handleMessage,
  isThenable,
  type TopicId,
} from "../../core/internal.ts";
import { fromWireAgentId, fromWireSender, fromWireTopic, type WireEvent } from "../../protocol/internal.ts";
import type { WorkerParts } from "../worker-parts.ts";
import type { Work } from "./in-flight.ts";
import { RecentIds } from "./recent-ids.ts";
import { withoutContent } from "./without-content.ts";

interface OpenedEvent {
  readonly message: unknown;
  readonly topicId: TopicId;
  readonly sender: AgentId | undefined;
  readonly wire: WireEvent;
}

/** Hands events to the agents that this worker's own subscriptions name: each once, never the sender, each on its own (§3.3, W11, W12). */
export class EventDelivery {
  readonly #parts: WorkerParts;
  readonly #elsewhere: ReadonlySet<string>;
  readonly #recent: RecentIds | undefined;

  /** `elsewhere`: agent types registered here that another worker serves by now; the events for them go there. */
  constructor(parts: WorkerParts, elsewhere: ReadonlySet<string>) {
    this.#parts = parts;
    this.#elsewhere = elsewhere;
    const { rememberedEvents } = parts.settings;
    this.#recent = rememberedEvents > 0 ? new RecentIds(rememberedEvents) : undefined;
  }

  /** Never throws: an event that can't be read is counted, logged and dropped. */
  deliver(wire: WireEvent): void {
    let recipients: readonly AgentId[];
    let event: OpenedEvent;
    try {
      const topicId = fromWireTopic(wire.topicType, wire.topicSource);
      const sender = this.#sender(wire);
      recipients = this.#parts.subscriptions.recipients(topicId).filter((id) => !id.equals(sender));
      if (this.#elsewhere.size > 0) recipients = recipients.filter(({ type }) => !this.#elsewhere.has(type));
      if (recipients.length === 0) return;
      // An event without an id is like no other.
      if (this.#recent !== undefined && wire.id !== "" && this.#recent.see(wire.id)) {
        this.#parts.counts.duplicateEvents += 1;
        return;
      }
      const { typeName, contentType, data } = wire.payload;
      event = { message: this.#parts.registry.decode(typeName, contentType, data), topicId, sender, wire };
    } catch (error) {
      this.#parts.counts.unreadableEvents += 1;
      const name = `${wire.payload.typeName} on ${wire.topicType}/${wire.topicSource}`;
      this.#parts.settings.logger.warn(`An event (${name}) was dropped: ${errorText(error)}`, {
        error: withoutContent(error),
      });
      return;
    }
    for (const recipient of recipients) this.#take(recipient, event);
  }

  #sender(wire: WireEvent): AgentId | undefined {
    if (!this.#parts.settings.exposeUnknownSender) return fromWireSender(wire.sender);
    return wire.sender === undefined ? undefined : fromWireAgentId(wire.sender);
  }

  /** Delivers to one agent, once there is a slot for its handler. */
  #take(recipient: AgentId, event: OpenedEvent): void {
    const { slots, work, catalog } = this.#parts;
    const { topicId, sender, wire } = event;
    const context = new HandlerContext({
      sender,
      topicId,
      isRpc: isRpcTopic(topicId.type),
      messageId: wire.id,
      agentId: recipient,
      runtime: catalog.runtime,
      sentMetadata: wire.attributes,
    });
    const delivery = new Delivery(context);
    work.add(delivery);
    if (slots.hasFree) this.#run(recipient, event, delivery);
    else this.#park(recipient, event, delivery);
  }

  #park(recipient: AgentId, event: OpenedEvent, delivery: Delivery): void {
    const { slots, work, counts } = this.#parts;
    const parked = {
      bytes: event.wire.payload.data.length,
      run: () => {
        delivery.onGivenUp = undefined;
        this.#run(recipient, event, delivery);
      },
    };
    delivery.onGivenUp = () => {
      slots.withdraw(parked);
      work.delete(delivery);
      counts.eventsAfterStop += 1;
    };
    slots.park(parked);
  }

  #run(recipient: AgentId, event: OpenedEvent, delivery: Delivery): void {
    this.#parts.slots.begin();
    try {
      const handled = this.#handle(recipient, event, delivery.context);
      if (isThenable(handled)) {
        handled.then(
          () => this.#end(delivery),
          (error) => this.#fail(recipient, event, { delivery, error }),
        );
        return;
      }
    } catch (error) {
      return this.#fail(recipient, event, { delivery, error });
    }
    this.#end(delivery);
  }

  #end(delivery: Delivery): void {
    delivery.context.release();
    this.#parts.work.delete(delivery);
    this.#parts.slots.end();
  }

  #fail(
    recipient: AgentId,
    { topicId }: OpenedEvent,
    { delivery, error }: { readonly delivery: Delivery; readonly error: unknown },
  ): void {
    this.#parts.counts.failedEventHandlers += 1;
    this.#parts.settings.logger.error(`${recipient} failed on an event from ${topicId}: ${errorText(error)}`, {
      error: withoutContent(error),
    });
    this.#end(delivery);
  }

  /** A promise of the handler's end, or nothing once it has ended. */
  #handle(recipient: AgentId, event: OpenedEvent, context: HandlerContext): unknown {
    const { catalog, settings } = this.#parts;
    const begin = () => {
      const agent = catalog.agentFor(recipient);
      if (agent instanceof Promise) return agent.then((made) => this.#give(made, recipient, event, context));
      return this.#give(agent, recipient, event, context);
    };
    if (settings.tracing === undefined) return begin();
    const { attributes, payload } = event.wire;
    const details = { destination: recipient, link: attributes, messageType: payload.typeName };
    return settings.tracing.span("process", details, async () => begin());
  }

  #give(agent: Agent, recipient: AgentId, { message, sender }: OpenedEvent, context: HandlerContext): unknown {
    const { log, mailboxes, settings } = this.#parts;
    log?.message("MessageKind.PUBLISH", "DeliveryStage.DELIVER", { message, sender, receiver: undefined });
    const options = { ambient: settings.ambient, mailboxes };
    if (log === undefined) return handleMessage(agent, message, context, options);
    return noting(
      () => handleMessage(agent, message, context, options),
      (error) => log.handlerException(message, recipient, error),
    );
  }
}

/** Runs it, and tells what it throws or rejects with before that goes on. */
async function noting(body: () => unknown, onError: (error: unknown) => void): Promise<unknown> {
  try {
    return await body();
  } catch (error) {
    onError(error);
    throw error;
  }
}

/** One event on its way to one agent. */
class Delivery implements Work {
  workSlot = 0;
  readonly context: HandlerContext;
  /** While it is parked. */
  onGivenUp: (() => void) | undefined;

  constructor(context: HandlerContext) {
    this.context = context;
  }

  abandon(reason: Error): void {
    this.onGivenUp?.();
    this.context.abort(reason);
  }
}

/** Topic types whose part after the first `:` asks for an answer: handled by `rpc` handlers, never answered (protocol.md §3.4). */
function isRpcTopic(topicType: string): boolean {
  const colon = topicType.indexOf(":");
  if (colon < 0) return false;
  const suffix = topicType.slice(colon + 1);
  return suffix === "rpc_request" || suffix.startsWith("rpc_request=");
}
