import type { AgentName, Commit, Settlements, StateWrite } from "../../core/internal.ts";

// A store copies what it is given before its call returns. A thread gets only plain objects and whole buffers.

export function copyOfName({ type, key }: AgentName): AgentName {
  return { type, key };
}

export function copyOfCommit({ agent, epoch, expected, write, reminders, mail, remembered }: Commit): Commit {
  return {
    agent: copyOfName(agent),
    epoch: epoch && { generation: epoch.generation, era: epoch.era, number: epoch.number },
    expected: expected.at === "version" ? { at: "version", eTag: expected.eTag } : { at: expected.at },
    write: copyOfWrite(write),
    reminders: reminders.map((change) => {
      if (change.at === "cancel") return { at: "cancel", name: change.name };
      const { name, dueMs, rule, message } = change;
      return { at: "set", name, dueMs, rule, message: new Uint8Array(message) };
    }),
    mail: mail.map(({ id, receiver, kind, frame }) => {
      return { id, receiver: copyOfName(receiver), kind, frame: new Uint8Array(frame) };
    }),
    remembered: remembered.map(({ id, principal, answer }) => {
      return { id, principal, answer: answer && new Uint8Array(answer) };
    }),
  };
}

export function copyOfSettlements({ ticks, mail }: Settlements): Settlements {
  return {
    ticks: ticks.map(({ agent, name, seq, nextDueMs, attempts }) => {
      return { agent: copyOfName(agent), name, seq, nextDueMs, attempts };
    }),
    mail: mail.map(({ place, nextMs, attempts }) => ({ place, nextMs, attempts })),
  };
}

function copyOfWrite(write: StateWrite): StateWrite {
  if (write.at !== "put") return { at: write.at };
  const { contentType, schemaVersion, data } = write;
  return { at: "put", contentType, schemaVersion, data: new Uint8Array(data) };
}
