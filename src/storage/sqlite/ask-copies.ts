import {
  type AgentName,
  type Commit,
  copyOfRunChange,
  type DeadReason,
  type DurableMessage,
  type KeptMessage,
  type Settlements,
  type StateWrite,
} from "../../core/internal.ts";
import type { CommitAlone } from "./packed-asks.ts";

const none: readonly never[] = [];

// A store copies what it is given before its call returns. A thread gets only plain objects and whole buffers.

export function copyOfName({ type, key }: AgentName): AgentName {
  return { type, key };
}

/**
 * Copies a commit that puts a state and does nothing else. Its data goes to the thread in one buffer with that of others. So the copy may be
 * a part of a buffer that it shares.
 */
export function copyOfCommitAlone({ agent, epoch, expected, write }: CommitAlone): CommitAlone {
  const { contentType, schemaVersion, data } = write;
  return {
    agent: copyOfName(agent),
    epoch: epoch && { generation: epoch.generation, era: epoch.era, number: epoch.number },
    expected: expected.at === "version" ? { at: "version", eTag: expected.eTag } : { at: expected.at },
    // Node keeps short buffers in common memory. Memory for each of them would cost more than its bytes.
    write: { at: "put", contentType, schemaVersion, data: Buffer.from(data) },
    reminders: none,
    mail: none,
    remembered: none,
  };
}

export function copyOfCommit({ agent, epoch, expected, write, reminders, mail, remembered, runs }: Commit): Commit {
  return {
    ...(runs !== undefined && { runs: runs.map(copyOfRunChange) }),
    agent: copyOfName(agent),
    epoch: epoch && { generation: epoch.generation, era: epoch.era, number: epoch.number },
    expected: expected.at === "version" ? { at: "version", eTag: expected.eTag } : { at: expected.at },
    write: copyOfWrite(write),
    reminders: reminders.map((change) => {
      if (change.at === "cancel") return { at: "cancel", name: change.name };
      const { name, dueMs, rule, message } = change;
      return { at: "set", name, dueMs, rule, message: new Uint8Array(message) };
    }),
    mail: mail.map(({ id, receiver, kind, frame, isOnce, whenFull }) => {
      return { id, receiver: copyOfName(receiver), kind, frame: new Uint8Array(frame), isOnce, whenFull };
    }),
    remembered: remembered.map(({ id, principal, answer }) => {
      return { id, principal, answer: answer && new Uint8Array(answer) };
    }),
  };
}

export function copyOfSettlements({ ticks, mail }: Settlements): Settlements {
  return {
    ticks: ticks.map(({ agent, name, seq, nextDueMs, attempts, rule }) => {
      return { agent: copyOfName(agent), name, seq, nextDueMs, attempts, rule };
    }),
    mail: mail.map(({ place, nextMs, attempts }) => ({ place, nextMs, attempts })),
  };
}

export function copyOfMessage({ id, kind, frame, sentAtMs }: DurableMessage): DurableMessage {
  return { id, kind, frame: new Uint8Array(frame), sentAtMs };
}

export function copyOfKept(message: KeptMessage): KeptMessage {
  const { mailbox, place, priorTakeovers } = message;
  return { ...copyOfMessage(message), mailbox: copyOfName(mailbox), place, priorTakeovers };
}

export function copyOfReason({ code, text, attempts }: DeadReason): DeadReason {
  return { code, text, attempts };
}

function copyOfWrite(write: StateWrite): StateWrite {
  if (write.at !== "put") return { at: write.at };
  const { contentType, schemaVersion, data } = write;
  return { at: "put", contentType, schemaVersion, data: new Uint8Array(data) };
}
