import { readdirSync, readFileSync } from "node:fs";
import { join, relative, sep } from "node:path";
import requirements from "./requirements.json" with { type: "json" };
import { taggedTitles } from "./tagged-titles.ts";

/**
 * One statement of protocol.md §8; `pending` names the change that will bring it, where it is not built yet. One that only
 * real Python peers can prove is `provenBy` interop: no other test proves it, and a whole run of interop must.
 */
export interface Requirement {
  readonly id: number;
  readonly group: string;
  readonly statement: string;
  readonly origin: readonly string[];
  readonly pending?: string;
  readonly provenBy?: string;
}

export interface TestReference {
  /** From the root, with `/`. */
  readonly file: string;
  readonly title: string;
}

/** All 137 statements, in the order of protocol.md §8. */
export const allRequirements: readonly Requirement[] = requirements;

const tag = /\[§8\.(\d+)\]/gu;

/** Every title of a test in the tree that carries a tag `[§8.N]` and runs, by N. */
export function testsByRequirement(root: string): ReadonlyMap<number, readonly TestReference[]> {
  const found = new Map<number, TestReference[]>();
  for (const file of testFiles(join(root, "tests"))) {
    for (const title of taggedTitles(readFileSync(file, "utf8"))) {
      for (const id of idsIn(title)) {
        const references = found.get(id) ?? [];
        references.push({ file: relative(root, file).split(sep).join("/"), title });
        found.set(id, references);
      }
    }
  }
  return found;
}

/** The numbers `N` of the tags `[§8.N]` in a title. */
export function idsIn(title: string): readonly number[] {
  return [...title.matchAll(tag)].map(([, id]) => Number(id));
}

function* testFiles(folder: string): Iterable<string> {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) yield* testFiles(path);
    else if (entry.name.endsWith(".ts")) yield path;
  }
}
