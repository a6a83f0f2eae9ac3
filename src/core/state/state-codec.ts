import type { StandardSchemaV1 } from "@standard-schema/spec";
import { errorText, TroupeError } from "../errors.ts";
import { encodeText } from "../serialization/json-codec.ts";
import { bareContentType, jsonContentType } from "../serialization/message-type.ts";
import { issuesText } from "../serialization/standard-schema.ts";
import { isThenable } from "../thenable.ts";
import type { StateDefinition } from "./define-state.ts";
import type { StateRecord } from "./state-store.ts";

/** The part of a definition that reading and writing need. */
type Shape<T extends object> = Pick<StateDefinition<T>, "schema" | "json" | "maxBytes">;

const decoder = new TextDecoder("utf-8", { fatal: true });

/** Writes a state as JSON. Throws `invalid-state` if JSON can't hold it. */
export function textOfState(definition: Pick<Shape<object>, "json">, state: object): string {
  let text: unknown;
  try {
    text = definition.json.stringify(state);
  } catch (cause) {
    throw new TroupeError("invalid-state", `The state can't be written as JSON: ${errorText(cause)}`, { cause });
  }
  if (typeof text === "string") return text;
  throw new TroupeError("invalid-state", "The state can't be written as JSON: its codec returned no text.");
}

/** Reads the text of a state that was checked before. */
export function stateOfText<T extends object>(definition: Shape<T>, text: string): T {
  const fit = fitOf(definition, definition.json.parse(text));
  if (fit.at === "fits") return fit.state;
  throw new TroupeError("invalid-state", fit.why);
}

/** Throws `invalid-state` if the program could not read the text again as a state. */
export function assertFits(definition: Shape<object>, text: string): void {
  stateOfText(definition, text);
}

/** Encodes the text of a state. Throws `state-too-large`. */
export function bytesOfText({ maxBytes }: Pick<Shape<object>, "maxBytes">, text: string): Uint8Array {
  const bytes = encodeText(text);
  if (bytes.length <= maxBytes) return bytes;
  const error = `The state has ${bytes.length} bytes as JSON, and the limit is ${maxBytes}.`;
  throw new TroupeError("state-too-large", `${error} Keep less in it, or raise maxBytes of defineState.`);
}

// protocol.md §1.7
/** JSON, also as the text that a stock client has saved. */
const readableTypes: ReadonlySet<string> = new Set([jsonContentType, "text/plain"]);

/** Reads a stored record and migrates it. Throws `state-unreadable` or `state-too-new`; the text names the agent. */
export function stateOfRecord<T extends object>(
  definition: StateDefinition<T>,
  { schemaVersion, contentType, data }: Pick<StateRecord, "schemaVersion" | "contentType" | "data">,
  agent: string,
): T {
  const source = { version: schemaVersion, agent, isStored: true };
  if (!readableTypes.has(bareContentType(contentType))) {
    throw unreadable(source, `its content type is ${JSON.stringify(contentType)}, not ${jsonContentType}`);
  }
  let stored: unknown;
  try {
    stored = definition.json.parse(decoder.decode(data));
  } catch (cause) {
    throw unreadable(source, "its bytes are not JSON", cause);
  }
  return stateOfValue(definition, stored, source);
}

/** A state that is read, for errors. */
export interface StateSource {
  /** The version of its writer. 0: the writer named none, so that it counts as the present one. */
  readonly version: number;
  readonly agent: string;
  /** False: a program has given it. */
  readonly isStored: boolean;
}

/** Migrates and checks a state of an older version. */
export function stateOfValue<T extends object>(definition: StateDefinition<T>, value: unknown, source: StateSource): T {
  const { version: storedVersion, agent } = source;
  const { version, migrations } = definition;
  if (storedVersion > version) {
    const text = `The state of ${agent} has version ${storedVersion}, and this program knows versions up to ${version}.`;
    throw new TroupeError("state-too-new", `${text} Run the newer program for this agent.`);
  }
  let state = value;
  for (let from = storedVersion === 0 ? version : storedVersion; from < version; from += 1) {
    try {
      // The user writes each migration for the version before; TypeScript can't follow that.
      state = migrations[from]?.(state as never);
    } catch (cause) {
      throw unreadable(source, `its migration from version ${from} failed: ${errorText(cause)}`, cause);
    }
    if (isThenable(state)) {
      state.then(undefined, () => undefined);
      throw unreadable(source, `its migration from version ${from} is asynchronous, and must not be`);
    }
  }
  const fit = fitOf(definition, state);
  if (fit.at === "fits") return fit.state;
  throw unreadable(source, fit.why);
}

type Fit<T> = { readonly at: "fits"; readonly state: T } | { readonly at: "misfit"; readonly why: string };

function fitOf<T extends object>({ schema }: Shape<T>, value: unknown): Fit<T> {
  let result: StandardSchemaV1.Result<T> | Promise<StandardSchemaV1.Result<T>>;
  try {
    result = schema["~standard"].validate(value);
  } catch (error) {
    return { at: "misfit", why: `The schema of the state failed on it: ${errorText(error)}` };
  }
  if (isThenable(result)) {
    result.then(undefined, () => undefined);
    return { at: "misfit", why: "The schema of the state validates asynchronously; states need a synchronous schema." };
  }
  if (result.issues !== undefined) {
    return { at: "misfit", why: `The state does not fit its schema: ${issuesText(result.issues)}` };
  }
  const state: unknown = result.value;
  if (typeof state !== "object" || state === null || Array.isArray(state)) {
    return { at: "misfit", why: "A state is an object with named fields." };
  }
  return { at: "fits", state: result.value };
}

function unreadable({ agent, version, isStored }: StateSource, why: string, cause?: unknown): TroupeError {
  const state = `The ${isStored ? "stored" : "given"} state${version === 0 ? "" : ` (version ${version})`}`;
  const advice = isStored
    ? "It is not changed. Correct the program, or the stored state."
    : "The agent keeps the state that it has. Correct the state, or the program.";
  const reason = /[.!?]$/.test(why) ? why : `${why}.`;
  return new TroupeError("state-unreadable", `${state} of ${agent} can't be read: ${reason} ${advice}`, { cause });
}
