import type { AgentId } from "../agents/agent-id.ts";
import type { MessageContext } from "../agents/message-context.ts";
import { longestTimerMs, type MakeId, type Timer } from "../clock.ts";
import { TimedOutError } from "../errors.ts";
import type { TopicId } from "../topics/topic-id.ts";
import { abortError } from "./call-bounds.ts";
import { type Deadline, remainingMs, setDeadline } from "./deadline.ts";

export interface HandlerContextDetails {
  readonly sender: AgentId | undefined;
  /** Set for events only. */
  readonly topicId: TopicId | undefined;
  readonly isRpc: boolean;
  /** Or what makes one, once it is asked for: a random id takes a tenth of the time of a call in process. */
  readonly messageId: string | MakeId;
  /** The caller's own signal, if it is in this process: the handler's follows it. */
  readonly signal?: AbortSignal | undefined;
  /** When the caller stops waiting, if it said so: the signal aborts then, and calls made with it inherit what is left. */
  readonly deadline?: Deadline | undefined;
  /** The caller is in this process and aborts this at the deadline itself, once it has its outcome. Default false. */
  readonly isDeadlineWatched?: boolean;
}

/** The context a runtime hands to a handler. An `AbortController` costs microseconds on Node 20: made on first use, as its timer. */
export class HandlerContext implements MessageContext {
  readonly sender: AgentId | undefined;
  readonly topicId: TopicId | undefined;
  readonly isRpc: boolean;
  #messageId: string | MakeId;
  readonly #callerSignal: AbortSignal | undefined;
  readonly #deadline: Deadline | undefined;
  readonly #watchesDeadline: boolean;
  #controller: AbortController | undefined;
  #aborted: { readonly reason: unknown } | undefined;
  #stopFollowing: (() => void) | undefined;
  #isReleased = false;

  constructor(details: HandlerContextDetails) {
    this.sender = details.sender;
    this.topicId = details.topicId;
    this.isRpc = details.isRpc;
    this.#messageId = details.messageId;
    this.#callerSignal = details.signal;
    this.#deadline = details.deadline;
    this.#watchesDeadline = details.isDeadlineWatched !== true;
  }

  get messageId(): string {
    if (typeof this.#messageId === "function") this.#messageId = this.#messageId();
    return this.#messageId;
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

  /** The handler has ended: lets go of the caller's signal and of the deadline. Whatever it aborts later is not passed on. */
  release(): void {
    this.#isReleased = true;
    this.#stopFollowing?.();
    this.#stopFollowing = undefined;
  }

  #makeController(): AbortController {
    const controller = new AbortController();
    if (this.#callerSignal?.aborted) this.abort(abortError(this.#callerSignal));
    else if (!this.#isReleased && this.#isTimeUp()) this.abort(timeIsUp());
    if (this.#aborted !== undefined) controller.abort(this.#aborted.reason);
    else if (!this.#isReleased) this.#follow(controller.signal);
    return controller;
  }

  #isTimeUp(): boolean {
    return this.#watchesDeadline && this.#deadline !== undefined && remainingMs(this.#deadline) === 0;
  }

  #follow(signal: AbortSignal): void {
    const caller = this.#callerSignal;
    const onCallerAborts = () => caller !== undefined && this.abort(abortError(caller));
    caller?.addEventListener("abort", onCallerAborts);
    const timer = this.#armDeadline();
    if (this.#deadline !== undefined) setDeadline(signal, this.#deadline);
    this.#stopFollowing = () => {
      caller?.removeEventListener("abort", onCallerAborts);
      timer?.cancel();
      setDeadline(signal, undefined);
    };
  }

  #armDeadline(): Timer | undefined {
    if (this.#deadline === undefined || !this.#watchesDeadline) return undefined;
    const leftMs = remainingMs(this.#deadline);
    if (leftMs > longestTimerMs) return undefined;
    return this.#deadline.clock.setTimer(leftMs, () => this.abort(timeIsUp()));
  }
}

function timeIsUp(): TimedOutError {
  return new TimedOutError("The caller's time is up: nobody waits for the answer any more.");
}
