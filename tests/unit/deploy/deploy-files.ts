import { existsSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { Command, CommanderError } from "commander";
import { parse, parseAllDocuments } from "yaml";
import { assertClusterFlags } from "../../../src/cli/commands/cluster-flags.ts";
import { addHostFlags, assertStateFlags, type HostFlags } from "../../../src/cli/commands/host-flags.ts";

const root = resolve(import.meta.dirname, "../../..");

/** Reads a file of `deploy`. */
export function readDeployed(name: string): string {
  return readFileSync(inDeploy(name), "utf8");
}

export function isDeployed(name: string): boolean {
  return existsSync(inDeploy(name));
}

export function inDeploy(name: string): string {
  return join(root, "deploy", name);
}

// The tests name the parts that they look at; the schemas say that the files have them.
// biome-ignore lint/suspicious/noExplicitAny: a file of YAML has any form
export type Yaml = any;

export function readYaml(name: string): Yaml {
  return parse(readDeployed(name), { merge: true });
}

export function readDocuments(name: string): readonly Yaml[] {
  return parseAllDocuments(readDeployed(name)).map((document) => document.toJS());
}

/** Reads the arguments of `troupe host` as the command line does. Throws for a flag that it does not have, or a wrong value. */
export function parseHostArguments(words: readonly string[]): HostFlags {
  if (words[0] !== "host") throw new Error(`Not the command host: ${words[0]}`);
  const command = addHostFlags(new Command("host"))
    .exitOverride()
    .configureOutput({ writeErr: () => undefined });
  try {
    command.parse(words.slice(1), { from: "user" });
  } catch (error) {
    if (error instanceof CommanderError) throw new Error(error.message, { cause: error });
    throw error;
  }
  assertStateFlags(command);
  assertClusterFlags(command);
  return command.opts<HostFlags>();
}

/** The port of `HOST:PORT`. */
export function portOf(address: string): number {
  return Number(address.slice(address.lastIndexOf(":") + 1));
}

/** Milliseconds of `10s` or `1m`. */
export function milliseconds(text: string): number {
  const [, count = "", unit = ""] = /^(\d+)(ms|s|m|min)$/.exec(text) ?? [];
  const factor = { ms: 1, s: 1_000, m: 60_000, min: 60_000 }[unit];
  if (factor === undefined) throw new Error(`Not a duration: ${text}`);
  return Number(count) * factor;
}
