import { parseArgs } from "node:util";

const names = ["rounds", "seconds", "warm-up", "only", "loads", "agents", "server"] as const;

/** Options of the parts; each part says which of them it knows. */
export type OptionName = (typeof names)[number];

export type PartOptions = Readonly<Partial<Record<OptionName, string>>>;

/** One part of the benchmark. */
export interface Part {
  readonly knows: readonly OptionName[];
  readonly measure: (options: PartOptions) => Promise<void>;
}

/** Options of parts that measure interleaved rounds of some seconds. */
export const timedOptions: readonly OptionName[] = ["rounds", "seconds", "warm-up", "only", "loads"];

/** Reads which parts to run, and their options. Throws an error for users if a part or an option is not known. */
export function readParts(
  args: readonly string[],
  parts: Readonly<Record<string, Part>>,
): { readonly chosen: readonly (readonly [string, Part])[]; readonly options: PartOptions } {
  const options = Object.fromEntries(names.map((name) => [name, { type: "string" as const }]));
  const { values, positionals } = parseArgs({ args: [...args], options, allowPositionals: true });
  const unknown = positionals.find((name) => !Object.hasOwn(parts, name));
  if (unknown !== undefined) {
    throw new Error(`There is no part ${unknown}. Name one of: ${Object.keys(parts).join(", ")}.`);
  }
  const chosen = Object.entries(parts).filter(([name]) => positionals.length === 0 || positionals.includes(name));
  for (const [name, { knows }] of chosen) {
    const foreign = Object.keys(values).find((option) => !knows.some((known) => known === option));
    if (foreign === undefined) continue;
    const known = knows.length === 0 ? "no options" : knows.map((option) => `--${option}`).join(", ");
    throw new Error(
      `The part ${name} does not know --${foreign}. It knows ${known}. Name other parts, or leave it out.`,
    );
  }
  // All options are texts.
  const given = values as PartOptions;
  assertNumbers(given);
  return { chosen, options: given };
}

/** Returns the options of a comparison as arguments. */
export function planArgs({ agents: _agents, server: _server, ...options }: PartOptions): readonly string[] {
  return Object.entries(options).flatMap(([name, value]) => (value === undefined ? [] : [`--${name}`, value]));
}

/** Returns the value of `--agents`. */
export function agentsIn({ agents }: PartOptions, usual: number): number {
  return agents === undefined ? usual : Number(agents);
}

function assertNumbers(values: PartOptions): void {
  for (const name of ["rounds", "seconds", "warm-up", "agents"] as const) {
    const value = values[name];
    if (value === undefined) continue;
    const isWhole = name === "rounds" || name === "agents";
    const isNumber = isWhole ? Number.isSafeInteger(Number(value)) : Number.isFinite(Number(value));
    if (isNumber && Number(value) > 0) continue;
    throw new Error(`--${name} ${value} is not possible. Give a ${isWhole ? "whole " : ""}number above 0.`);
  }
}
