import { defineNamed } from "../serialization/define-message.ts";
import { type FieldReader, fieldsSchema } from "../serialization/fields-schema.ts";
import type { MessageOf, MessageType } from "../serialization/message-type.ts";

// protocol.md §11.23
/** Key under which the prototype of a runtime message says that the runtime answers it. Copies of the package share it. */
const runMessageKey: unique symbol = Symbol.for("troupe.runMessage") as never;

/** Marks the values of a type: the runtime answers them in place of their agent. */
function answeredByRuntime<Type extends { readonly prototype: object }>(type: Type): Type {
  Object.defineProperty(type.prototype, runMessageKey, { value: true });
  return type;
}

/** A run as its worker tells of it. Times are milliseconds since 1970. `error_code` is empty if the run has no error. */
export interface RunStatusFields {
  readonly run_id: string;
  readonly agent: string;
  readonly status: string;
  /** The first chunk that is kept, and the number of chunks so far. */
  readonly first: number;
  readonly next: number;
  readonly owner: string;
  readonly started_at: number;
  readonly updated_at: number;
  readonly error_code: string;
  readonly error: string;
  /** Whether this start began the run. */
  readonly is_new: boolean;
}

function readStatus(fields: FieldReader): RunStatusFields {
  return {
    run_id: fields.text("run_id"),
    agent: fields.text("agent", ""),
    status: fields.text("status"),
    first: fields.whole("first", 0),
    next: fields.whole("next", 0),
    owner: fields.text("owner", ""),
    started_at: fields.whole("started_at", 0),
    updated_at: fields.whole("updated_at", 0),
    error_code: fields.text("error_code", ""),
    error: fields.text("error", ""),
    is_new: fields.flag("is_new"),
  };
}

/** Some chunks of a run, all of one type. `is_end`: the reader has all chunks, and the outcome follows. */
interface RunPageFields {
  readonly status: string;
  readonly first: number;
  readonly next: number;
  /** The offset of the first chunk of the page. */
  readonly offset: number;
  readonly chunk_type: string;
  readonly chunk_content_type: string;
  readonly chunks: readonly string[];
  readonly is_end: boolean;
  readonly answer_type: string;
  readonly answer_content_type: string;
  readonly answer: string;
  readonly error_code: string;
  readonly error: string;
}

function readPage(fields: FieldReader): RunPageFields {
  return {
    status: fields.text("status"),
    first: fields.whole("first", 0),
    next: fields.whole("next", 0),
    offset: fields.whole("offset", 0),
    chunk_type: fields.text("chunk_type", ""),
    chunk_content_type: fields.text("chunk_content_type", ""),
    chunks: fields.list("chunks", (item, value) => {
      if (typeof value === "string") return value;
      item.refuse("", "expected text");
      return "";
    }),
    is_end: fields.flag("is_end"),
    answer_type: fields.text("answer_type", ""),
    answer_content_type: fields.text("answer_content_type", ""),
    answer: fields.text("answer", ""),
    error_code: fields.text("error_code", ""),
    error: fields.text("error", ""),
  };
}

export const RunStatusMessage = defineNamed("TroupeRunStatus", fieldsSchema<RunStatusFields>(readStatus));
export type RunStatusMessage = MessageOf<typeof RunStatusMessage>;

export const RunPage = defineNamed("TroupeRunPage", fieldsSchema<RunPageFields>(readPage));
export type RunPage = MessageOf<typeof RunPage>;

/** One chunk of a run, for a reader that reads a stream. */
export const RunPart = defineNamed(
  "TroupeRunPart",
  fieldsSchema((fields) => ({
    offset: fields.whole("offset", 0),
    chunk_type: fields.text("chunk_type"),
    chunk_content_type: fields.text("chunk_content_type"),
    chunk: fields.text("chunk"),
  })),
);
export type RunPart = MessageOf<typeof RunPart>;

export const RunList = defineNamed(
  "TroupeRunList",
  fieldsSchema((fields) => ({ runs: fields.list("runs", readStatus), after: fields.text("after", "") })),
);
export type RunList = MessageOf<typeof RunList>;

/** Starts a run, or finds the one that has the id and an equal message. `timeout_ms`, `keep_ms`: 0 and below stand for the default. */
export const StartRun = answeredByRuntime(
  defineNamed(
    "TroupeStartRun",
    fieldsSchema((fields) => ({
      run_id: fields.text("run_id"),
      message_type: fields.text("message_type"),
      content_type: fields.text("content_type", "application/json"),
      message: fields.text("message"),
      keep_ms: fields.whole("keep_ms", 0),
      timeout_ms: fields.whole("timeout_ms", 0),
      owner: fields.text("owner", ""),
    })),
    { answer: RunStatusMessage },
  ),
);
export type StartRun = MessageOf<typeof StartRun>;

/** Reads from an offset on; -1 stands for the first chunk that is kept. With `max_chunks` 0 it waits for the outcome alone. `owner`: that of the start. */
export const ReadRun = answeredByRuntime(
  defineNamed(
    "TroupeReadRun",
    fieldsSchema((fields) => ({
      run_id: fields.text("run_id"),
      from_offset: fields.whole("from_offset", -1),
      max_chunks: fields.whole("max_chunks", 1_000),
      wait_ms: fields.whole("wait_ms", 0),
      owner: fields.text("owner", ""),
    })),
    { answer: RunPage, chunk: RunPart },
  ),
);
export type ReadRun = MessageOf<typeof ReadRun>;

export const CancelRun = answeredByRuntime(
  defineNamed(
    "TroupeCancelRun",
    fieldsSchema((fields) => ({
      run_id: fields.text("run_id"),
      reason: fields.text("reason", ""),
      owner: fields.text("owner", ""),
    })),
    { answer: RunStatusMessage },
  ),
);
export type CancelRun = MessageOf<typeof CancelRun>;

export const GetRun = answeredByRuntime(
  defineNamed(
    "TroupeGetRun",
    fieldsSchema((fields) => ({ run_id: fields.text("run_id"), owner: fields.text("owner", "") })),
    { answer: RunStatusMessage },
  ),
);
export type GetRun = MessageOf<typeof GetRun>;

/** Lists the runs of the agent, the oldest first. `after` continues a list. `status`: only these runs, empty for all. `owner`: only runs that began with this one; empty for those without one. */
export const ListRuns = answeredByRuntime(
  defineNamed(
    "TroupeListRuns",
    fieldsSchema((fields) => ({
      status: fields.text("status", ""),
      owner: fields.text("owner", ""),
      after: fields.text("after", ""),
      limit: fields.whole("limit", 100),
    })),
    { answer: RunList },
  ),
);
export type ListRuns = MessageOf<typeof ListRuns>;

/** Asks the worker of an agent for its unfinished runs: those that no worker has begin there, or end. A reminder sends it. The answer is an empty list. */
export const ContinueRuns = answeredByRuntime(
  defineNamed(
    "TroupeContinueRuns",
    fieldsSchema(() => ({})),
    { answer: RunList },
  ),
);
export type ContinueRuns = MessageOf<typeof ContinueRuns>;

/** A message that the runtime answers in place of its agent. */
export type RunMessage = StartRun | ReadRun | CancelRun | GetRun | ListRuns | ContinueRuns;

const requests: readonly MessageType[] = [StartRun, ReadRun, CancelRun, GetRun, ListRuns, ContinueRuns];

/** All message types of runs. */
export const runMessages: readonly MessageType[] = [...requests, RunStatusMessage, RunPage, RunPart, RunList];

const requestNames: ReadonlySet<string> = new Set(requests.map(({ typeName }) => typeName));

/** Whether a message with this type name is for the runtime, and not for its agent. */
export function isRunMessageName(typeName: string): boolean {
  return requestNames.has(typeName);
}

/** Whether the runtime answers this message in place of its agent. */
export function isRunMessage(message: unknown): message is RunMessage {
  return typeof message === "object" && message !== null && runMessageKey in message;
}
