import { createInterface } from "node:readline";

/** Writes one line of JSON to stdout, for the benchmark that started this process. */
export function tell(event: string, fields: object = {}): void {
  process.stdout.write(`${JSON.stringify({ event, ...fields })}\n`);
}

/** Yields the benchmark's commands until it closes the stdin of this process. */
export async function* commands<Command>(): AsyncGenerator<Command> {
  for await (const line of createInterface({ input: process.stdin })) yield JSON.parse(line) as Command;
}
