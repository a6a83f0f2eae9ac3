import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { cpus, totalmem } from "node:os";
import { join } from "node:path";
import { projectFolder } from "./project.ts";

/** A benchmark's figures, and the machine on which they were measured. */
export interface Results {
  readonly benchmark: string;
  readonly measuredAt: string;
  readonly machine: Machine;
  readonly [figures: string]: unknown;
}

export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGiB: number;
  readonly system: string;
  readonly node: string;
}

/** Writes a benchmark's figures to bench/results/NAME.json (not in git), in place of earlier ones. Returns the file's path. */
export function writeResults(benchmark: string, figures: object): string {
  const file = fileOf(benchmark);
  mkdirSync(join(file, ".."), { recursive: true });
  const results: Results = { benchmark, measuredAt: new Date().toISOString(), machine: thisMachine(), ...figures };
  writeFileSync(file, `${JSON.stringify(results, undefined, 2)}\n`);
  return file;
}

/** Returns the latest figures of a benchmark; undefined when it has not run here. */
export function readResults(benchmark: string): Results | undefined {
  const file = fileOf(benchmark);
  return existsSync(file) ? (JSON.parse(readFileSync(file, "utf8")) as Results) : undefined;
}

function fileOf(benchmark: string): string {
  return join(projectFolder, "bench", "results", `${benchmark}.json`);
}

function thisMachine(): Machine {
  return {
    cpu: cpus()[0]?.model ?? "unknown",
    cores: cpus().length,
    memoryGiB: Math.round(totalmem() / 1024 ** 3),
    system: `${process.platform} ${process.arch}`,
    node: process.version,
  };
}
