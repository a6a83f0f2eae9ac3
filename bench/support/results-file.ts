import { mkdirSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { join } from "node:path";
import { projectFolder } from "./project.ts";

/** Writes a benchmark's figures with what they were measured on to bench/results/ (not in git); gives the file's path. */
export function writeResults(benchmark: string, figures: object): string {
  const folder = join(projectFolder, "bench", "results");
  mkdirSync(folder, { recursive: true });
  const measuredAt = new Date().toISOString();
  const file = join(folder, `${benchmark}-${measuredAt.replaceAll(":", "").slice(0, 17)}.json`);
  const machine = { cpu: cpus()[0]?.model ?? "unknown", cores: cpus().length, node: process.version };
  writeFileSync(file, `${JSON.stringify({ benchmark, measuredAt, machine, ...figures }, undefined, 2)}\n`);
  return file;
}
