import { loggableUpTo } from "../delivery/loggable.ts";
import { TroupeError, UndeliverableException } from "../errors.ts";
import type { AgentName } from "../state/agent-name.ts";
import { fullMailAdvice, fullMailboxOf } from "../state/mail-bounds.ts";
import type { Commit, CommitOutcome, Mail } from "../state/state-store.ts";

/**
 * Makes the commit that keeps a durable event for all its agents, or for none. `sender`: the agent that publishes. A commit has an agent; that
 * of an event without a sender is the first that it is kept for.
 */
export function eventCommit(sender: AgentName | undefined, mail: readonly Mail[]): Commit {
  const [first] = mail;
  const agent = sender ?? first?.receiver;
  if (agent === undefined) throw new TypeError("A durable event is kept for one agent at least.");
  return {
    ...{ agent, epoch: undefined, expected: { at: "anything" }, write: { at: "keep" } },
    ...{ reminders: [], mail, remembered: [] },
  };
}

/** Makes the error of a durable event that the store refuses. Nothing of it is kept. */
export function eventRefused(
  topic: { toString(): string },
  outcome: Extract<CommitOutcome, { readonly at: "refused" }>,
): TroupeError {
  const text = `The event for ${loggableUpTo(200, topic.toString())} is kept for no agent`;
  if (outcome.isMailboxFull !== true) {
    const why = `${text}: the limit is ${outcome.limit}.`;
    return new UndeliverableException(why, { code: "overloaded", notHandled: true });
  }
  return new TroupeError("mailbox-full", `${text}: it goes to ${fullMailboxOf(outcome)}. ${fullMailAdvice}`);
}
