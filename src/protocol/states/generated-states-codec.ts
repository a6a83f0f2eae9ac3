import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import type {
  AgentName,
  Expected,
  RememberedMessage,
  ReminderChange,
  StateWrite,
  StoredReminder,
} from "../../core/internal.ts";
import { isErrorCode } from "../errors/wire-error.ts";
import { fromBinary } from "../frames/from-binary.ts";
import { fromWireHeartbeat, toWireHeartbeat } from "../frames/heartbeat.ts";
import { fromWireEpoch, safe, toWireEpoch } from "../frames/wire-epoch.ts";
import {
  CommitResult,
  type StateCommit,
  type StateCommitSchema,
  type StateCommitted,
  type StateCommittedSchema,
  type StateLoaded,
  type StateLoadedSchema,
  StatesDownSchema,
  StatesUpSchema,
  type StateFailure as WireFailure,
  type StoredReminder as WireReminder,
  type ReminderChange as WireReminderChange,
} from "../gen/troupe/v1/states_pb.ts";
import {
  fromWireRun,
  fromWireRunChange,
  fromWireState,
  toWireRun,
  toWireRunChange,
  toWireState,
} from "./generated-run-codec.ts";
import { commitResult, failureOf } from "./quick-states-encoder.ts";
import type {
  CommitAsk,
  CommittedAnswer,
  LoadedAnswer,
  RememberedAnswer,
  RunAnswer,
  RunsAnswer,
  StateFailure,
  StatesAnswer,
  StatesAsk,
} from "./states-messages.ts";

/** Encodes with the generated code: what is seldom, and the reference that tests compare with. */
export function encodeAskGenerated(ask: StatesAsk): Uint8Array {
  return toBinary(StatesUpSchema, create(StatesUpSchema, { ask: toWireAsk(ask) }));
}

export function encodeAnswerGenerated(answer: StatesAnswer): Uint8Array {
  return toBinary(StatesDownSchema, create(StatesDownSchema, { answer: toWireAnswer(answer) }));
}

/** Throws what the parser throws, and `Error` for an ask without an agent or without a write. */
export function decodeAskGenerated(bytes: Uint8Array): StatesAsk {
  const { ask } = fromBinary(StatesUpSchema, bytes);
  switch (ask.case) {
    case "load": {
      const { seq, agent, epoch, unlessETag } = ask.value;
      const unless = unlessETag === "" ? undefined : unlessETag;
      return { kind: "load", seq: safe(seq), agent: nameOf(agent), epoch: fromWireEpoch(epoch), unless };
    }
    case "commit":
      return fromWireCommit(ask.value);
    case "reminders":
      return { kind: "reminders", seq: safe(ask.value.seq), agent: nameOf(ask.value.agent) };
    case "remembered": {
      const { seq, agent, id, principal } = ask.value;
      return { kind: "remembered", seq: safe(seq), agent: nameOf(agent), id, principal };
    }
    case "run": {
      const { seq, agent, id, from, message, maxBytes } = ask.value;
      return { kind: "run", seq: safe(seq), agent: nameOf(agent), id, from: safe(from), message, maxBytes };
    }
    case "runs": {
      const { seq, agent, status, after, limit } = ask.value;
      const state = status === undefined ? undefined : fromWireState(status);
      return { kind: "runs", seq: safe(seq), agent: nameOf(agent), status: state, after, limit };
    }
    case "heartbeat":
      return fromWireHeartbeat(ask.value);
    case undefined:
      return { kind: "empty" };
  }
}

/** Throws what the parser throws. */
export function decodeAnswerGenerated(bytes: Uint8Array): StatesAnswer {
  const { answer } = fromBinary(StatesDownSchema, bytes);
  switch (answer.case) {
    case "loaded":
      return { kind: "loaded", seq: safe(answer.value.seq), outcome: fromWireLoaded(answer.value) };
    case "committed":
      return { kind: "committed", seq: safe(answer.value.seq), outcome: fromWireOutcome(answer.value) };
    case "reminders": {
      const { seq, reminders, failure } = answer.value;
      const outcome = fromWireFailure(failure) ?? { at: "listed", reminders: reminders.map(fromWireReminder) };
      return { kind: "reminders", seq: safe(seq), outcome };
    }
    case "remembered": {
      const { seq, found, answer: kept, failure } = answer.value;
      const outcome: RememberedAnswer["outcome"] = found ? { at: "found", answer: kept } : { at: "nothing" };
      return { kind: "remembered", seq: safe(seq), outcome: fromWireFailure(failure) ?? outcome };
    }
    case "run": {
      const { seq, run, message, from, chunks, outcome: ended, failure } = answer.value;
      const outcome: RunAnswer["outcome"] =
        run === undefined
          ? { at: "nothing" }
          : { at: "found", run: fromWireRun(run), message, from: safe(from), chunks, outcome: ended };
      return { kind: "run", seq: safe(seq), outcome: fromWireFailure(failure) ?? outcome };
    }
    case "runs": {
      const { seq, runs, isLast, failure } = answer.value;
      const outcome: RunsAnswer["outcome"] = { at: "listed", runs: runs.map(fromWireRun), isLast };
      return { kind: "runs", seq: safe(seq), outcome: fromWireFailure(failure) ?? outcome };
    }
    case "heartbeat":
      return fromWireHeartbeat(answer.value);
    case undefined:
      return { kind: "empty" };
  }
}

type WireAsk = NonNullable<MessageInitShape<typeof StatesUpSchema>["ask"]>;
type WireAnswer = NonNullable<MessageInitShape<typeof StatesDownSchema>["answer"]>;

function toWireAsk(ask: StatesAsk): WireAsk {
  switch (ask.kind) {
    case "load": {
      const { seq, agent, epoch, unless } = ask;
      return { case: "load", value: { seq: BigInt(seq), agent, epoch: toWireEpoch(epoch), unlessETag: unless ?? "" } };
    }
    case "commit":
      return { case: "commit", value: toWireCommit(ask) };
    case "reminders":
      return { case: "reminders", value: { seq: BigInt(ask.seq), agent: ask.agent } };
    case "remembered": {
      const { seq, agent, id, principal } = ask;
      return { case: "remembered", value: { seq: BigInt(seq), agent, id, principal } };
    }
    case "run": {
      const { seq, agent, id, from, message, maxBytes } = ask;
      return { case: "run", value: { seq: BigInt(seq), agent, id, from: BigInt(from), message, maxBytes } };
    }
    case "runs": {
      const { seq, agent, status, after, limit } = ask;
      const state = status === undefined ? {} : { status: toWireState(status) };
      return { case: "runs", value: { seq: BigInt(seq), agent, ...state, after, limit } };
    }
    case "heartbeat":
      return { case: "heartbeat", value: toWireHeartbeat(ask) };
    case "empty":
      return { case: undefined };
  }
}

function toWireAnswer(answer: StatesAnswer): WireAnswer {
  switch (answer.kind) {
    case "loaded":
      return { case: "loaded", value: { seq: BigInt(answer.seq), ...toWireLoaded(answer) } };
    case "committed":
      return { case: "committed", value: { seq: BigInt(answer.seq), ...toWireCommitted(answer) } };
    case "reminders": {
      const { seq, outcome } = answer;
      if (outcome.at === "failed") return { case: "reminders", value: { seq: BigInt(seq), failure: outcome } };
      const reminders = outcome.reminders.map(({ name, dueMs, rule, message, seq: reminderSeq, attempts }) => ({
        ...{ name, dueMs: BigInt(dueMs), rule, message, reminderSeq: BigInt(reminderSeq), attempts },
      }));
      return { case: "reminders", value: { seq: BigInt(seq), reminders } };
    }
    case "remembered": {
      const { seq, outcome } = answer;
      if (outcome.at === "failed") return { case: "remembered", value: { seq: BigInt(seq), failure: outcome } };
      const kept = outcome.at === "found" && outcome.answer !== undefined ? { answer: outcome.answer } : {};
      return { case: "remembered", value: { seq: BigInt(seq), found: outcome.at === "found", ...kept } };
    }
    case "run": {
      const { seq, outcome } = answer;
      if (outcome.at === "failed") return { case: "run", value: { seq: BigInt(seq), failure: outcome } };
      if (outcome.at === "nothing") return { case: "run", value: { seq: BigInt(seq) } };
      const { run, message, from, chunks, outcome: ended } = outcome;
      const optional = { ...(message && { message }), ...(ended && { outcome: ended }) };
      const value = { seq: BigInt(seq), run: toWireRun(run), from: BigInt(from), chunks: [...chunks], ...optional };
      return { case: "run", value };
    }
    case "runs": {
      const { seq, outcome } = answer;
      if (outcome.at === "failed") return { case: "runs", value: { seq: BigInt(seq), failure: outcome } };
      return { case: "runs", value: { seq: BigInt(seq), runs: outcome.runs.map(toWireRun), isLast: outcome.isLast } };
    }
    case "heartbeat":
      return { case: "heartbeat", value: toWireHeartbeat(answer) };
    case "empty":
      return { case: undefined };
  }
}

function toWireCommit(ask: CommitAsk): MessageInitShape<typeof StateCommitSchema> {
  const { seq, agent, epoch, expected, answers, events, mail } = ask;
  return {
    ...{ seq: BigInt(seq), agent, epoch: toWireEpoch(epoch) },
    expectedETag: expected.at === "version" ? expected.eTag : "",
    anyVersion: expected.at === "anything",
    write: toWireWrite(ask.write),
    ...{ answers: [...answers], events: [...events], mail: [...mail] },
    reminders: ask.reminders.map((change) =>
      change.at === "cancel"
        ? { name: change.name, cancel: true }
        : { name: change.name, dueMs: BigInt(change.dueMs), rule: change.rule, message: change.message },
    ),
    remembered: ask.remembered.map(({ id, principal, answer }) => ({
      ...{ id, principal },
      ...(answer === undefined ? {} : { answer }),
    })),
    runs: ask.runs.map(toWireRunChange),
  };
}

function toWireWrite(write: StateWrite): NonNullable<MessageInitShape<typeof StateCommitSchema>["write"]> {
  switch (write.at) {
    case "put": {
      const { schemaVersion, contentType, data } = write;
      return { case: "put", value: { schemaVersion, contentType, data } };
    }
    case "delete":
      return { case: "delete", value: true };
    case "keep":
      return { case: "keep", value: true };
  }
}

function fromWireCommit(commit: StateCommit): CommitAsk {
  return {
    kind: "commit",
    ...{ seq: safe(commit.seq), agent: nameOf(commit.agent), epoch: fromWireEpoch(commit.epoch) },
    expected: fromWireExpected(commit),
    write: fromWireWrite(commit.write),
    answers: commit.answers,
    events: commit.events,
    mail: commit.mail.map(({ id, message }) => ({ id, message })),
    reminders: commit.reminders.map(fromWireChange),
    remembered: commit.remembered.map(({ id, principal, answer }): RememberedMessage => ({ id, principal, answer })),
    runs: commit.runs.map(fromWireRunChange),
  };
}

function fromWireExpected({ expectedETag, anyVersion }: StateCommit): Expected {
  if (anyVersion) return { at: "anything" };
  return expectedETag === "" ? { at: "nothing" } : { at: "version", eTag: expectedETag };
}

function fromWireWrite(write: StateCommit["write"]): StateWrite {
  switch (write.case) {
    case "put": {
      const { schemaVersion, contentType, data } = write.value;
      return { at: "put", schemaVersion, contentType, data };
    }
    case "delete":
      return { at: "delete" };
    case "keep":
      return { at: "keep" };
    case undefined:
      throw new Error("it says nothing about the record");
  }
}

function fromWireChange({ name, cancel, dueMs, rule, message }: WireReminderChange): ReminderChange {
  return cancel ? { at: "cancel", name } : { at: "set", name, dueMs: safe(dueMs), rule, message };
}

function toWireLoaded({ outcome }: LoadedAnswer): MessageInitShape<typeof StateLoadedSchema> {
  switch (outcome.at) {
    case "record": {
      const { eTag, schemaVersion, contentType, data, revision, savedAtMs, epoch } = outcome.record;
      const numbers = { revision: BigInt(revision), savedAtMs: BigInt(savedAtMs), epoch: toWireEpoch(epoch) };
      return { eTag, schemaVersion, contentType, data, ...numbers };
    }
    case "unchanged":
      return { unchanged: true };
    case "nothing":
      return {};
    case "failed":
      return { failure: outcome };
  }
}

function fromWireLoaded(loaded: StateLoaded): LoadedAnswer["outcome"] {
  const { unchanged, eTag, schemaVersion, contentType, data, failure } = loaded;
  if (failure !== undefined) return failureFrom(failure);
  if (unchanged) return { at: "unchanged" };
  if (eTag === "") return { at: "nothing" };
  const numbers = { revision: safe(loaded.revision), savedAtMs: safe(loaded.savedAtMs) };
  return {
    at: "record",
    record: { eTag, schemaVersion, contentType, data, ...numbers, epoch: fromWireEpoch(loaded.epoch) },
  };
}

function toWireCommitted({ outcome }: CommittedAnswer): MessageInitShape<typeof StateCommittedSchema> {
  const failure = failureOf(outcome);
  return {
    result: commitResult[outcome.at],
    eTag: "eTag" in outcome ? (outcome.eTag ?? "") : "",
    ...(failure === undefined ? {} : { failure }),
    ...(outcome.at === "committed" ? { revision: BigInt(outcome.revision) } : {}),
    ...(outcome.at === "stale" ? { epoch: toWireEpoch(outcome.epoch) } : {}),
  };
}

function fromWireOutcome({ result, eTag, failure, revision, epoch }: StateCommitted): CommittedAnswer["outcome"] {
  switch (result) {
    case CommitResult.COMMITTED:
      return { at: "committed", eTag, revision: safe(revision) };
    case CommitResult.CONFLICT:
      return { at: "conflict", eTag: eTag === "" ? undefined : eTag };
    case CommitResult.STALE:
      return { at: "stale", epoch: fromWireEpoch(epoch) ?? { generation: 0, era: 0, number: 0 } };
    case CommitResult.REFUSED:
      return { at: "refused", limit: failure?.text ?? "" };
    case CommitResult.FAILED:
      return failureFrom(failure);
    default: {
      const { code, text } = failureFrom(failure);
      return { at: "unknown", code: failure === undefined ? "state-unknown" : code, text };
    }
  }
}

function fromWireReminder(reminder: WireReminder): Omit<StoredReminder, "agent"> {
  const { name, dueMs, rule, message, reminderSeq, attempts } = reminder;
  return { name, dueMs: safe(dueMs), rule, message, seq: safe(reminderSeq), attempts };
}

function fromWireFailure(failure: WireFailure | undefined): StateFailure | undefined {
  return failure && failureFrom(failure);
}

const noFailure = { code: "", text: "" };

/** Reads a failure. An unknown code counts as `state-unavailable`. */
function failureFrom(failure: { readonly code: string; readonly text: string } = noFailure): StateFailure {
  const code = isErrorCode(failure.code) ? failure.code : "state-unavailable";
  return { at: "failed", code, text: failure.text || "The host gave no reason." };
}

function nameOf(agent: AgentName | undefined): AgentName {
  if (agent === undefined) throw new Error("it names no agent");
  return { type: agent.type, key: agent.key };
}
