#!/usr/bin/env node
import process from "node:process";
import { CommanderError } from "commander";
import { errorText } from "../core/internal.ts";
import { troupeVersion } from "../protocol/internal.ts";
import { HostGoneError } from "./admin/admin-client.ts";
import { ClientError } from "./client/open-client.ts";
import { exitCodes } from "./exit-codes.ts";
import { outliveOutput } from "./lost-output.ts";
import { commandsOf, makeProgram } from "./program.ts";
import { textWithFlags } from "./state/errors-in-flags.ts";

outliveOutput(process, { isHost: process.argv[2] === "host" });
const program = makeProgram(troupeVersion);
for (const command of commandsOf(program)) {
  // A mistake is one line, its suggestion included ("(Did you mean host?)"), so that logs and scripts can hold it.
  command.configureOutput({ outputError: (text, write) => write(`${oneLine(text.trim())}\n`) });
}

try {
  await program.parseAsync(process.argv);
} catch (error) {
  if (error instanceof CommanderError) {
    // Commander has already said what is wrong, in one line; help and version are no failures.
    process.exitCode = error.exitCode;
  } else {
    process.stderr.write(`error: ${oneLine(error)}\n`);
    process.exitCode = exitCodeOf(error);
  }
}

/** The text of an error on one line, for a terminal. */
function oneLine(error: unknown): string {
  return textWithFlags(errorText(error)).replace(/\s*\n\s*/g, " ");
}

function exitCodeOf(error: unknown): number {
  if (error instanceof ClientError) return error.exitCode;
  // Where no host answers, a script may want to start one.
  return error instanceof HostGoneError ? exitCodes.noHost : exitCodes.failed;
}
