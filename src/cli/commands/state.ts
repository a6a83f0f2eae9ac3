import { readFileSync } from "node:fs";
import process from "node:process";
import { Command, InvalidArgumentError, Option } from "commander";
import { assertJsonState, type ListedRow, nameOf, type ShownState } from "../../admin/internal.ts";
import { type AgentName, errorText, jsonContentType, loggableText, TroupeError } from "../../core/internal.ts";
import { addHostChoice, type HostChoice } from "../admin/find-host.ts";
import { formatText, type ListFlags, type PrintFlags, parseAgent, print, printList, rowCount } from "../printing.ts";
import { whileShown } from "../progress.ts";
import { fileOf, openForReading, openForWriting } from "../state/state-access.ts";
import { defaultStateFile, parseStateLocation, type StateLocation } from "../state/state-location.ts";
import { formatTable } from "../table.ts";
import { wholeNumber } from "../whole-number.ts";

interface StateFlags extends PrintFlags, HostChoice {
  readonly state: StateLocation;
}

interface ListStateFlags extends StateFlags, ListFlags {
  readonly prefix?: string;
}

interface SetFlags extends StateFlags {
  readonly contentType?: string;
  readonly schemaVersion?: number;
}

/**
 * The command `troupe state`. Reading opens the store itself, also beside a host. `set` and `delete` open a store that no host holds; else
 * they ask its host.
 */
export function stateCommand(): Command {
  const command = new Command("state").description("Look at the stored states of agents, change them, back them up");
  command.addCommand(
    withHost(new Command("list").description("List agents with a stored state"))
      .argument("[type]", "only agents of this type")
      .option("--prefix <key>", "only keys that begin so")
      .option("--limit <count>", "agents at most", rowCount, 1_000)
      .option("--after <place>", "go on where an earlier list ended")
      .action(async (type: string | undefined, flags: ListStateFlags) => {
        await using states = await openForReading(flags.state, flags);
        const { prefix, limit, after } = flags;
        printList(flags, await states.list({ type, prefix, limit, after }), tableOf);
      }),
  );
  command.addCommand(
    withHost(new Command("get").description("Show the state of one agent"))
      .argument("<agent>", "type/key", parseAgent)
      .action(async (agent: AgentName, flags: StateFlags) => {
        await using states = await openForReading(flags.state, flags);
        print(flags, await states.show(agent), textOfRecord);
      }),
  );
  command.addCommand(
    withHost(new Command("set").description("Store a state, from a file or from standard input"))
      .argument("<agent>", "type/key", parseAgent)
      .argument("<file>", "file with the state; -: standard input")
      .option("--content-type <type>", `default: ${jsonContentType}, which must be a JSON object`)
      .option(
        "--schema-version <number>",
        "version of the state's definition (default: as it is stored, else 1)",
        wholeNumber(1, 999_999_999),
      )
      .action(async (agent: AgentName, file: string, flags: SetFlags) => {
        const data = readInput(file);
        await using states = await openForWriting(flags.state, flags);
        const { contentType, schemaVersion } = flags;
        if ((contentType ?? jsonContentType) === jsonContentType) assertJsonState(data, nameOfInput(file));
        const eTag = await states.put(agent, { data, contentType, schemaVersion });
        print(flags, { ...agent, eTag, bytes: data.length }, () => `stored ${nameOf(agent)}`);
      }),
  );
  command.addCommand(
    withHost(new Command("delete").description("Delete the state of one agent, with its reminders and mail"))
      .argument("<agent>", "type/key", parseAgent)
      .action(async (agent: AgentName, flags: StateFlags) => {
        await using states = await openForWriting(flags.state, flags);
        await states.delete(agent);
        print(flags, { ...agent, isDeleted: true }, () => `deleted ${nameOf(agent)}`);
      }),
  );
  command.addCommand(
    withFlags(new Command("backup").description("Copy a SQLite store into a new file, also while a host writes to it"))
      .argument("<file>", "the new file")
      .action(async (target: string, flags: StateFlags) => {
        const { backupSqliteStore } = await import("../../storage/sqlite/index.ts");
        const file = fileOf(flags.state, "Back a database up with pg_dump.");
        await whileShown(`copies ${loggableText(file)} …`, () => backupSqliteStore(file, target));
        print(flags, { file: target }, () => `wrote ${target}`);
      }),
  );
  command.addCommand(
    withFlags(
      new Command("check").description("Check the file of a SQLite store, also while a host writes to it"),
    ).action(async (flags: StateFlags) => {
      const { checkSqliteStore } = await import("../../storage/sqlite/index.ts");
      const file = fileOf(flags.state, "The server checks its own database.");
      const faults = await whileShown(`reads ${loggableText(file)} …`, () => checkSqliteStore(file));
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
      new Option("--state <store>", "the store: sqlite:FILE or postgres://…; memory: asks its host")
        .argParser(parseState)
        .default({ kind: "sqlite", file: defaultStateFile } satisfies StateLocation, `sqlite:${defaultStateFile}`),
    )
    .option("--json", "print JSON", false);
}

function withHost(command: Command): Command {
  return addHostChoice(withFlags(command));
}

/** Reads `--state`. */
export function parseState(text: string): StateLocation {
  const location = parseStateLocation(text);
  if (location !== undefined) return location;
  throw new InvalidArgumentError("Not a state store: write sqlite:FILE, postgres://USER@HOST/DATABASE or memory:.");
}

function tableOf(records: readonly ListedRow[]): string {
  if (records.length === 0) return "no stored states";
  const rows = records.map(({ type, key, revision, schemaVersion, bytes, savedAt }) => [
    ...[type, key],
    ...[revision, schemaVersion, bytes, savedAt],
  ]);
  return formatTable(["type", "key", "revision", "version", "bytes", "saved"], rows);
}

function textOfRecord({ type, key, revision, schemaVersion, contentType, savedAt, eTag, ...data }: ShownState): string {
  const about = `revision ${revision}, version ${schemaVersion}, ${contentType}, saved ${savedAt}, eTag ${eTag}`;
  return `${nameOf({ type, key })}  ${formatText(about)}\n${formatText(data.text ?? data.base64 ?? "")}`;
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
