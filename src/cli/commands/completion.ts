import process from "node:process";
import { Argument, Command } from "commander";
import { wordsOf } from "../completion/command-words.ts";
import { completionScripts, type Shell } from "../completion/scripts.ts";

const examples = `
Examples:
  source <(troupe completion bash)
  source <(troupe completion zsh)
  troupe completion fish | source
  troupe completion powershell | Out-String | Invoke-Expression`;

/** The command `troupe completion`: a script made of all commands and flags of the program that it is part of. */
export function completionCommand(): Command {
  return new Command("completion")
    .description("Print a script by which a shell completes commands and flags")
    .addArgument(new Argument("<shell>", "the shell").choices(Object.keys(completionScripts)))
    .addHelpText("after", examples)
    .action((shell: Shell, _flags: object, command: Command) => {
      const program = command.parent ?? command;
      process.stdout.write(`${completionScripts[shell](wordsOf(program))}\n`);
    });
}
