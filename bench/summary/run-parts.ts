import { type Part, readParts } from "../support/part-options.ts";
import { printGoals } from "./goals.ts";

/** Runs the parts of a benchmark that the command line names, else all. Each prints its goals. The results of a part are in `BENCHMARK-PART.json`. */
export async function runParts(benchmark: string, parts: Readonly<Record<string, Part>>): Promise<void> {
  const { chosen, options } = readOrExit(parts);
  for (const [name, { measure }] of chosen) {
    console.log(`\n--- ${name}\n`);
    const startMs = performance.now();
    await measure(options);
    console.log(`took ${Math.round((performance.now() - startMs) / 1_000)} s`);
    printGoals(`${benchmark}-${name}`);
  }
}

function readOrExit(parts: Readonly<Record<string, Part>>): ReturnType<typeof readParts> {
  try {
    return readParts(process.argv.slice(2), parts);
  } catch (error) {
    console.error(error instanceof Error ? error.message : String(error));
    process.exit(64);
  }
}
