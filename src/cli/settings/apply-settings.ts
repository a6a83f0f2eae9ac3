import process from "node:process";
import type { Command } from "commander";
import { errorText, loggableText, quoted, TroupeError } from "../../core/internal.ts";
import { configVariable, type Setting, settingsOf } from "./setting.ts";
import { readSettingsFile, type SettingsFile, unknownName } from "./settings-file.ts";

type Environment = Readonly<Record<string, string | undefined>>;

/** A setting with its value and where that comes from: `flag`, a variable, a line of the file, or `default`. */
export interface FoundSetting {
  readonly setting: Setting;
  /** Undefined: the command names no default, and the host applies its own. */
  readonly value: unknown;
  readonly from: string;
}

/**
 * Gives a command the settings that its flags leave open: those of the environment first, then those of the file. Rejects with `invalid-argument` for a key that
 * is not known and for a value that its flag would refuse.
 */
export async function applySettings(
  command: Command,
  environment: Environment = process.env,
): Promise<{ readonly file: SettingsFile | undefined; readonly found: readonly FoundSetting[] }> {
  const settings = settingsOf(command);
  if (settings.length === 0) return { file: undefined, found: [] };
  const file = await readSettingsFile(fileOf(command, environment));
  assertKnown(file, settings);
  return { file, found: settings.map((setting) => apply(command, setting, environment, file)) };
}

/** The file that is named, by the flag or by the variable. False: none is read. */
export function fileOf(command: Command, environment: Environment): string | false | undefined {
  const given: unknown = command.getOptionValue("config");
  if (given === false) return false;
  if (typeof given === "string") return given;
  const named = environment[configVariable];
  return named === "" ? undefined : named;
}

function assertKnown(file: SettingsFile | undefined, settings: readonly Setting[]): void {
  const [first] = settings;
  if (file === undefined || first === undefined) return;
  const keys = settings.map(({ key }) => key);
  for (const [key, { place }] of file.sections[first.section] ?? [])
    if (!keys.includes(key)) throw unknownName(place, first.section, "setting", key, keys);
}

function apply(
  command: Command,
  setting: Setting,
  environment: Environment,
  file: SettingsFile | undefined,
): FoundSetting {
  const { attribute, variable, section, key } = setting;
  const source = command.getOptionValueSource(attribute);
  if (source === "cli") return { setting, value: command.getOptionValue(attribute), from: "flag" };
  const text = environment[variable];
  const kept = file?.sections[section]?.get(key);
  // An empty variable is one that is not set, as in a compose file.
  if (text !== undefined && text !== "") return set(command, setting, { value: text, from: variable, source: "env" });
  if (kept !== undefined)
    return set(command, setting, {
      value: ofFile(kept.value, setting, kept.place),
      from: kept.place,
      source: "config",
    });
  return { setting, value: command.getOptionValue(attribute), from: "default" };
}

function set(
  command: Command,
  setting: Setting,
  { value: text, from, source }: { readonly value: string; readonly from: string; readonly source: "env" | "config" },
): FoundSetting {
  const value = parsedValue(text, setting, from);
  command.setOptionValueWithSource(setting.attribute, value, source);
  return { setting, value, from };
}

/** Makes the text of a flag of what YAML and JSON have. */
function ofFile(value: unknown, { key, parse }: Setting, place: string): string {
  if (typeof value === "boolean" || typeof value === "number") return String(value);
  if (typeof value === "string" && value !== "") return value;
  const isList = Array.isArray(value) && value.length > 0 && value.every((one) => typeof one === "string");
  if (isList && parse !== undefined) return value.join(",");
  const what = value === null || value === "" ? "has no value" : "takes one value, or a list of names";
  throw invalid(`${place}: ${key} ${what}. Leave it out for its default.`);
}

function parsedValue(text: string, { key, parse, takesFalse }: Setting, from: string): unknown {
  if (parse === undefined) {
    if (text === "true" || text === "1") return true;
    if (text === "false" || text === "0") return false;
    throw invalid(`${from}: ${key} is ${quoted(text)}. Write true or false.`);
  }
  if (takesFalse && text === "false") return false;
  try {
    return parse(text);
  } catch (cause) {
    throw invalid(`${from}: ${key} is ${quoted(text)}. ${loggableText(errorText(cause))}`, cause);
  }
}

function invalid(text: string, cause?: unknown): TroupeError {
  return new TroupeError("invalid-argument", text, { cause });
}
