import { expect, test } from "vitest";
import { type Generation, generations } from "./generations.ts";
import { recordedOfPythonHost } from "./recorded-host.ts";

/** One way in which AutoGen's own host and ours behave differently, as docs/protocol.md §10 tells it. */
export interface Difference {
  readonly situation: string;
  readonly autogen: string;
  readonly troupe: string;
}

declare module "vitest" {
  interface TaskMeta {
    difference?: Difference;
  }
}

export interface Situation {
  readonly title: string;
  /** In recorded-python-host.json: says what happens, and what AutoGen's own host made of it. */
  readonly scenario: string;
  /** What the record of each generation must hold, so that `autogen` is not just a claim. */
  readonly recorded: unknown;
  readonly autogen: string;
  readonly troupe: string;
  /** The generations of Python peers it is tried with. Default: all. */
  readonly with?: readonly Generation["number"][];
}

/** Tests that our host does better, once with peers of each generation. */
export function situation(described: Situation, body: (generation: Generation) => Promise<void>): void {
  const { title, scenario, recorded, autogen, troupe } = described;
  for (const generation of generations) {
    if (described.with?.includes(generation.number) === false) continue;
    const { skipReason } = generation;
    const name = `${title} (${generation.name}${skipReason === undefined ? "" : `, skipped: ${skipReason}`})`;
    test.skipIf(skipReason)(name, async ({ task }) => {
      const record = recordedOfPythonHost(generation, scenario);
      expect(record.observed).toMatchObject(Object(recorded));
      await body(generation);
      task.meta.difference = { situation: record.does, autogen, troupe };
    });
  }
}

/** The differences as the table that docs/protocol.md keeps, each once. */
export function renderDifferences(differences: readonly Difference[]): string {
  const rows = differences.map(({ situation: does, autogen, troupe }) => `| ${does} | ${autogen} | ${troupe} |`);
  return ["| Situation | AutoGen's host | Troupe's host |", "|---|---|---|", ...new Set(rows)].join("\n");
}
