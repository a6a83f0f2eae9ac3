import type { Command } from "commander";
import { vi } from "vitest";

/** What a command has printed. */
export interface Printed {
  readonly out: string;
  readonly err: string;
  /** With which its process would end. */
  readonly exitCode: number;
}

/** Runs a command of the command line in this process. */
export async function run(command: Command, ...args: readonly string[]): Promise<Printed> {
  const printed = { out: "", err: "" };
  let exitCode = 0;
  const spyOn = (stream: NodeJS.WriteStream, name: "out" | "err") =>
    vi.spyOn(stream, "write").mockImplementation((text) => {
      printed[name] += String(text);
      return true;
    });
  const spies = [spyOn(process.stdout, "out"), spyOn(process.stderr, "err")];
  try {
    for (const one of [command, ...command.commands]) one.exitOverride().configureOutput({ writeErr: () => undefined });
    await command.parseAsync([...args], { from: "user" });
  } finally {
    for (const spy of spies) spy.mockRestore();
    exitCode = Number(process.exitCode ?? 0);
    process.exitCode = 0;
  }
  return { ...printed, exitCode };
}
