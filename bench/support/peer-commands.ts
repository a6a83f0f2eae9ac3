import { createInterface } from "node:readline";

/** Tells the benchmark something: one JSON object a line on stdout. */
export function tell(event: string, fields: object = {}): void {
  process.stdout.write(`${JSON.stringify({ event, ...fields })}\n`);
}

/** The benchmark's commands as they come, until it closes our stdin. */
export async function* commands<Command>(): AsyncGenerator<Command> {
  for await (const line of createInterface({ input: process.stdin })) yield JSON.parse(line) as Command;
}
