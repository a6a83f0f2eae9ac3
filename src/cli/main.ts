#!/usr/bin/env node
import process from "node:process";
import { Command, CommanderError } from "commander";
import { errorText } from "../core/internal.ts";
import { troupeVersion } from "../protocol/internal.ts";
import { HostGoneError } from "./admin/admin-client.ts";
import { accessCommand } from "./commands/access.ts";
import { agentsCommand } from "./commands/agents.ts";
import { certsCommand } from "./commands/certs.ts";
import { clusterCommand } from "./commands/cluster.ts";
import { deadCommand } from "./commands/dead.ts";
import { doctorCommand } from "./commands/doctor.ts";
import { drainCommand } from "./commands/drain.ts";
import { hostCommand } from "./commands/host.ts";
import { hostsCommand } from "./commands/hosts.ts";
import { remindersCommand } from "./commands/reminders.ts";
import { stateCommand } from "./commands/state.ts";
import { subscriptionsCommand } from "./commands/subscriptions.ts";
import { workersCommand } from "./commands/workers.ts";

const program = new Command("troupe")
  .description("A distributed runtime for AI agents that speaks AutoGen's worker protocol")
  .version(troupeVersion)
  .addCommand(hostCommand(troupeVersion))
  .addCommand(hostsCommand())
  .addCommand(clusterCommand())
  .addCommand(doctorCommand())
  .addCommand(workersCommand())
  .addCommand(agentsCommand())
  .addCommand(drainCommand())
  .addCommand(remindersCommand())
  .addCommand(deadCommand())
  .addCommand(subscriptionsCommand())
  .addCommand(stateCommand())
  .addCommand(certsCommand())
  .addCommand(accessCommand())
  .showSuggestionAfterError();
for (const command of [program, ...program.commands, ...program.commands.flatMap(({ commands }) => commands)]) {
  // A mistake is one line, its suggestion included ("(Did you mean host?)"), so that logs and scripts can hold it.
  command.exitOverride().configureOutput({ outputError: (text, write) => write(`${oneLine(text.trim())}\n`) });
}

try {
  await program.parseAsync(process.argv);
} catch (error) {
  if (error instanceof CommanderError) {
    // Commander has already said what is wrong, in one line; help and version are no failures.
    process.exitCode = error.exitCode;
  } else {
    process.stderr.write(`error: ${oneLine(error)}\n`);
    // Where no host answers, a script may want to start one.
    process.exitCode = error instanceof HostGoneError ? 2 : 1;
  }
}

/** The text of an error on one line, for a terminal. */
function oneLine(error: unknown): string {
  return errorText(error).replace(/\s*\n\s*/g, " ");
}
