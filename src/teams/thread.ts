import { defineState, type FieldReader, fieldsSchema, TroupeError } from "../core/internal.ts";
import { type ChatMessage, readTokens, type TokenCounts } from "./messages.ts";

/** A message of a team's thread, with what its turn told besides. */
export interface Spoken extends ChatMessage, TokenCounts {
  /** Name of the participant that said it. Empty: it came from outside, or the team wrote it. */
  readonly participant: string;
  /** Name to which it hands over. Empty: it hands over to none. */
  readonly handoff: string;
  /** Names of the tools whose results came among the chunks of the turn. The team reads chunks with `shareChunks`. */
  readonly tools: readonly string[];
}

/** State of a team. */
export interface TeamState {
  /** Names the thread among all, so that a participant knows a turn that is asked for again. Empty: the team has had no task yet. */
  id: string;
  thread: Spoken[];
  /** The number of messages of the thread that each participant was given. */
  seen: Record<string, number>;
  /** Name of the participant that took the last turn. Empty: none did. */
  last: string;
  /** Turns since the team's first task. */
  turns: number;
  /** The last kept run of the team, as far as it has come. Null: the last run was none. */
  run: TeamRun | null;
}

/** A kept run of a team. The next worker continues from here. */
export interface TeamRun {
  readonly id: string;
  /** Messages of the thread before the run. */
  readonly from: number;
  /** Numbers of the messages that the task and then each turn have added. */
  readonly sizes: readonly number[];
  /** Milliseconds that it has taken so far. */
  readonly elapsedMs: number;
  /** Chunks of the run when this was saved, and the messages that are among them. */
  readonly chunks: number;
  readonly told: number;
  /** The participants of the turn under way. Empty: none is. */
  readonly asked: readonly { readonly name: string; readonly note: string }[];
  /** Reason of a `StopTeam`. Empty: none came. */
  readonly stop: string;
}

/** Bounds of the thread of a team. A run that would exceed one fails. */
export const threadBounds = { messages: 10_000, bytes: 8 * 1024 * 1024 } as const;

/** Bytes that a message counts besides its texts. */
const spokenBytes = 64;

const utf8 = new TextEncoder();

/** Returns a message that came from outside, or that the team wrote. */
export function fromOutside({ source, content }: ChatMessage): Spoken {
  return { source, content, participant: "", handoff: "", prompt_tokens: 0, completion_tokens: 0, tools: [] };
}

/** Returns the bytes for which a message counts. */
export function bytesOf({ source, content }: ChatMessage): number {
  return spokenBytes + utf8.encode(source).byteLength + utf8.encode(content).byteLength;
}

/** Throws `overloaded` if this number of messages or bytes is more than a thread takes. */
export function assertFitsThread(team: string, messages: number, bytes: number): void {
  if (messages <= threadBounds.messages && bytes <= threadBounds.bytes) return;
  const mebibytes = threadBounds.bytes / (1024 * 1024);
  throw new TroupeError(
    "overloaded",
    `The thread of the team ${team} is full: it takes ${threadBounds.messages} messages and ${mebibytes} MiB. Give the task to a team with another key.`,
  );
}

function readSpoken(fields: FieldReader): Spoken {
  return {
    source: fields.text("source"),
    content: fields.text("content"),
    participant: fields.text("participant"),
    handoff: fields.text("handoff"),
    ...readTokens(fields),
    tools: fields.list("tools", (_, value) => (typeof value === "string" ? value : "")),
  };
}

function readSeen(fields: FieldReader): Record<string, number> {
  const seen = fields.anything("seen");
  if (typeof seen === "object" && seen !== null) {
    const counts = Object.entries(seen);
    if (counts.every(([, count]) => typeof count === "number")) return Object.fromEntries(counts);
  }
  fields.refuse("seen", "expected an object of numbers");
  return {};
}

function readSizes(fields: FieldReader): readonly number[] {
  const sizes = fields.anything("sizes");
  if (Array.isArray(sizes) && sizes.every((size) => typeof size === "number")) return sizes;
  fields.refuse("sizes", "expected a list of numbers");
  return [];
}

function readTeamRun(fields: FieldReader): TeamRun {
  return {
    id: fields.text("id"),
    from: fields.count("from", 0),
    sizes: readSizes(fields),
    elapsedMs: fields.count("elapsedMs", 0),
    chunks: fields.count("chunks", 0),
    told: fields.count("told", 0),
    asked: fields.list("asked", (item) => ({ name: item.text("name"), note: item.text("note") })),
    stop: fields.text("stop"),
  };
}

function readTeamState(fields: FieldReader): TeamState {
  return {
    id: fields.text("id", ""),
    thread: [...fields.list("thread", readSpoken)],
    seen: readSeen(fields),
    last: fields.text("last"),
    turns: fields.count("turns", 0),
    run: (fields.anything("run") ?? null) === null ? null : fields.object("run", readTeamRun),
  };
}

/** The state of a team, which it saves after each turn. */
export const teamState = defineState(fieldsSchema<TeamState>(readTeamState), {
  initial: { id: "", thread: [], seen: {}, last: "", turns: 0, run: null },
  save: "manual",
  // JSON may take twice the bytes of the texts.
  maxBytes: 2 * threadBounds.bytes,
});
