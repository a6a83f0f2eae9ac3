import { existsSync, readFileSync } from "node:fs";
import { errorText, loggableText, nearestName, quoted, TroupeError } from "../../core/internal.ts";
import { loadYaml, type YamlText } from "../../security/internal.ts";
import { type Section, sections } from "./setting.ts";

/** The file that is read without being named, in the folder in which the command runs. */
export const usualFile = "troupe.yaml";

/** The longest file that is read, in bytes. */
const longestFile = 1_024 * 1_024;

/** A value of the file, and where it stands. */
export interface FileValue {
  readonly value: unknown;
  /** `troupe.yaml:3`, or the name of the file alone. */
  readonly place: string;
}

/** A file of settings that was read. */
export interface SettingsFile {
  readonly file: string;
  readonly sections: { readonly [Name in Section]?: ReadonlyMap<string, FileValue> };
}

/**
 * Reads the file of settings: the one that is named, else `troupe.yaml` if it is there. `false`: none. Rejects with `invalid-argument` for
 * a file that can't be read, with its line and what to write instead.
 */
export async function readSettingsFile(named: string | false | undefined): Promise<SettingsFile | undefined> {
  if (named === false || (named === undefined && !existsSync(usualFile))) return undefined;
  const file = named ?? usualFile;
  const shown = loggableText(file);
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (cause) {
    throw invalid(`The settings in ${shown} can't be read: ${loggableText(errorText(cause))}.`, cause);
  }
  if (text.length > longestFile) throw invalid(`The settings in ${shown} are longer than 1 MiB.`);
  const { content, lineOf } = file.endsWith(".json") ? jsonIn(text, shown) : await yamlIn(text, shown);
  return { file, sections: sectionsIn(content, shown, lineOf) };
}

function jsonIn(text: string, file: string): YamlText {
  try {
    return { content: JSON.parse(text), lineOf: () => undefined };
  } catch (cause) {
    throw invalid(`${file} is not JSON: ${loggableText(errorText(cause))}.`, cause);
  }
}

async function yamlIn(text: string, file: string): Promise<YamlText> {
  const read = await loadYaml((cause) => {
    const advice = "Settings in JSON need none, in a file whose name ends with .json.";
    return invalid(`The settings in ${file} need the package yaml: npm install yaml@2. ${advice}`, cause);
  });
  try {
    return read(text);
  } catch (cause) {
    throw invalid(`${file}: ${loggableText(errorText(cause))}`, cause);
  }
}

function sectionsIn(content: unknown, file: string, lineOf: YamlText["lineOf"]): SettingsFile["sections"] {
  if (content === null || content === undefined) return {};
  if (!isMapping(content)) throw invalid(`${file} has no settings. Write host: and settings below it.`);
  const found: { [Name in Section]?: ReadonlyMap<string, FileValue> } = {};
  for (const [name, settings] of Object.entries(content)) {
    const section = sections.find((one) => one === name);
    const at = placeOf(file, lineOf([name]));
    if (section === undefined) throw unknownName(at, "The file", "section", name, sections);
    if (settings === null) continue;
    if (!isMapping(settings))
      throw invalid(`${at}: ${section} has no settings. Write them below it: address: 127.0.0.1:50051.`);
    const values = Object.entries(settings).map(
      ([key, value]) => [key, { value, place: placeOf(file, lineOf([name, key])) }] as const,
    );
    found[section] = new Map(values);
  }
  return found;
}

function placeOf(file: string, line: number | undefined): string {
  return line === undefined ? file : `${file}:${line}`;
}

/** Makes the error for a name that is not known, with the one that was most likely meant. */
export function unknownName(
  place: string,
  owner: string,
  what: string,
  name: string,
  known: readonly string[],
): TroupeError {
  const nearest = nearestName(name, known);
  const help =
    nearest !== undefined
      ? `Did you mean ${nearest}?`
      : known.length <= 5
        ? `It has ${known.join(" and ")}.`
        : "troupe config lists all settings.";
  return invalid(`${place}: ${owner} has no ${what} ${quoted(name)}. ${help}`);
}

function isMapping(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function invalid(text: string, cause?: unknown): TroupeError {
  return new TroupeError("invalid-argument", text, { cause });
}
