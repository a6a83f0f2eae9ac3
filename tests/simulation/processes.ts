import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { addTotals, noTotals, type Totals } from "./totals.ts";

/** Parts a helper is given at a time: small enough that all end together. */
const maxSeedsPerPart = 1_000;

/** Plays the seeds in several processes; what they say is passed on, but for the totals in their last lines. */
export async function runInProcesses(from: number, count: number, jobs: number): Promise<Totals> {
  const totals = noTotals();
  const end = from + count;
  const size = Math.min(maxSeedsPerPart, Math.ceil(count / jobs));
  let next = from;
  const work = async () => {
    while (next < end) {
      const start = next;
      next = Math.min(end, start + size);
      addTotals(totals, await runPart(start, next - start));
    }
  };
  await Promise.all(Array.from({ length: jobs }, work));
  return totals;
}

function runPart(from: number, count: number): Promise<Totals> {
  const options = ["--from", from, "--seeds", count, "--jobs", 1, "--json"].map(String);
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
