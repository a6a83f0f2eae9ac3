import { readFileSync } from "node:fs";

export interface Vector {
  readonly name: string;
  readonly generations: readonly number[];
  readonly protoType: string;
  readonly hex: string;
}

/** The table of protocol.md §9 as data. */
export const vectors: readonly Vector[] = JSON.parse(
  readFileSync(new URL("../data/vectors.json", import.meta.url), "utf8"),
).vectors;

/** The bytes in that table as it is printed, in its order. */
export function printedVectors(): readonly string[] {
  const text = readFileSync(new URL("../../../docs/protocol.md", import.meta.url), "utf8");
  const section = text.slice(text.indexOf("\n## 9. "), text.indexOf("\n### 9.1 "));
  return Array.from(section.matchAll(/^\| .* \| `([0-9a-f]+)` \|$/gm), ([, hex = ""]) => hex);
}

export function vector(name: string): Vector {
  const found = vectors.find((one) => one.name === name);
  if (found === undefined) throw new Error(`no vector is called ${name}`);
  return found;
}
