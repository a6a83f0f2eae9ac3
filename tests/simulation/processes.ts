import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { addTotals, noTotals, type Totals } from "./totals.ts";

/** Parts a helper is given at a time: small enough that all end together. */
const maxSeedsPerPart = 1_000;

/** Plays the seeds in several processes; what they say is passed on, but for the totals in their last lines. */
export async function runInProcesses(from: number, count: number, jobs: number, isDurable: boolean): Promise<Totals> {
  const totals = noTotals();
  await runParted<Totals>(from, count, {
    jobs,
    options: isDurable ? ["--durable"] : [],
    add: (part) => addTotals(totals, part),
  });
  return totals;
}

/** How seeds are played in parts. */
export interface Parts<T> {
  readonly jobs: number;
  /** Further options of each process. */
  readonly options: readonly string[];
  /** Takes the totals of a part. */
  readonly add: (part: T) => void;
}

/** Plays the seeds in several processes, each with the options of this one's command. */
export async function runParted<T>(from: number, count: number, { jobs, options, add }: Parts<T>): Promise<void> {
  const end = from + count;
  const size = Math.min(maxSeedsPerPart, Math.ceil(count / jobs));
  let next = from;
  const work = async () => {
    while (next < end) {
      const start = next;
      next = Math.min(end, start + size);
      add(await runPart<T>(start, next - start, options));
    }
  };
  await Promise.all(Array.from({ length: jobs }, work));
}

function runPart<T>(from: number, count: number, more: readonly string[]): Promise<T> {
  const options = [...more, ...["--from", from, "--seeds", count, "--jobs", 1, "--json"].map(String)];
  const child = spawn(process.execPath, [...process.execArgv, process.argv[1] ?? "", ...options], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let last: string | undefined;
  const lines = createInterface({ input: child.stdout });
  lines.on("line", (line) => {
    if (last !== undefined) console.log(last);
    last = line;
  });
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    lines.on("close", () => {
      try {
        resolve(JSON.parse(last ?? ""));
      } catch {
        reject(
          new Error(`The process that played seeds ${from} to ${from + count - 1} failed: ${last ?? "no output"}`),
        );
      }
    });
  });
}
