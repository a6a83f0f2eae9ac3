import type { TopicId } from "../topics/topic-id.ts";
import type { AgentId } from "./agent-id.ts";

/** What a handler learns beside the message (protocol.md §5.5). */
export interface MessageContext {
  /** The agent that sent or published it; undefined when it was no agent. */
  readonly sender: AgentId | undefined;
  /** Set for events, undefined for calls. */
  readonly topicId: TopicId | undefined;
  readonly isRpc: boolean;
  /** The event's id; for a call over gRPC the request id on the wire. */
  readonly messageId: string;
  /**
   * Aborts when the work is no longer wanted; the code of its reason says why: `cancelled`, `timed-out`, `caller-gone` or
   * `shutting-down`. A call made with it ends with it, and inherits the time that is left. Made on first use.
   */
  readonly signal: AbortSignal;
}
