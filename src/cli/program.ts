import { Command } from "commander";
import { benchCommand } from "./bench/bench.ts";
import { accessCommand } from "./commands/access.ts";
import { agentsCommand } from "./commands/agents.ts";
import { certsCommand } from "./commands/certs.ts";
import { clusterCommand } from "./commands/cluster.ts";
import { completionCommand } from "./commands/completion.ts";
import { configCommand } from "./commands/config.ts";
import { deadCommand } from "./commands/dead.ts";
import { doctorCommand } from "./commands/doctor.ts";
import { drainCommand } from "./commands/drain.ts";
import { hostCommand } from "./commands/host.ts";
import { hostsCommand } from "./commands/hosts.ts";
import { remindersCommand } from "./commands/reminders.ts";
import { runsCommand } from "./commands/runs.ts";
import { stateCommand } from "./commands/state.ts";
import { statusCommand } from "./commands/status.ts";
import { subscriptionsCommand } from "./commands/subscriptions.ts";
import { tailCommand } from "./commands/tail.ts";
import { topicsCommand } from "./commands/topics.ts";
import { workersCommand } from "./commands/workers.ts";
import { publishCommand } from "./messages/publish.ts";
import { sendCommand } from "./messages/send.ts";
import { applySettings } from "./settings/apply-settings.ts";

/** Makes the command line: all commands with their flags. Help, completion and the page of commands are made of it. */
export function makeProgram(version: string): Command {
  const program = new Command("troupe")
    .description("A distributed runtime for AI agents that speaks AutoGen's worker protocol")
    .version(version)
    .showSuggestionAfterError()
    .hook("preAction", async (_program, command) => {
      // That command says of each setting where it comes from, so that it applies them itself.
      if (command.name() !== "config") await applySettings(command);
    })
    .commandsGroup("Run:")
    .addCommand(hostCommand(version))
    .addCommand(configCommand())
    .addCommand(completionCommand())
    .addCommand(certsCommand())
    .addCommand(accessCommand())
    .commandsGroup("Look at a host that runs:")
    .addCommand(statusCommand(version))
    .addCommand(workersCommand())
    .addCommand(agentsCommand())
    .addCommand(tailCommand())
    .addCommand(topicsCommand())
    .addCommand(subscriptionsCommand())
    .addCommand(hostsCommand())
    .addCommand(clusterCommand())
    .addCommand(doctorCommand())
    .commandsGroup("Send messages:")
    .addCommand(sendCommand())
    .addCommand(publishCommand())
    .addCommand(benchCommand())
    .commandsGroup("Change what it does and keeps:")
    .addCommand(drainCommand())
    .addCommand(remindersCommand())
    .addCommand(runsCommand())
    .addCommand(deadCommand())
    .addCommand(stateCommand());
  for (const command of commandsOf(program)) command.exitOverride();
  return program;
}

/** A command and all below it. */
export function commandsOf(command: Command): readonly Command[] {
  return [command, ...command.commands.flatMap(commandsOf)];
}
