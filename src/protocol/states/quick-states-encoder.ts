import type { AgentName, Epoch, StateWrite } from "../../core/internal.ts";
import { ByteWriter, fieldBytes, numberFieldBytes, textBytes, textFieldBytes } from "../frames/byte-writer.ts";
import type { CommitAsk, CommittedAnswer, HostedOutcome, LoadAsk, LoadedAnswer } from "./states-messages.ts";

/** Bytes that a number with its tag takes at most, and the heads of fields beside their content. */
const numberRoom = 10;
const headRoom = 12;

/** Numbers of the enum `CommitResult`. */
export const commitResult = { unknown: 0, committed: 1, conflict: 2, stale: 3, failed: 4, refused: 5 } as const;

// protocol.md §11.15
/** Encodes an ask for a record. */
export function encodeLoad({ seq, agent, epoch, unless = "" }: LoadAsk): Uint8Array {
  const writer = new ByteWriter(numberRoom + agentBound(agent) + epochRoom + textBound(unless));
  writer.number(1, seq);
  writeAgent(writer, 2, agent);
  writeEpoch(writer, 3, epoch);
  writer.text(4, unless);
  return writer.finishedAs(1);
}

/** Encodes a commit with nothing but a record, answers and events. Undefined: the generated code must encode it. */
export function encodeCommit(ask: CommitAsk): Uint8Array | undefined {
  const { seq, agent, epoch, expected, write, answers, events, mail, reminders, remembered, runs } = ask;
  if (mail.length > 0 || reminders.length > 0 || remembered.length > 0 || runs.length > 0) return undefined;
  const eTag = expected.at === "version" ? expected.eTag : "";
  const bound = numberRoom + agentBound(agent) + epochRoom + textBound(eTag) + writeBound(write);
  const writer = new ByteWriter(bound + framesBound(answers) + framesBound(events) + 2);
  writer.number(1, seq);
  writeAgent(writer, 2, agent);
  writeEpoch(writer, 3, epoch);
  writer.text(4, eTag);
  writeWrite(writer, write);
  for (const answer of answers) writer.bytes(8, answer, true);
  for (const event of events) writer.bytes(9, event, true);
  if (expected.at === "anything") writer.number(14, 1);
  return writer.finishedAs(2);
}

/** Encodes what was loaded. */
export function encodeLoaded({ seq, outcome }: LoadedAnswer): Uint8Array {
  switch (outcome.at) {
    case "record": {
      const { eTag, schemaVersion, contentType, data, revision, savedAtMs, epoch } = outcome.record;
      const bound = 5 * numberRoom + textBound(eTag) + textBound(contentType) + data.length + headRoom + epochRoom;
      const writer = new ByteWriter(bound);
      writer.number(1, seq);
      writer.text(3, eTag);
      writer.number(4, schemaVersion);
      writer.text(5, contentType);
      writer.bytes(6, data);
      writer.number(8, revision);
      writer.number(9, savedAtMs);
      writeEpoch(writer, 10, epoch);
      return writer.finishedAs(1);
    }
    case "failed": {
      const writer = new ByteWriter(numberRoom + failureBound(outcome));
      writer.number(1, seq);
      writeFailure(writer, 7, outcome);
      return writer.finishedAs(1);
    }
    case "unchanged":
    case "nothing": {
      const writer = new ByteWriter(2 * numberRoom);
      writer.number(1, seq);
      if (outcome.at === "unchanged") writer.number(2, 1);
      return writer.finishedAs(1);
    }
  }
}

/** Encodes the outcome of a commit. */
export function encodeCommitted({ seq, outcome }: CommittedAnswer): Uint8Array {
  const failure = failureOf(outcome);
  const eTag = "eTag" in outcome ? (outcome.eTag ?? "") : "";
  const bound = 3 * numberRoom + textBound(eTag) + (failure === undefined ? 0 : failureBound(failure)) + epochRoom;
  const writer = new ByteWriter(bound);
  writer.number(1, seq);
  writer.number(2, commitResult[outcome.at]);
  writer.text(3, eTag);
  if (failure !== undefined) writeFailure(writer, 4, failure);
  if (outcome.at === "committed") writer.number(5, outcome.revision);
  if (outcome.at === "stale") writeEpoch(writer, 6, outcome.epoch);
  return writer.finishedAs(2);
}

/** The failure that an outcome goes over the wire with. The limit of a refusal is its text. */
export function failureOf(outcome: HostedOutcome): { readonly code: string; readonly text: string } | undefined {
  switch (outcome.at) {
    case "failed":
    case "unknown":
      return outcome;
    case "refused":
      return { code: "", text: outcome.limit };
    case "committed":
    case "conflict":
    case "stale":
      return undefined;
  }
}

const epochRoom = 3 * numberRoom + headRoom;

function writeAgent(writer: ByteWriter, field: number, { type, key }: AgentName): void {
  writer.head(field, textFieldBytes(type) + textFieldBytes(key));
  writer.text(1, type);
  writer.text(2, key);
}

function writeEpoch(writer: ByteWriter, field: number, epoch: Epoch | undefined): void {
  if (epoch === undefined) return;
  const { generation, era, number } = epoch;
  writer.head(field, numberFieldBytes(generation) + numberFieldBytes(era) + numberFieldBytes(number));
  writer.number(1, generation);
  writer.number(2, era);
  writer.number(3, number);
}

function writeWrite(writer: ByteWriter, write: StateWrite): void {
  switch (write.at) {
    case "put": {
      const { schemaVersion, contentType, data } = write;
      const dataBytes = data.length === 0 ? 0 : fieldBytes(data.length);
      writer.head(5, numberFieldBytes(schemaVersion) + textFieldBytes(contentType) + dataBytes);
      writer.number(1, schemaVersion);
      writer.text(2, contentType);
      writer.bytes(3, data);
      return;
    }
    case "delete":
      return writer.number(6, 1);
    case "keep":
      return writer.number(7, 1);
  }
}

function writeFailure(writer: ByteWriter, field: number, { code, text }: { code: string; text: string }): void {
  writer.head(field, textFieldBytes(code) + textFieldBytes(text));
  writer.text(1, code);
  writer.text(2, text);
}

function textBound(text: string): number {
  return text === "" ? 0 : textBytes(text) + headRoom;
}

function agentBound({ type, key }: AgentName): number {
  return textBound(type) + textBound(key) + headRoom;
}

function failureBound({ code, text }: { readonly code: string; readonly text: string }): number {
  return textBound(code) + textBound(text) + headRoom;
}

function writeBound(write: StateWrite): number {
  if (write.at !== "put") return numberRoom;
  return numberRoom + textBound(write.contentType) + write.data.length + 2 * headRoom;
}

function framesBound(frames: readonly Uint8Array[]): number {
  return frames.reduce((sum, frame) => sum + frame.length + headRoom, 0);
}
