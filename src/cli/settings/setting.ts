import { Command, type Option } from "commander";
import { nearestName } from "../../core/internal.ts";
import { addClientFlags, clientTokenVariable } from "../client/client-flags.ts";
import { secretVariable } from "../commands/cluster-flags.ts";
import { tokensVariable } from "../commands/host-authenticator.ts";

/** `host`: flags of `troupe host`. `client`: those by which other commands connect to a host as workers do. */
export const sections = ["host", "client"] as const;
export type Section = (typeof sections)[number];

/** A flag that may also stand in the file of settings or in the environment. */
export interface Setting {
  readonly section: Section;
  /** Its name in the file: the flag without its dashes. */
  readonly key: string;
  readonly variable: string;
  /** The name of its value among those of the command. */
  readonly attribute: string;
  readonly option: Option;
  /** Undefined: the flag takes no value, and the setting is true or false. */
  readonly parse: ((text: string) => unknown) | undefined;
  /** Whether `false` turns it off, though it takes a value: there is a flag --no-… beside it. */
  readonly takesFalse: boolean;
}

/** Variables that name the file of settings, and those that have a secret themselves. */
export const configVariable = "TROUPE_CONFIG";
export const secretVariables = [tokensVariable, secretVariable, clientTokenVariable] as const;

/** Flags that are no settings: they say where the settings are, or end the command. */
const noSettings = new Set(["--config", "--no-config", "--help", "--json", "--given"]);

/** The section of a command. Undefined: no setting is for it. */
export function sectionOf(command: Command): Section | undefined {
  const has = (flag: string): boolean => command.options.some(({ long }) => long === flag);
  if (has("--jwt-issuer")) return "host";
  return has("--tls-server-name") ? "client" : undefined;
}

/** The settings of a command, in the order of its help. The flags themselves are the list of all settings: there is no second one. */
export function settingsOf(command: Command): readonly Setting[] {
  const section = sectionOf(command);
  if (section === undefined) return [];
  const ofClients =
    section === "client" ? new Set(addClientFlags(new Command()).options.map(({ long }) => long)) : undefined;
  const options = command.options.filter(
    ({ long }) => long && !noSettings.has(long) && (ofClients === undefined || ofClients.has(long)),
  );
  const positive = new Set(options.filter(({ negate }) => !negate).map((option) => option.attributeName()));
  return options.flatMap((option) => {
    const attribute = option.attributeName();
    if (option.negate && positive.has(attribute)) return [];
    const key = (option.long ?? "").replace(option.negate ? /^--no-/ : /^--/, "");
    const takesFalse = options.some((other) => other.negate && other.attributeName() === attribute);
    return [
      { section, key, variable: variableOf(section, key), attribute, option, parse: parserOf(option), takesFalse },
    ];
  });
}

function variableOf(section: Section, key: string): string {
  const name = `TROUPE_${section === "client" ? "CLIENT_" : ""}${key.replaceAll("-", "_").toUpperCase()}`;
  // The variable without FILE has the secret itself.
  return (secretVariables as readonly string[]).includes(name) ? `${name}_FILE` : name;
}

function parserOf(option: Option): Setting["parse"] {
  if (!option.required && !option.optional) return undefined;
  const { parseArg } = option;
  return parseArg === undefined ? (text) => text : (text) => parseArg(text, undefined);
}

/** Variables that begin as settings do, and are none, with the name that was most likely meant. Programs beside may have such variables. */
export function unknownVariables(
  environment: Readonly<Record<string, string | undefined>>,
  known: readonly Setting[],
): readonly { readonly name: string; readonly nearest: string | undefined }[] {
  const names = [...known.map(({ variable }) => variable), configVariable, ...secretVariables];
  const bare = (name: string): string => name.slice("TROUPE_".length);
  return Object.keys(environment)
    .filter((name) => name.startsWith("TROUPE_") && !names.includes(name))
    .sort()
    .map((name) => {
      const nearest = nearestName(bare(name), names.map(bare));
      return { name, nearest: nearest && `TROUPE_${nearest}` };
    });
}
