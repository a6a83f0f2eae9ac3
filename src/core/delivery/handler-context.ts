import type { AgentId } from "../agent-id.ts";
import type { MessageContext } from "../message-context.ts";
import type { TopicId } from "../topic-id.ts";

export interface HandlerContextDetails {
  readonly sender: AgentId | undefined;
  /** Set for events only. */
  readonly topicId: TopicId | undefined;
  readonly isRpc: boolean;
  readonly messageId: string;
  /** The caller's own signal, if it is in this process: the handler's follows it. */
  readonly signal?: AbortSignal | undefined;
}

/** The context a runtime hands to a handler. An `AbortController` costs microseconds on Node 20: made on first use. */
export class HandlerContext implements MessageContext {
  readonly sender: AgentId | undefined;
  readonly topicId: TopicId | undefined;
  readonly isRpc: boolean;
  readonly messageId: string;
  readonly #callerSignal: AbortSignal | undefined;
  #controller: AbortController | undefined;
  #aborted: { readonly reason: unknown } | undefined;
  #stopFollowing: (() => void) | undefined;
  #isReleased = false;

  constructor(details: HandlerContextDetails) {
    this.sender = details.sender;
    this.topicId = details.topicId;
    this.isRpc = details.isRpc;
    this.messageId = details.messageId;
    this.#callerSignal = details.signal;
  }

  get signal(): AbortSignal {
    this.#controller ??= this.#makeController();
    return this.#controller.signal;
  }

  /** Tells the handler that its work is no longer wanted; the first reason stands. */
  abort(reason: unknown): void {
    if (this.#aborted !== undefined) return;
    this.#aborted = { reason };
    this.release();
    this.#controller?.abort(reason);
  }

  /** The handler has ended: lets go of the caller's signal. Whatever it aborts later is not passed on. */
  release(): void {
    this.#isReleased = true;
    this.#stopFollowing?.();
    this.#stopFollowing = undefined;
  }

  #makeController(): AbortController {
    const controller = new AbortController();
    const caller = this.#callerSignal;
    if (this.#aborted !== undefined) controller.abort(this.#aborted.reason);
    else if (caller?.aborted) controller.abort(caller.reason);
    else if (caller !== undefined && !this.#isReleased) {
      const follow = () => this.abort(caller.reason);
      caller.addEventListener("abort", follow);
      this.#stopFollowing = () => caller.removeEventListener("abort", follow);
    }
    return controller;
  }
}
