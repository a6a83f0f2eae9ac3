import {
  type AgentRuntime,
  BaseAgent,
  errorText,
  type MakeId,
  type MessageContext,
  type RuntimeLog,
  TroupeError,
  TypeSubscription,
} from "../core/internal.ts";

/** Reads the events of one topic. */
export interface TopicReader {
  /** Takes the text of an event. It must not throw. */
  take(text: string): void;
}

export interface TopicFeedParts {
  readonly makeId: MakeId;
  readonly log: RuntimeLog;
  /** Returns an event as its readers see it. Undefined: they do not see it. */
  readonly format: (topicType: string, message: unknown) => string | undefined;
}

/** Milliseconds for which the agent of a quiet topic lives: each source of a topic has one. */
const idleAfterMs = 1_000;
const mostLive = 1_000;

/**
 * Subscribes readers to topics. The first reader of a topic type registers an agent type of the gateway's own, and its subscription. The subscription
 * stays until the gateway closes, because registering takes a way to the host and back.
 */
export class TopicFeed {
  readonly #runtime: AgentRuntime;
  readonly #parts: TopicFeedParts;
  readonly #agentType: string;
  readonly #readers = new Map<string, Set<TopicReader>>();
  readonly #subscribed = new Map<string, Promise<TypeSubscription>>();
  #registered: Promise<unknown> | undefined;

  constructor(runtime: AgentRuntime, parts: TopicFeedParts) {
    this.#runtime = runtime;
    this.#parts = parts;
    this.#agentType = `web-${parts.makeId()}`;
  }

  /** Adds a reader. Resolves to the function that removes it, when events come. */
  async subscribe(topic: { readonly type: string; readonly source: string }, reader: TopicReader): Promise<() => void> {
    await this.#subscribe(topic.type);
    const name = nameOf(topic.type, topic.source);
    const readers = this.#readers.get(name) ?? new Set();
    this.#readers.set(name, readers.add(reader));
    return () => {
      readers.delete(reader);
      if (readers.size === 0 && this.#readers.get(name) === readers) this.#readers.delete(name);
    };
  }

  /** Ends the subscriptions. */
  async close(): Promise<void> {
    const subscribed = [...this.#subscribed.values()];
    this.#subscribed.clear();
    for (const subscription of subscribed) {
      try {
        await this.#runtime.removeSubscription((await subscription).id);
      } catch (error) {
        // The runtime may have ended before its gateway.
        this.#parts.log.debug("a subscription of the web was not removed", { reason: errorText(error) });
      }
    }
  }

  async #subscribe(topicType: string): Promise<void> {
    let subscribed = this.#subscribed.get(topicType);
    if (subscribed === undefined) {
      subscribed = this.#addSubscription(topicType);
      this.#subscribed.set(topicType, subscribed);
      // The next reader tries again.
      subscribed.catch(() => this.#subscribed.delete(topicType));
    }
    await subscribed;
  }

  async #addSubscription(topicType: string): Promise<TypeSubscription> {
    this.#registered ??= this.#register();
    await this.#registered;
    const subscription = new TypeSubscription(topicType, this.#agentType);
    await this.#runtime.addSubscription(subscription);
    return subscription;
  }

  async #register(): Promise<void> {
    try {
      const take = (message: unknown, { topicId }: MessageContext): void => {
        if (topicId === undefined) throw new TroupeError("not-authorized", "This agent takes events alone.");
        const readers = this.#readers.get(nameOf(topicId.type, topicId.source));
        if (readers === undefined) return;
        const text = this.#parts.format(topicId.type, message);
        if (text !== undefined) for (const reader of readers) reader.take(text);
      };
      const options = { idleAfterMs, maxLive: mostLive };
      await this.#runtime.registerFactory(this.#agentType, () => new FeedAgent(take), options);
    } catch (error) {
      this.#registered = undefined;
      throw error;
    }
  }
}

class FeedAgent extends BaseAgent {
  readonly #take: (message: unknown, context: MessageContext) => void;

  constructor(take: (message: unknown, context: MessageContext) => void) {
    super("passes events on to the web");
    this.#take = take;
  }

  protected override onMessageImpl(message: unknown, context: MessageContext): undefined {
    this.#take(message, context);
  }

  override saveState(): Record<string, never> {
    return {};
  }

  override loadState(): void {}
}

/** A type has no slash. */
function nameOf(type: string, source: string): string {
  return `${type}/${source}`;
}
