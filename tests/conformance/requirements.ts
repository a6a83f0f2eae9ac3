import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import requirements from "./requirements.json" with { type: "json" };

/** One statement of protocol.md §8; `pending` names the change that will bring it, where it is not built yet. */
export interface Requirement {
  readonly id: number;
  readonly group: string;
  readonly statement: string;
  readonly origin: readonly string[];
  readonly pending?: string;
}

export interface TestReference {
  readonly file: string;
  readonly title: string;
}

/** All 137 statements, in the order of protocol.md §8. */
export const allRequirements: readonly Requirement[] = requirements;

const tagged = /["'`]([^"'`\n]*(?:\[§8\.\d+\]\s*)+)["'`]/gu;
const tag = /\[§8\.(\d+)\]/gu;

/** Every test title in the tree that carries a tag `[§8.N]`, by N. */
export function testsByRequirement(root: string): ReadonlyMap<number, readonly TestReference[]> {
  const found = new Map<number, TestReference[]>();
  for (const file of testFiles(join(root, "tests"))) {
    for (const [, title = ""] of readFileSync(file, "utf8").matchAll(tagged)) {
      for (const [, id] of title.matchAll(tag)) {
        const references = found.get(Number(id)) ?? [];
        references.push({ file, title });
        found.set(Number(id), references);
      }
    }
  }
  return found;
}

function* testFiles(folder: string): Iterable<string> {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) yield* testFiles(path);
    else if (entry.name.endsWith(".ts")) yield path;
  }
}
