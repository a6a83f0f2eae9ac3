import { readFileSync } from "node:fs";
import process from "node:process";
import { Command, InvalidArgumentError, Option } from "commander";
import {
  type AgentName,
  type Expected,
  errorText,
  jsonContentType,
  type ListedState,
  loggableText,
  type StateRecord,
  type StateStore,
  type StateWrite,
  StoreError,
  TroupeError,
} from "../../core/internal.ts";
import {
  defaultStateFile,
  openState,
  parseStateLocation,
  type StateLocation,
  withAdvice,
} from "../state/state-location.ts";
import { formatTable } from "../table.ts";

interface StateFlags {
  readonly state: StateLocation;
  readonly json: boolean;
}

interface ListFlags extends StateFlags {
  readonly prefix?: string;
  readonly limit: number;
}

interface SetFlags extends StateFlags {
  readonly contentType?: string;
  readonly schemaVersion?: number;
}

/**
 * The command `troupe state`. It opens the store itself. Reading works beside a host; `set` and `delete` need a store that no host
 * holds.
 */
export function stateCommand(): Command {
  const command = new Command("state").description("Look at the stored states of agents, change them, back them up");
  command.addCommand(
    withFlags(new Command("list").description("List agents with a stored state"))
      .argument("[type]", "only agents of this type")
      .option("--prefix <key>", "only keys that begin so")
      .option("--limit <count>", "agents at most", wholeNumber, 1_000)
      .action(async (type: string | undefined, flags: ListFlags) => {
        await using store = await openExisting(flags.state, { readOnly: true });
        print(flags, await listStates(store, type, flags), tableOf);
      }),
  );
  command.addCommand(
    withFlags(new Command("get").description("Show the state of one agent"))
      .argument("<agent>", "type/key", parseAgent)
      .action(async (agent: AgentName, flags: StateFlags) => {
        await using store = await openExisting(flags.state, { readOnly: true });
        print(flags, shownRecord(agent, await recordOf(store, agent)), textOfRecord);
      }),
  );
  command.addCommand(
    withFlags(new Command("set").description("Store a state, from a file or from standard input"))
      .argument("<agent>", "type/key", parseAgent)
      .argument("<file>", "file with the state; -: standard input")
      .option("--content-type <type>", `default: ${jsonContentType}, which must be JSON`)
      .option(
        "--schema-version <number>",
        "version of the state's definition (default: as it is stored, else 1)",
        wholeNumber,
      )
      .action(async (agent: AgentName, file: string, flags: SetFlags) => {
        const data = readInput(file);
        await using store = await openFree(flags.state);
        const stored = await find(store, agent);
        const { contentType = jsonContentType, schemaVersion = stored?.schemaVersion ?? 1 } = flags;
        if (contentType === jsonContentType) assertJson(data, file);
        const eTag = await write(store, agent, { stored, write: { at: "put", contentType, schemaVersion, data } });
        print(flags, { ...agent, eTag, bytes: data.length }, () => `stored ${nameOf(agent)}`);
      }),
  );
  command.addCommand(
    withFlags(new Command("delete").description("Delete the state of one agent, with its reminders and mail"))
      .argument("<agent>", "type/key", parseAgent)
      .action(async (agent: AgentName, flags: StateFlags) => {
        await using store = await openFree(flags.state);
        await write(store, agent, { stored: await recordOf(store, agent), write: { at: "delete" } });
        print(flags, { ...agent, isDeleted: true }, () => `deleted ${nameOf(agent)}`);
      }),
  );
  command.addCommand(
    withFlags(new Command("backup").description("Copy a SQLite store into a new file, also while a host writes to it"))
      .argument("<file>", "the new file")
      .action(async (target: string, flags: StateFlags) => {
        const { backupSqliteStore } = await import("../../storage/sqlite/index.ts");
        await backupSqliteStore(fileOf(flags.state, "Back a database up with pg_dump."), target);
        print(flags, { file: target }, () => `wrote ${target}`);
      }),
  );
  command.addCommand(
    withFlags(
      new Command("check").description("Check the file of a SQLite store, also while a host writes to it"),
    ).action(async (flags: StateFlags) => {
      const { checkSqliteStore } = await import("../../storage/sqlite/index.ts");
      const faults = await checkSqliteStore(fileOf(flags.state, "The server checks its own database."));
      if (faults.length > 0) process.exitCode = 1;
      const advice = "The file is damaged. Stop what uses it, and restore a backup.";
      print(flags, { faults }, () => (faults.length === 0 ? "no faults" : [...faults, advice].join("\n")));
    }),
  );
  return command;
}

function withFlags(command: Command): Command {
  return command
    .addOption(
      new Option("--state <store>", "the store: sqlite:FILE or postgres://…")
        .argParser(parseState)
        .default({ kind: "sqlite", file: defaultStateFile } satisfies StateLocation, `sqlite:${defaultStateFile}`),
    )
    .option("--json", "print JSON", false);
}

/** Reads `--state`. */
export function parseState(text: string): StateLocation {
  const location = parseStateLocation(text);
  if (location !== undefined) return location;
  throw new InvalidArgumentError("Not a state store: write sqlite:FILE, postgres://USER@HOST/DATABASE or memory:.");
}

function openExisting(location: StateLocation, { readOnly = false } = {}): Promise<StateStore> {
  if (location.kind !== "memory") return openState(location, { creates: false, thread: false, readOnly });
  throw new TroupeError("invalid-argument", "A store in memory lives in its host alone. Name a file or a database.");
}

/** Opens a store for writing. */
async function openFree(location: StateLocation): Promise<StateStore> {
  const store = await openExisting(location);
  try {
    await store.open();
    return store;
  } catch (error) {
    await store.close();
    throw withAdvice(error, {
      inUse: "A host that runs writes its states itself: this command needs a store that no host holds.",
    });
  }
}

async function listStates(store: StateStore, type: string | undefined, { prefix, limit }: ListFlags) {
  const found: ListedState[] = [];
  let after: AgentName | undefined;
  while (found.length < limit) {
    const page = await store.list({ type, keyPrefix: prefix, after, limit: Math.min(limit - found.length, 10_000) });
    found.push(...page.records);
    if (page.isLast) break;
    after = page.records.at(-1)?.agent;
  }
  return found.map(({ agent, ...record }) => ({
    ...agent,
    ...record,
    savedAt: new Date(record.savedAtMs).toISOString(),
  }));
}

function tableOf(records: Awaited<ReturnType<typeof listStates>>): string {
  if (records.length === 0) return "no stored states";
  const rows = records.map(({ type, key, revision, schemaVersion, bytes, savedAt }) => [
    ...[loggableText(type), loggableText(key)],
    ...[revision, schemaVersion, bytes, savedAt],
  ]);
  return formatTable(["type", "key", "revision", "version", "bytes", "saved"], rows);
}

const decoder = new TextDecoder("utf-8", { fatal: true });

function shownRecord(agent: AgentName, { data, savedAtMs, ...record }: StateRecord) {
  const shown = { ...agent, ...record, savedAt: new Date(savedAtMs).toISOString() };
  try {
    return { ...shown, text: decoder.decode(data) };
  } catch {
    return { ...shown, base64: Buffer.from(data).toString("base64") };
  }
}

function textOfRecord(record: ReturnType<typeof shownRecord>): string {
  const { type, key, revision, schemaVersion, contentType, savedAt, eTag } = record;
  const head = `${nameOf({ type, key })}  revision ${revision}, version ${schemaVersion}, ${contentType}, saved ${savedAt}, eTag ${eTag}`;
  return `${head}\n${"text" in record ? record.text : record.base64}`;
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

/** Writes over the version that was read; returns the new eTag. */
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
  throw new TroupeError(
    "state-unavailable",
    `Another program has written ${nameOf(agent)} meanwhile. Nothing has changed.`,
  );
}

function fileOf(location: StateLocation, advice: string): string {
  if (location.kind === "sqlite") return location.file;
  throw new TroupeError("invalid-argument", `This command is for SQLite stores. ${advice}`);
}

function print<T>({ json }: StateFlags, value: T, toText: (value: T) => string): void {
  process.stdout.write(`${json ? JSON.stringify(value, undefined, 2) : toText(value)}\n`);
}

function nameOf({ type, key }: AgentName): string {
  return loggableText(`${type}/${key}`);
}

function parseAgent(text: string): AgentName {
  const slash = text.indexOf("/");
  if (slash > 0) return { type: text.slice(0, slash), key: text.slice(slash + 1) };
  throw new InvalidArgumentError("Not an agent: write type/key, such as counter/7.");
}

/** Reads the state that an operator stores; `-` is standard input. */
function readInput(file: string): Uint8Array {
  try {
    return readFileSync(file === "-" ? 0 : file);
  } catch (cause) {
    const isMissing = cause instanceof Error && "code" in cause && cause.code === "ENOENT";
    const why = isMissing ? "There is no such file" : loggableText(errorText(cause));
    const text = `${nameOfInput(file)} can't be read: ${why}. Name a file with the state, or - for standard input.`;
    throw new TroupeError("invalid-argument", text, { cause });
  }
}

function nameOfInput(file: string): string {
  return file === "-" ? "Standard input" : loggableText(file);
}

function assertJson(data: Uint8Array, file: string): void {
  try {
    JSON.parse(decoder.decode(data));
  } catch (cause) {
    const why = data.length === 0 ? "it is empty" : loggableText(errorText(cause));
    const text = `${nameOfInput(file)} is not JSON: ${why}. Correct it, or name its --content-type.`;
    throw new TroupeError("invalid-argument", text, { cause });
  }
}

function wholeNumber(text: string): number {
  if (/^\d{1,9}$/.test(text)) return Number(text);
  throw new InvalidArgumentError("Not a whole number.");
}
