import type { StandardSchemaV1 } from "@standard-schema/spec";
import {
  assertKind,
  defineMessage,
  type FieldReader,
  fieldsSchema,
  type MessageOf,
  text as textKind,
} from "../core/internal.ts";

// Python peers declare these messages as dataclasses, which take neither unions nor nested classes: so no field may be null, and
// lists hold plain objects.

/** One message of a team's thread: who said it, and the text. */
export interface ChatMessage {
  readonly source: string;
  readonly content: string;
}

function readChat(fields: FieldReader): ChatMessage {
  return { source: fields.text("source"), content: fields.text("content") };
}

/** Fields of a `UiPart`: its type, and what a part of this type has besides. */
export interface UiPartFields {
  readonly type: string;
  readonly [name: string]: unknown;
}

const looseSchema: StandardSchemaV1<UiPartFields, UiPartFields> = {
  "~standard": {
    version: 1,
    vendor: "troupe",
    validate: (value) => {
      if (typeof value !== "object" || value === null || Array.isArray(value)) {
        return { issues: [{ message: "expected an object" }] };
      }
      if (!("type" in value) || typeof value.type !== "string") {
        return { issues: [{ path: ["type"], message: "expected text" }] };
      }
      return { value: { ...value, type: value.type } };
    },
  },
};

/**
 * A part of the AI SDK's UI message stream (version 1), as it is: `text-delta`, `tool-input-available`, `tool-output-available` and others. It is
 * the chunk of a participant that streams its turn. Only the type is checked.
 */
export const UiPart = defineMessage("UiPart", looseSchema);
export type UiPart = MessageOf<typeof UiPart>;

/** Returns the parts that a text is in one piece: its start, the text, its end. */
export function textParts(text: string, id = "text"): readonly UiPart[] {
  assertKind("text", text, textKind);
  return [
    UiPart({ type: "text-start", id }),
    UiPart({ type: "text-delta", id, delta: text }),
    UiPart({ type: "text-end", id }),
  ];
}

/** Tokens that the model calls of one turn or of several have read and written. */
export interface TokenCounts {
  readonly prompt_tokens: number;
  readonly completion_tokens: number;
}

/** Reads the tokens of a message. A participant that tells none counts as 0. */
export function readTokens(fields: FieldReader): TokenCounts {
  return { prompt_tokens: fields.count("prompt_tokens", 0), completion_tokens: fields.count("completion_tokens", 0) };
}

/** Fields of a `TurnTaken`. Its tokens are those of the turn's model calls. */
export interface TurnTakenFields extends TokenCounts {
  /** Text that the participant adds to the thread. */
  readonly content: string;
  /** Name of the participant to which it hands over. Empty: it hands over to none. */
  readonly handoff: string;
}

/** Fields to create a `TurnTaken` from. */
export type TurnTakenInput = Pick<TurnTakenFields, "content"> & Partial<TurnTakenFields>;

function readTurnTaken(fields: FieldReader): TurnTakenFields {
  return {
    content: fields.text("content"),
    handoff: fields.text("handoff", ""),
    ...readTokens(fields),
  };
}

/** The answer of a participant: what it says. Its source in the thread is the participant's name in the team. */
export const TurnTaken = defineMessage("TurnTaken", fieldsSchema<TurnTakenFields, TurnTakenInput>(readTurnTaken));
export type TurnTaken = MessageOf<typeof TurnTaken>;

/** Fields of a `TakeTurn`. */
export interface TakeTurnFields {
  /** Messages of the thread that this participant has not been given yet, in their order. Its own are not among them. */
  readonly messages: readonly ChatMessage[];
  /** A word for this participant alone, which the thread does not keep. Empty: none. */
  readonly note: string;
}

/** Fields to create a `TakeTurn` from. */
export type TakeTurnInput = Pick<TakeTurnFields, "messages"> & Partial<TakeTurnFields>;

function readTakeTurn(fields: FieldReader): TakeTurnFields {
  return { messages: fields.list("messages", readChat), note: fields.text("note", "") };
}

/** Asks a participant for its turn. An agent that handles it can take part in a team. */
export const TakeTurn = defineMessage("TakeTurn", fieldsSchema<TakeTurnFields, TakeTurnInput>(readTakeTurn), {
  answer: TurnTaken,
  chunk: UiPart,
  whole: ({ content }) => textParts(content),
});
export type TakeTurn = MessageOf<typeof TakeTurn>;

/** Fields of a `Said`. */
export interface SaidFields extends ChatMessage {
  /** With the team's option `shareChunks`: a chunk of the participant's turn; `content` is empty then. Null: a message of the thread. */
  readonly part: UiPartFields | null;
}

/** Fields to create a `Said` from. */
export type SaidInput = ChatMessage & Partial<SaidFields>;

function readSaid(fields: FieldReader): SaidFields {
  const part = fields.anything("part") ?? null;
  return { ...readChat(fields), part: part === null ? null : readPart(fields, part) };
}

function readPart(fields: FieldReader, part: unknown): UiPartFields | null {
  if (typeof part === "object" && part !== null && "type" in part && typeof part.type === "string") {
    return { ...part, type: part.type };
  }
  fields.refuse("part", "expected an object with a type, or null");
  return null;
}

/** The chunk of a team's run: a message of the thread. */
export const Said = defineMessage("Said", fieldsSchema<SaidFields, SaidInput>(readSaid));
export type Said = MessageOf<typeof Said>;

/** Fields of a `TeamResult`. Its tokens are those of the turns of this run. */
export interface TeamResultFields extends TokenCounts {
  /** Messages of this run: the task, and what the participants said. */
  readonly messages: readonly ChatMessage[];
  /** The reason that the team's condition gave, or why else the run ended. */
  readonly stop_reason: string;
}

/** Fields to create a `TeamResult` from. */
export type TeamResultInput = Pick<TeamResultFields, "messages" | "stop_reason"> & Partial<TeamResultFields>;

function readTeamResult(fields: FieldReader): TeamResultFields {
  return {
    messages: fields.list("messages", readChat),
    stop_reason: fields.text("stop_reason"),
    ...readTokens(fields),
  };
}

/** The answer of a team to a `RunTeam`. */
export const TeamResult = defineMessage("TeamResult", fieldsSchema<TeamResultFields, TeamResultInput>(readTeamResult));
export type TeamResult = MessageOf<typeof TeamResult>;

/** Fields of a `RunTeam`. */
export interface RunTeamFields {
  /** Text of the user. Empty: the team continues where it stopped. */
  readonly task: string;
}

/** Gives a team a task. The chunks are the messages of the thread, and the answer is the result. */
export const RunTeam = defineMessage(
  "RunTeam",
  fieldsSchema<RunTeamFields>((fields) => ({ task: fields.text("task") })),
  { answer: TeamResult, chunk: Said, whole: ({ messages }) => messages.map((message) => Said(message)) },
);
export type RunTeam = MessageOf<typeof RunTeam>;

/** Fields of a `StopTeam`. */
export interface StopTeamFields {
  /** Becomes the reason of the result. */
  readonly reason: string;
}

/** Ends a team's run after the turn that is under way. It is a call to the team, or an event for it. */
export const StopTeam = defineMessage(
  "StopTeam",
  fieldsSchema<StopTeamFields, Partial<StopTeamFields>>((fields) => ({
    reason: fields.text("reason", "External termination requested"),
  })),
);
export type StopTeam = MessageOf<typeof StopTeam>;
