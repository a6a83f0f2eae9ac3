import { Buffer, isUtf8 } from "node:buffer";
import {
  type AgentName,
  type Expected,
  errorText,
  jsonContentType,
  loggableText,
  type StateRecord,
  type StateStore,
  type StateWrite,
  StoreError,
  TroupeError,
} from "../core/internal.ts";
import { JsonScan } from "./json-scan.ts";
import { shortBytes } from "./long-checks.ts";

/** A stored state in a list. */
export interface ListedRow {
  readonly type: string;
  readonly key: string;
  readonly revision: number;
  readonly schemaVersion: number;
  readonly contentType: string;
  readonly bytes: number;
  readonly savedAt: string;
  readonly eTag: string;
}

/** A stored state with its bytes: as a text if they are UTF-8. */
export interface ShownState extends Omit<ListedRow, "bytes"> {
  readonly text?: string;
  readonly base64?: string;
}

export interface ListStatesQuery {
  readonly type?: string | undefined;
  readonly prefix?: string | undefined;
  readonly after?: AgentName | undefined;
  readonly limit: number;
}

/** A state to store. */
export interface NewState {
  readonly data: Uint8Array;
  /** Default: JSON; the data must be a JSON object then. */
  readonly contentType?: string | undefined;
  /** Default: as it is stored, else 1. */
  readonly schemaVersion?: number | undefined;
}

/** Lists stored states: one page, and the agent after which the next one begins. */
export async function listStates(
  store: StateStore,
  { type, prefix, after, limit }: ListStatesQuery,
): Promise<{ readonly rows: readonly ListedRow[]; readonly next: AgentName | undefined }> {
  const { records, isLast } = await store.list({ type, keyPrefix: prefix, after, limit });
  const rows = records.map(({ agent, savedAtMs, revision, schemaVersion, contentType, bytes, eTag }) => ({
    ...{ type: agent.type, key: agent.key, revision, schemaVersion, contentType, bytes },
    ...{ savedAt: new Date(savedAtMs).toISOString(), eTag },
  }));
  return { rows, next: isLast ? undefined : records.at(-1)?.agent };
}

/** Returns the row that a list has of one agent; undefined: nothing is stored. It reads no state. */
export async function findListed(store: StateStore, { type, key }: AgentName): Promise<ListedRow | undefined> {
  // The key itself comes before all longer ones.
  const { rows } = await listStates(store, { type, prefix: key, limit: 1 });
  return rows.find((row) => row.key === key);
}

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Reads the state of an agent. Rejects as `not-found`. */
export async function showState(store: StateStore, agent: AgentName): Promise<ShownState> {
  const { data, revision, schemaVersion, contentType, savedAtMs, eTag } = await recordOf(store, agent);
  const savedAt = new Date(savedAtMs).toISOString();
  const shown = { ...{ type: agent.type, key: agent.key, revision, schemaVersion, contentType, savedAt }, eTag };
  try {
    return { ...shown, text: decoder.decode(data) };
  } catch {
    return { ...shown, base64: Buffer.from(data).toString("base64") };
  }
}

/** Stores a state over the version that is there now. Resolves to its eTag. `inTurn`: runs the steps of the check of a JSON text, now or later. */
export async function putState(
  store: StateStore,
  agent: AgentName,
  state: NewState,
  inTurn: (bytes: number, check: () => Iterable<void>) => Promise<void> = async (_, check) => {
    for (const step of check()) void step;
  },
): Promise<string> {
  const { data, contentType = jsonContentType } = state;
  if (contentType === jsonContentType) await inTurn(data.length, () => checkJsonState(data, "The state"));
  const stored = await find(store, agent);
  const { schemaVersion = stored?.schemaVersion ?? 1 } = state;
  return write(store, agent, { stored, write: { at: "put", contentType, schemaVersion, data } });
}

/** Deletes the state of an agent, its reminders, and mail to it. Rejects as `not-found`. */
export async function deleteState(store: StateStore, agent: AgentName): Promise<void> {
  await write(store, agent, { stored: await recordOf(store, agent), write: { at: "delete" } });
}

async function recordOf(store: StateStore, agent: AgentName): Promise<StateRecord> {
  const record = await find(store, agent);
  if (record !== undefined) return record;
  throw new TroupeError("not-found", `Nothing is stored for ${nameOf(agent)}. See troupe state list.`);
}

async function find(store: StateStore, agent: AgentName): Promise<StateRecord | undefined> {
  const record = await store.load(agent);
  return record === "unchanged" ? undefined : record;
}

async function write(
  store: StateStore,
  agent: AgentName,
  change: { readonly stored: StateRecord | undefined; readonly write: StateWrite },
): Promise<string> {
  const { stored } = change;
  const expected: Expected = stored === undefined ? { at: "nothing" } : { at: "version", eTag: stored.eTag };
  const parts = { epoch: undefined, expected, reminders: [], mail: [], remembered: [] };
  const [outcome] = await store.commit([{ agent, write: change.write, ...parts }]);
  if (outcome?.at === "committed") return outcome.eTag;
  if (outcome?.at === "refused") throw new StoreError("full", `The store refuses the state: ${outcome.limit}.`);
  throw new TroupeError("state-conflict", `${nameOf(agent)} was written meanwhile. Nothing has changed; try again.`);
}

/** Formats the name of an agent for people. */
export function nameOf({ type, key }: AgentName): string {
  return loggableText(`${type}/${key}`);
}

/** As `assertJsonState`, in short steps for a long state: it makes no values of the text. */
export function* checkJsonState(data: Uint8Array, name: string): Iterable<void> {
  if (data.length <= shortBytes) return assertJsonState(data, name);
  if (!isUtf8(data)) throw notJson(name, "it is not UTF-8");
  try {
    yield* new JsonScan().read(data);
  } catch (cause) {
    throw notJson(name, errorText(cause), cause);
  }
  const start = data.find((byte) => byte > 0x20) ?? 0;
  if (start !== openBrace) throw notObject(name, kindsByStart[String.fromCharCode(start)] ?? "a number");
}

const openBrace = 0x7b;
const kindsByStart: Readonly<Record<string, string>> = {
  ...{ "[": "a list", '"': "a string", t: "a boolean", f: "a boolean", n: "null" },
};

function notJson(name: string, why: string, cause?: unknown): TroupeError {
  return new TroupeError("invalid-argument", `${name} is not JSON: ${why}. ${advice}`, { cause });
}

const advice = "Correct it, or name its --content-type.";

/** Throws unless the bytes are a JSON object, as the state of a persistent agent is. `name` names them in the error. */
export function assertJsonState(data: Uint8Array, name: string): void {
  let value: unknown;
  try {
    value = JSON.parse(decoder.decode(data));
  } catch (cause) {
    const why = data.length === 0 ? "it is empty" : loggableText(errorText(cause));
    throw notJson(name, why, cause);
  }
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return;
  const kind = value === null ? "null" : Array.isArray(value) ? "a list" : `a ${typeof value}`;
  throw notObject(name, kind);
}

function notObject(name: string, kind: string): TroupeError {
  const text = `${name} is not a JSON object but ${kind}. A state has named fields. ${advice}`;
  return new TroupeError("invalid-argument", text);
}
