import type { AgentId } from "../agents/agent-id.ts";
import type { AmbientContexts } from "../ambient-contexts.ts";
import { TroupeError } from "../errors.ts";
import type { RuntimeLog } from "../limited-log.ts";
import type { TopicId } from "../topics/topic-id.ts";
import { type OwnBounds, scopeDepthOf } from "./calls/call-bounds.ts";
import { loggableText } from "./loggable.ts";

export interface EventGuardParts {
  readonly maxDepth: number;
  readonly ambient: AmbientContexts | undefined;
  readonly logger: RuntimeLog;
  /** Returns the depth of what an agent sends without its handler's signal or scope. */
  readonly depthOf: (sender: AgentId | undefined) => number;
  /** Called for each message that the guard keeps back. */
  readonly onGuarded: () => void;
}

// protocol.md §11.13
/**
 * Ends agents that answer each other by events or told messages without end, or by calls that each of them gives up. The depth of a message
 * is the number of handlers of events, told messages and given-up calls that led to it. Other calls hand it
 * on, so that a loop which also calls is found. No call waits in such a loop, so that no path names its turns.
 */
export class EventGuard {
  readonly #parts: EventGuardParts;

  constructor(parts: EventGuardParts) {
    this.#parts = parts;
  }

  /** Returns the depth of what a handler sends. */
  depthOf(sender: AgentId | undefined, own: OwnBounds): number {
    const { maxDepth, ambient, depthOf } = this.#parts;
    if (maxDepth === Number.POSITIVE_INFINITY) return 0;
    return scopeDepthOf(own, ambient) ?? depthOf(sender);
  }

  /** Returns the depth of a call. Throws `loop-detected` when too many handlers led to it, of which the last ones had calls that were given up. */
  callDepth(sender: AgentId | undefined, own: OwnBounds, recipient: AgentId): number {
    const depth = this.depthOf(sender, own);
    const { maxDepth } = this.#parts;
    // The handler of the last event that is not dropped has one more, and may call.
    if (depth <= maxDepth + 1) return depth;
    throw new TroupeError("loop-detected", `The call to ${recipient} was not sent: ${tooDeep(maxDepth)}`);
  }

  /** Returns the depth of an event. Undefined: too many handlers led to it, so that it is dropped. That is counted and logged. */
  eventDepth(sender: AgentId | undefined, own: OwnBounds, topicId: TopicId): number | undefined {
    const depth = this.depthOf(sender, own);
    const { maxDepth, logger, onGuarded } = this.#parts;
    if (depth <= maxDepth) return depth;
    onGuarded();
    const text = `An event for ${topicId} was dropped: ${tooDeep(maxDepth)}`;
    logger.warn(loggableText(text), undefined, "An event was dropped: too many handlers led to it");
    return undefined;
  }

  /** Returns the depth of a told message. Throws `loop-detected` when too many handlers led to it, which is counted. */
  toldDepth(sender: AgentId | undefined, recipient: AgentId): number {
    const depth = this.depthOf(sender, {});
    const { maxDepth, onGuarded } = this.#parts;
    if (depth <= maxDepth) return depth;
    onGuarded();
    throw new TroupeError("loop-detected", `The message told to ${recipient} was not kept: ${tooDeep(maxDepth)}`);
  }
}

function tooDeep(maxDepth: number): string {
  const what = `more than ${maxDepth} handlers of events, told messages or given-up calls led to it, one after the other.`;
  return `${what} Do these agents answer each other without end? If not, raise the bound (the runtime's option guards).`;
}
