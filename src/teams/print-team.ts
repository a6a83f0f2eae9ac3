import type { MessageStream } from "../core/internal.ts";
import type { Said, TeamResult } from "./messages.ts";

/** Prints the messages of a run as they come, and resolves to its result. `print`: takes each line. Default: the console. */
export async function printTeam(
  stream: MessageStream<Said, TeamResult>,
  // biome-ignore lint/suspicious/noConsole: printing is its purpose
  print: (line: string) => void = (line) => console.log(line),
): Promise<TeamResult> {
  for await (const { source, content, part } of stream) if (part === null) print(`${source}: ${content}`);
  const result = await stream.answer;
  print(`Stopped: ${result.stop_reason}`);
  return result;
}
