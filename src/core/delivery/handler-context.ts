import type { AgentRuntime } from "../agent-runtime.ts";
import type { AgentId } from "../agents/agent-id.ts";
import type { MessageContext } from "../agents/message-context.ts";
import { longestTimerMs, type MakeId } from "../clock.ts";
import type { ReminderTickInfo } from "../courier/reminders/when.ts";
import { TimedOutError, TroupeError, UndeliverableException } from "../errors.ts";
import { followAbort, unfollowAbort } from "../follow-abort.ts";
import { type CallPath, noPath, type OwnTurn, type PassingCall, pathVia, waitingTurns } from "../scope/call-path.ts";
import { type CallScope, dropScope, holdScope } from "../scope/call-scope.ts";
import type { Deadline } from "../scope/deadline.ts";
import { type CountingAgent, HandlerScope, type ScopeHandler } from "../scope/handler-scope.ts";
import { type ChunkSink, chunkSinkKey } from "../streaming/chunk-sink.ts";
import type { TopicId } from "../topics/topic-id.ts";
import { abortError } from "./calls/call-bounds.ts";
import { deadlineQueueOf, type Expiring, nowhere } from "./calls/deadline-queue.ts";
import type { KeptRunTurn } from "./kept-run-turn.ts";
import { type MessageMetadata, noMetadata, receivedMetadata } from "./message-metadata.ts";

export interface HandlerContextDetails {
  readonly sender: AgentId | undefined;
  /** The name of the principal that calls. Default: it is not known. */
  readonly principal?: string | undefined;
  /** Set for events only. */
  readonly topicId: TopicId | undefined;
  readonly isRpc: boolean;
  /** The id, or a function that makes one on first use. A random id takes a tenth of the time of a call in process. */
  readonly messageId: string | MakeId;
  /** The agent whose handler runs. Undefined for an intervention on the way out. */
  readonly agentId?: AgentId | undefined;
  /** The runtime in which the handler runs. */
  readonly runtime?: AgentRuntime | undefined;
  /** The caller's own signal, if the caller is in this process. The handler's signal follows it. */
  readonly signal?: AbortSignal | undefined;
  /** The caller's deadline, if it has one. The signal aborts then, and calls made with it inherit the time that is left. */
  readonly deadline?: Deadline | undefined;
  /** True: the caller is in this process and aborts this context itself when its time is up. Default: false. */
  readonly isDeadlineWatched?: boolean;
  /** The reminder that fires. */
  readonly reminder?: ReminderTickInfo | undefined;
  /** The turns that wait for this call. Default: none. */
  readonly path?: CallPath | undefined;
  /** Handlers of events and told messages that led to this message. Default: 0. */
  readonly depth?: number | undefined;
  /** Handlers that wait for this call, one for the other, as far as they are counted. Default: 0. */
  readonly above?: number | undefined;
  /** Whether this is a told message, whose sender does not wait. Default: false. */
  readonly isMail?: boolean | undefined;
  /** Takes the chunks of a streamed call. Default: no caller reads chunks. */
  readonly chunks?: ChunkSink | undefined;
  /** Metadata that the runtime has checked. */
  readonly metadata?: MessageMetadata | undefined;
  /** Metadata as a peer sent it: the context filters it when a handler asks. */
  readonly sentMetadata?: MessageMetadata | undefined;
}

/** The context that a runtime gives to a handler. The signal, the scope and the metadata of a peer are made on first use. */
export class HandlerContext implements MessageContext, ScopeHandler {
  readonly sender: AgentId | undefined;
  readonly principal: string | undefined;
  readonly topicId: TopicId | undefined;
  readonly isRpc: boolean;
  readonly reminder: ReminderTickInfo | undefined;
  readonly [chunkSinkKey]: ChunkSink | undefined;
  /** Whether the message waits for its turn: no handler has seen it yet. */
  isWaiting = false;
  /** Whether the message has reached its agent: it has a handler, or waits for its turn. */
  isAtAgent = false;
  /** Whether its handler has begun. Before that the message may wait for its agent, its turn, a slot or the agent's state. */
  hasBegun = false;
  /** Called once when the context aborts. Set while the message waits for its turn. */
  onAbort: ((reason: unknown) => void) | undefined;
  /** The turns that wait for this message. */
  readonly path: CallPath;
  /** The message's own turn at a sequential agent, when it has begun. The handler may still wait for a slot then. */
  turn: OwnTurn | undefined;
  #messageId: string | MakeId;
  /** The agent whose handler runs. */
  readonly agentId: AgentId | undefined;
  /** Handlers of events, told messages and given-up calls that led to this message; the handler of an event or a told message counts itself. */
  readonly depth: number;
  readonly above: number;
  counted: CountingAgent | undefined;
  /** Takes the handler off the list of those that run. Set while it is listed. */
  unlist: (() => void) | undefined;
  /** Whether its turn runs beside all others of a sequential agent. */
  isInterleaving = false;
  /** Whether the handler has ended. */
  hasEnded = false;
  /** Ends the turn before its answer leaves: the next turn may begin. Set at agents that run ahead of their commits. */
  endTurn: (() => void) | undefined;
  /** The run that this turn answers, if it is kept. */
  keptRun: KeptRunTurn | undefined;
  /** Called once when the handler has ended. Set while an activation waits for that. */
  onEnded: (() => void) | undefined;
  readonly #isOfCourier: boolean;
  readonly #runtime: AgentRuntime | undefined;
  readonly #deadline: Deadline | undefined;
  readonly #watchesDeadline: boolean;
  #metadata: MessageMetadata | undefined;
  #sentMetadata: MessageMetadata | undefined;
  #scope: CallScope | undefined;
  #callerSignal: AbortSignal | undefined;
  #controller: AbortController | undefined;
  #aborted: { readonly reason: unknown } | undefined;
  #stopFollowing: (() => void) | undefined;
  #isReleased = false;

  constructor(details: HandlerContextDetails) {
    this.sender = details.sender;
    this.principal = details.principal;
    this.topicId = details.topicId;
    this.isRpc = details.isRpc;
    this.reminder = details.reminder;
    this[chunkSinkKey] = details.chunks;
    this.#isOfCourier = details.reminder !== undefined || details.isMail === true;
    this.path = details.path ?? noPath;
    this.depth = (details.depth ?? 0) + (details.topicId !== undefined || details.isMail === true ? 1 : 0);
    this.above = details.above ?? 0;
    this.#messageId = details.messageId;
    this.agentId = details.agentId;
    this.#runtime = details.runtime;
    this.#deadline = details.deadline;
    this.#watchesDeadline = details.isDeadlineWatched !== true;
    this.#metadata = details.metadata;
    this.#sentMetadata = details.sentMetadata;
    this.#callerSignal = details.signal;
  }

  get messageId(): string {
    if (typeof this.#messageId === "function") this.#messageId = this.#messageId();
    return this.#messageId;
  }

  get isStreamed(): boolean {
    return this[chunkSinkKey] !== undefined;
  }

  /** Whether a chunk has left: the message can't be tried again. */
  get hasSentChunk(): boolean {
    return this[chunkSinkKey]?.hasSent === true;
  }

  get metadata(): MessageMetadata {
    if (this.#metadata !== undefined) return this.#metadata;
    this.#metadata = this.#sentMetadata === undefined ? noMetadata : receivedMetadata(this.#sentMetadata);
    this.#sentMetadata = undefined;
    return this.#metadata;
  }

  get deadline(): Deadline | undefined {
    return this.#deadline;
  }

  get scope(): CallScope {
    this.#scope ??= this.#makeScope();
    return this.#scope;
  }

  /**
   * The turns that wait for a call of this handler. If its caller has given it up, its own turn waits, and the one in which that is nested. If
   * the handler has ended, no turn waits for what its code still calls.
   */
  get callPath(): CallPath {
    if (this.hasEnded) return noPath;
    if (this.turn !== undefined) return waitingTurns([...this.path, this.turn]);
    return this.isAwaited ? this.#passedOn(waitingTurns(this.path)) : noPath;
  }

  /** As `depth`, for what the handler sends now: the handler of a call counts when its caller has given the call up. */
  get sentDepth(): number {
    const isOwnCall = this.topicId === undefined && !this.#isOfCourier;
    return isOwnCall && !this.isAwaited ? this.depth + 1 : this.depth;
  }

  /** Whether the caller still waits for the answer, as far as this runtime knows. */
  get isAwaited(): boolean {
    if (this.hasEnded || this.#aborted !== undefined) return false;
    return this.#callerSignal?.aborted !== true && !this.#isTimeUp();
  }

  /** Returns the path of this call as a handler without a turn passes it on. */
  #passedOn(path: CallPath): CallPath {
    return path.length === 0 ? path : pathVia(path, new HandlerInPath(this));
  }

  get signal(): AbortSignal {
    this.#controller ??= this.#makeController();
    return this.#controller.signal;
  }

  /** The reason of `abort` when the run of the runtime has ended; else undefined. A handler must not begin after that. */
  get runEnded(): UndeliverableException | undefined {
    const reason = this.#aborted?.reason;
    return reason instanceof UndeliverableException && reason.code === "shutting-down" ? reason : undefined;
  }

  /** The reason of `abort`, if the handler must not begin any more: the run has ended, or the message has no use. Else undefined. */
  get withheld(): { readonly reason: unknown } | undefined {
    if (this.#aborted === undefined) return undefined;
    return this.isWithdrawn || this.runEnded !== undefined ? this.#aborted : undefined;
  }

  /** Whether the courier delivers this message, and tries it again. */
  get isOfCourier(): boolean {
    return this.#isOfCourier;
  }

  // protocol.md §11.16
  /** Whether this is a tick or a told message that was given up before its handler began. Only the courier waits for these. */
  get isWithdrawn(): boolean {
    return this.#aborted !== undefined && this.#isOfCourier && !this.hasBegun;
  }

  /**
   * Tells the handler that its caller does not want its work any more. The first reason stands. Does nothing after `release`: the
   * handler has ended.
   */
  abort(reason: unknown): void {
    if (this.#aborted !== undefined || this.#isReleased) return;
    this.#aborted = { reason };
    this.#stopListening();
    this.#controller?.abort(reason);
    this.onAbort?.(reason);
  }

  /**
   * Releases the context when the handler has ended. From then on neither the caller's signal nor the deadline aborts it, even
   * if its signal is first read afterwards.
   */
  release(): void {
    this.#stopListening();
    this.hasEnded = true;
    this.unlist?.();
    this.counted?.end(this);
    this.counted = undefined;
    this.onEnded?.();
  }

  #stopListening(): void {
    if (this.#isReleased) return;
    this.#isReleased = true;
    const caller = this.#callerSignal;
    if (caller !== undefined) {
      this.#callerSignal = undefined;
      if (caller.aborted) this.#aborted ??= { reason: abortError(caller) };
    }
    this.#stopFollowing?.();
    this.#stopFollowing = undefined;
  }

  #makeScope(): CallScope {
    if (this.agentId === undefined || this.#runtime === undefined) {
      const text =
        "This message context belongs to no handler, so it has no scope. Only the context of a handler has one.";
      throw new TroupeError("wrong-state", text);
    }
    return new HandlerScope(this, { agentId: this.agentId, runtime: this.#runtime, deadline: this.#deadline });
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
    return this.#watchesDeadline && this.#deadline?.remainingMs() === 0;
  }

  #follow(signal: AbortSignal): void {
    const caller = this.#callerSignal;
    const onCallerAborts = () => caller !== undefined && this.abort(abortError(caller));
    followAbort(caller, onCallerAborts);
    const stopWatching = this.#watchDeadline();
    const hasScope = this.agentId !== undefined && this.#runtime !== undefined;
    if (hasScope) holdScope(signal, this);
    this.#stopFollowing = () => {
      unfollowAbort(caller, onCallerAborts);
      stopWatching?.();
      if (hasScope) dropScope(signal);
    };
  }

  #watchDeadline(): (() => void) | undefined {
    const deadline = this.#deadline;
    if (deadline === undefined || !this.#watchesDeadline || deadline.remainingMs() > longestTimerMs) return undefined;
    const expiring: Expiring = {
      dueMs: 0,
      dueOrder: 0,
      duePlace: nowhere,
      duePrevious: undefined,
      dueNext: undefined,
      keepsProcessAlive: false,
      onDue: () => this.abort(timeIsUp()),
    };
    const queue = deadlineQueueOf(deadline.clock);
    queue.add(expiring, deadline);
    return () => queue.remove(expiring);
  }
}

// An object literal with getters costs far more: V8 gives each such object a hidden class of its own, in the old space.
/** A handler without a turn, as it stands in the paths of its calls. */
class HandlerInPath implements PassingCall {
  readonly #context: HandlerContext;

  constructor(context: HandlerContext) {
    this.#context = context;
  }

  get token(): string {
    return this.#context.messageId;
  }

  get isAwaited(): boolean {
    return this.#context.isAwaited;
  }
}

function timeIsUp(): TimedOutError {
  return new TimedOutError("The caller's time is up: the caller does not wait for the answer any more.");
}

/** Returns the run that a turn answers, if it is kept. */
export function keptRunOf(context: MessageContext): KeptRunTurn | undefined {
  return context instanceof HandlerContext ? context.keptRun : undefined;
}
