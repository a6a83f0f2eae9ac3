import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import type { Command } from "commander";
import { makeProgram } from "../../../src/cli/program.ts";

export const pageFile = join(resolve(import.meta.dirname, "../../.."), "docs/guide/commands.md");
/** The line behind which the page has the help of all commands. */
const mark = "<!-- The rest of this page is made by npm run command-page. -->\n";

/** Returns the page with the help of all commands as the program has it now. */
export function pageOfNow(): string {
  const text = readFileSync(pageFile, "utf8");
  const at = text.indexOf(mark);
  if (at < 0) throw new Error(`${pageFile} lacks the line ${mark}`);
  const sections = makeProgram("VERSION").commands.flatMap((command) => sectionsOf(command, "troupe"));
  return `${text.slice(0, at)}${mark}\n${sections.join("\n\n")}\n`;
}

function sectionsOf(command: Command, before: string): readonly string[] {
  const name = `${before} ${command.name()}`;
  if (command.commands.length > 0) return command.commands.flatMap((one) => sectionsOf(one, name));
  let help = "";
  command.configureOutput({
    ...{ writeOut: (text) => (help += text), getOutHelpWidth: () => 110, getOutHasColors: () => false },
  });
  command.outputHelp();
  return [`## \`${name}\`\n\n\`\`\`text\n${help.trim()}\n\`\`\``];
}
