import { type Generation, generations } from "./generations.ts";

/** Who hosts and which workers are connected to it at once. */
export interface World {
  /** Undefined: our own host. */
  readonly host: Generation | undefined;
  readonly withTypeScript: boolean;
  readonly pythons: readonly Generation[];
}

/** Everything that is proven: ours with each generation alone and with all workers at once, each of Python's with ours. */
export const worlds: readonly World[] = [
  ...generations.map((generation) => ({ host: undefined, withTypeScript: false, pythons: [generation] })),
  { host: undefined, withTypeScript: true, pythons: generations },
  ...generations.map((generation) => ({ host: generation, withTypeScript: true, pythons: [generation] })),
];

export const columns = ["Call, JSON", "Call, protobuf", "Event, JSON", "Event, protobuf"] as const;
export type Column = (typeof columns)[number];

/** What a cell of the matrix can say; `explanations` says what each means. */
export type Mark = "yes" | "not sent" | "unknown type";

/** One proven cell, as a test leaves it for the reporter in its `meta`. */
export interface MatrixCell {
  readonly row: string;
  readonly column: Column;
  readonly mark: Mark;
}

declare module "vitest" {
  interface TaskMeta {
    matrixCell?: MatrixCell;
  }
}

export function hostName({ host }: World): string {
  return host === undefined ? "Troupe" : `Python gen ${host.number}`;
}

/** The names of a world's participants, as they are in the table. */
export function participantNames({ withTypeScript, pythons }: World): readonly string[] {
  return [...(withTypeScript ? ["TypeScript"] : []), ...pythons.map(({ number }) => `Python gen ${number}`)];
}

export function worldName(world: World): string {
  return `${hostName(world)}'s host with ${participantNames(world).join(", ")}`;
}

/** The first columns of a row, which name it. */
export function rowName(world: World, from: string, to: string): string {
  const names = participantNames(world);
  const workers = names.length === 1 ? "Python only" : names.length > 2 ? "all at once" : names.join(" and ");
  return `| ${hostName(world)} | ${workers} | ${from} → ${to} |`;
}

/** Every row, in the order of the table. */
export function rowNames(): readonly string[] {
  return worlds.flatMap((world) =>
    participantNames(world).flatMap((from) => participantNames(world).map((to) => rowName(world, from, to))),
  );
}

const explanations: Readonly<Record<Mark, string>> = {
  yes: "arrives as the declared type, and a call's answer comes back as one",
  "not sent": "Python's own runtime refuses to send it: its calls are JSON (§4.4)",
  "unknown type":
    "arrives, as `UnknownPayload`: gens 1 and 2 name a protobuf type by its last part, gen 3 by its full name (§4.2). " +
    "TypeScript reads both, and sends either: `protobufMessage(Schema, { typeName })`",
};

/** The matrix as the text that docs/protocol.md keeps. A cell without a mark was not run. */
export function renderMatrix(cells: readonly MatrixCell[]): string {
  const marks = new Map(cells.map(({ row, column, mark }) => [row + column, mark]));
  return [
    `| Host | Workers | From → to | ${columns.join(" | ")} |`,
    `|---|---|---|${columns.map(() => "---|").join("")}`,
    ...rowNames().map(
      (row) => `${row} ${columns.map((column) => `${marks.get(row + column) ?? "not run"} |`).join(" ")}`,
    ),
    "",
    ...Object.entries(explanations).map(([mark, text]) => `* **${mark}**: ${text}.`),
  ].join("\n");
}
