import type { ReminderTickInfo } from "../courier/reminders/when.ts";
import type { MessageMetadata } from "../delivery/message-metadata.ts";
import type { CallScope } from "../scope/call-scope.ts";
import type { Deadline } from "../scope/deadline.ts";
import type { TopicId } from "../topics/topic-id.ts";
import type { AgentId } from "./agent-id.ts";

// protocol.md §5.5
/** Tells a handler about the message that it handles. */
export interface MessageContext {
  /** The agent that sent or published the message. Undefined: the sender is not an agent. */
  readonly sender: AgentId | undefined;
  /**
   * The name of the principal whose worker sent the call, as the host has found out. The host tells it to types that ask for it
   * (`tellsPrincipal`), and with each call that has an `idempotencyKey`. Undefined: an event, a reminder, an anonymous caller, a host of
   * AutoGen's, or a runtime in one process.
   */
  readonly principal: string | undefined;
  /** The topic of an event. Undefined for calls. */
  readonly topicId: TopicId | undefined;
  /** Whether the sender waits for an answer. */
  readonly isRpc: boolean;
  /** Whether the sender reads chunks. If not, the chunks that a handler yields are thrown away, and it may save itself the making of them. */
  readonly isStreamed: boolean;
  /** The event's id. For a call over gRPC it is the request id on the wire. */
  readonly messageId: string;
  /** The reminder that began this turn. Undefined: another agent or a program sent the message. */
  readonly reminder: ReminderTickInfo | undefined;
  /**
   * The metadata that the sender gave with the message. Frozen; empty when it gave none; without reserved names. You can pass
   * all of it on: `{ metadata: context.metadata }`.
   */
  readonly metadata: MessageMetadata;
  /**
   * Aborts when the caller does not want the work any more. The code of its reason says why: `cancelled`, `timed-out`, `caller-gone` or
   * `shutting-down`. A call made with it ends with it, and inherits the time that is left. Made on first use.
   */
  readonly signal: AbortSignal;
  /**
   * When the caller stops waiting. `deadline.remainingMs()` are the milliseconds that are left. Undefined: the caller named no
   * limit, or the message is an event.
   */
  readonly deadline: Deadline | undefined;
  /**
   * Scope that calls inherit from this handler. Pass it with a signal that you combine yourself: see `withScope`. Made on first use.
   * Throws `wrong-state` in an intervention that sees a message before it has a handler.
   */
  readonly scope: CallScope;
}
