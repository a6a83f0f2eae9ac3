import { readFileSync } from "node:fs";
import type { Generation } from "./generations.ts";

/** A scenario as record_host.py writes it down. */
export interface RecordedEntry {
  readonly generation: string;
  readonly scenario: string;
  readonly does: string;
  readonly observed: unknown;
}

/** What AutoGen's own host of a generation was seen to do in a scenario of tests/interop/python/*_scenarios.py. */
export function recordedOfPythonHost(generation: Generation, scenario: string): RecordedEntry {
  const url = new URL("../python/recorded-python-host.json", import.meta.url);
  const { entries } = JSON.parse(readFileSync(url, "utf8")) as { readonly entries: readonly RecordedEntry[] };
  const found = entries.find((entry) => entry.generation === generation.name && entry.scenario === scenario);
  if (found === undefined) throw new Error(`nothing recorded for ${generation.name} ${scenario}`);
  return found;
}
