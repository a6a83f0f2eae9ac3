import type { Command } from "commander";

/** The words that may follow a command, and those that may follow its flags. */
export interface CommandWords {
  /** The words of the command behind `troupe`, joined by spaces. Empty: `troupe` itself. */
  readonly path: string;
  /** The commands below it, and its flags. */
  readonly words: readonly string[];
  /** Flags that take a value, with their choices. A flag without choices takes the name of a file. */
  readonly values: readonly { readonly flag: string; readonly choices: readonly string[] }[];
}

/** The words of a command and of all below it. */
export function wordsOf(command: Command, path: readonly string[] = []): readonly CommandWords[] {
  const options = command.createHelp().visibleOptions(command);
  const takesValue = command.options.filter(({ required, optional }) => required || optional);
  const own: CommandWords = {
    path: path.join(" "),
    words: [...command.commands.map((one) => one.name()), ...options.flatMap(({ long }) => long ?? [])],
    values: takesValue.map(({ long, argChoices }) => ({ flag: long ?? "", choices: argChoices ?? [] })),
  };
  return [own, ...command.commands.flatMap((one) => wordsOf(one, [...path, one.name()]))];
}
