import {
  type AgentName,
  type Commit,
  type Epoch,
  type ErrorCode,
  fullMailboxText,
  isIdempotencyKey,
  type Mail,
  sizeOfRunChange,
} from "../../core/internal.ts";
import {
  type CommitAsk,
  type HostedOutcome,
  type LoadAsk,
  peekFrame,
  type RememberedAsk,
  type RemindersAsk,
  type RunAsk,
  type RunsAsk,
  type StateFailure,
  type WireMail,
  withKeptPrincipal,
} from "../../protocol/internal.ts";
import type { CommitOccurrence } from "../observer.ts";
import type { CallerQuota } from "../quotas/quota-check.ts";
import type { Peer } from "../sessions/peer.ts";

export function failure(code: ErrorCode, text: string): StateFailure {
  return { at: "failed", code, text };
}

export function fullMailbox(agent: AgentName, outcome: Parameters<typeof fullMailboxText>[1]): StateFailure {
  return failure("mailbox-full", fullMailboxText(agent, outcome));
}

/**
 * Reads the mail of a commit. The receiver of a call is its target. Each message gets the principal of the worker. Returns a text if a message is
 * not a call.
 */
export function readMail(mail: readonly WireMail[], { principal }: Pick<Peer, "principal">): readonly Mail[] | string {
  const read: Mail[] = [];
  for (const { id, message } of mail) {
    const frame = peekFrame(message);
    if (frame.kind !== "request" || frame.targetType === undefined) {
      return "A message among the mail of the commit is not a call to an agent.";
    }
    if (!isIdempotencyKey(id)) return "A message among the mail of the commit needs an id of 1 to 256 characters.";
    const receiver = { type: frame.targetType, key: frame.targetKey };
    // A mailbox keeps an id once, as of messages that are told outside a turn.
    const { bytes } = withKeptPrincipal(frame, principal);
    read.push({ id, receiver, kind: "call", frame: bytes === frame.bytes ? message : bytes, isOnce: true });
  }
  return read;
}

// protocol.md §11.15
/** The host sets the epoch, so that the store refuses a host and a worker that were superseded. */
export function toCommit(ask: CommitAsk, mail: readonly Mail[], epoch: Epoch): Commit {
  const { agent, expected, write, reminders, remembered, runs } = ask;
  const changes = runs.length === 0 ? undefined : runs;
  return { agent, epoch, expected, write, reminders, mail, remembered, runs: changes };
}

export function occurrence(from: Peer, ask: CommitAsk, outcome: HostedOutcome, ms: number): CommitOccurrence {
  const bytes = ask.write.at === "put" ? ask.write.data.length : 0;
  return {
    at: "commit",
    clientId: from.id,
    agentType: ask.agent.type,
    key: ask.agent.key,
    outcome: outcome.at,
    bytes,
    ms,
    reason: "text" in outcome ? outcome.text : undefined,
  };
}

// protocol.md §2.5
/**
 * Takes an ask from the quota of its worker, or says why it can't. An ask counts as a message. So does each event and each message that rides on a
 * commit, and each reminder that it sets.
 */
export function whyOverused(
  quota: CallerQuota,
  clientId: string,
  ask: LoadAsk | RemindersAsk | RememberedAsk | RunAsk | RunsAsk | CommitAsk,
) {
  if (ask.kind !== "commit") return quota.whyNotMessages(1, 0, { clientId });
  const { events, mail, reminders, write, runs } = ask;
  const set = reminders.filter(({ at }) => at === "set");
  let bytes = write.at === "put" ? write.data.length : 0;
  for (const event of events) bytes += event.length;
  for (const { message } of mail) bytes += message.length;
  for (const change of set) if (change.at === "set") bytes += change.message.length;
  for (const change of runs) bytes += sizeOfRunChange(change, 0);
  return quota.whyNotMessages(1 + events.length + mail.length + set.length, bytes, { clientId });
}
