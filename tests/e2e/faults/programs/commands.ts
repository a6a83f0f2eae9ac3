import { readFileSync } from "node:fs";
import process from "node:process";
import { createInterface } from "node:readline";

export type Command = (argument: never) => unknown;

/** What is written to the test: one JSON object a line. */
function write(line: object): void {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

/** Tells the test that the program is ready, then does what it is told on stdin. Ends with the test, whatever happens to it. */
export function serveCommands(ready: object, commands: Readonly<Record<string, Command>>): void {
  write({ ready });
  const lines = createInterface({ input: process.stdin });
  lines.on("close", () => process.exit(0));
  lines.on("line", (line) => {
    const { id, name, argument } = JSON.parse(line) as { id: number; name: string; argument: never };
    const answer = Promise.resolve().then(() => commands[name]?.(argument));
    answer.then(
      (value) => write({ id, value: value ?? null }),
      (error: unknown) => write({ id, error: String(error) }),
    );
  });
}

/** The process's memory, for every program. */
export const memory = () => ({ ...process.memoryUsage(), peakRss: peakRss() });

/** Linux hands the peak of `resourceUsage` down from the parent, so there the kernel's own figure counts. */
function peakRss(): number {
  if (process.platform !== "linux") return process.resourceUsage().maxRSS * 1024;
  const [, kibibytes] = /^VmHWM:\s*(\d+) kB/m.exec(readFileSync("/proc/self/status", "utf8")) ?? [];
  return Number(kibibytes) * 1024;
}
