import process from "node:process";
import { Command } from "commander";
import { loggableText } from "../../core/internal.ts";
import { shownSettings } from "../admin/shown-settings.ts";
import { addClientFlags } from "../client/client-flags.ts";
import { coloursOf } from "../colours.ts";
import { type PrintFlags, print } from "../printing.ts";
import { applySettings, type FoundSetting, fileOf } from "../settings/apply-settings.ts";
import { secretVariables, settingsOf, unknownVariables } from "../settings/setting.ts";
import { formatTable } from "../table.ts";
import { addHostFlags } from "./host-flags.ts";

interface ConfigFlags extends PrintFlags {
  readonly given: boolean;
}

/** A setting as it is printed. */
export interface ShownSetting {
  /** Null: the setting has no value. */
  readonly value: unknown;
  readonly from: string;
}

interface ShownConfiguration {
  /** Null: no file was found, or `--no-config` forbids to read one. */
  readonly file: string | null;
  readonly host: { readonly [key: string]: ShownSetting };
  readonly client: { readonly [key: string]: ShownSetting };
  /** Variables that have secrets themselves, and are set. */
  readonly secrets: readonly string[];
}

/** The command `troupe config`: the settings of all commands, and where each comes from. It takes the flags of `troupe host`, too. */
export function configCommand(): Command {
  const command = addHostFlags(new Command("config"));
  // Its help would be that of troupe host once more.
  for (const option of command.options) if (!/^--(no-)?config$/.test(option.long ?? "")) option.hideHelp();
  return command
    .description("Show the settings that flags, environment and file give together, and where each comes from")
    .option("--given", "only those that are not defaults", false)
    .option("--json", "print JSON", false)
    .addHelpText(
      "after",
      "\nIt also takes each flag of troupe host, and shows what that command would run with. Secrets are hidden.",
    )
    .action(async (flags: ConfigFlags, ran: Command) => {
      const environment = process.env;
      const ofHost = await applySettings(ran, environment);
      const client = addClientFlags(new Command("client"));
      client.parse([], { from: "user" });
      const named = fileOf(ran, environment);
      client.setOptionValue("config", named);
      const ofClient = await applySettings(client, environment);
      const isWanted = ({ from }: FoundSetting): boolean => !flags.given || from !== "default";
      const shown: ShownConfiguration = {
        file: ofHost.file?.file ?? null,
        host: shownOf(ofHost.found.filter(isWanted)),
        client: shownOf(ofClient.found.filter(isWanted)),
        secrets: secretVariables.filter((name) => (environment[name] ?? "") !== ""),
      };
      print(flags, shown, textOfConfiguration);
      for (const { name, nearest } of unknownVariables(environment, [...settingsOf(ran), ...settingsOf(client)]))
        if (nearest !== undefined)
          process.stderr.write(`warning: ${loggableText(name)} is no setting. Did you mean ${nearest}?\n`);
    });
}

/** Settings with their values, and what is secret in them hidden. A default that the host applies itself is the one that its help names. */
function shownOf(found: readonly FoundSetting[]): { readonly [key: string]: ShownSetting } {
  return Object.fromEntries(
    found.map(({ setting: { key, option }, value, from }) => {
      const [, usual] = /\(default: ([^)]*)\)$/.exec(option.description) ?? [];
      return [key, { value: value === undefined ? (usual ?? null) : (shownSettings({ value }).value ?? null), from }];
    }),
  );
}

function textOfConfiguration({ file, host, client, secrets }: ShownConfiguration): string {
  const colours = coloursOf();
  const table = (settings: ShownConfiguration["host"]): string =>
    formatTable(
      ["setting", "value", "from"],
      Object.entries(settings).map(([key, { value, from }]) => [key, textOfValue(value), from]),
    );
  const section = (title: string, settings: ShownConfiguration["host"]): readonly string[] =>
    Object.keys(settings).length === 0 ? [] : [`${colours.faint(title)}\n${table(settings)}`];
  return [
    file === null ? "no file of settings is read" : `settings of ${loggableText(file)}`,
    ...section("host: flags of troupe host", host),
    ...section("client: flags of send, publish and doctor", client),
    ...(secrets.length === 0 ? [] : [`set, and not shown: ${secrets.join(", ")}`]),
  ].join("\n\n");
}

function textOfValue(value: unknown): string {
  if (value === null) return "-";
  return Array.isArray(value) ? value.join(",") : String(value);
}
