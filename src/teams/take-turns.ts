import type { RoutedAgent } from "../core/internal.ts";
import { type ChatMessage, Said, TakeTurn, type TurnTaken, type UiPart } from "./messages.ts";
import { agentOf, type Chosen } from "./next.ts";
import type { Spoken, TeamState } from "./thread.ts";

/** Parts of a team that its turns need. */
export interface TurnParts {
  /** Sends in the name of the team's agent. */
  readonly team: Pick<RoutedAgent, "id" | "sendMessage" | "stream">;
  readonly state: Pick<TeamState, "thread" | "seen">;
  readonly signal: AbortSignal;
  readonly timeoutMs: number;
  readonly sharesChunks: boolean;
}

/** The outcome of one participant's turn. */
export type TurnOutcome = { readonly chosen: Chosen } & (
  | { readonly at: "taken"; readonly said: Spoken }
  | { readonly at: "failed"; readonly error: unknown }
);

/** Lets participants take their turns at once. Yields their chunks, and returns the outcomes in the order of the speakers. */
export async function* takeTurns(
  speakers: readonly Chosen[],
  parts: TurnParts,
): AsyncGenerator<Said, readonly TurnOutcome[], undefined> {
  const asked = speakers.map((chosen) => ({
    chosen,
    ask: askOf(chosen, parts.state),
    agent: agentOf(chosen.member, parts.team.id.key),
  }));
  const options = { signal: parts.signal, timeoutMs: parts.timeoutMs };
  if (!parts.sharesChunks) {
    return await Promise.all(
      asked.map(({ chosen, ask, agent }) => settled(chosen, [], parts.team.sendMessage(ask, agent, options))),
    );
  }
  const streams = asked.map(({ chosen, ask, agent }) => partsOf(chosen, parts.team.stream(ask, agent, options)));
  return yield* together(streams);
}

/** Returns what a participant is asked: the messages that it has not been given yet, without its own. */
function askOf({ member, note }: Chosen, { thread, seen }: TurnParts["state"]): TakeTurn {
  const messages: ChatMessage[] = [];
  for (const { participant, source, content } of thread.slice(seen[member.name] ?? 0)) {
    if (participant !== member.name) messages.push({ source, content });
  }
  return TakeTurn({ messages, note });
}

async function settled(chosen: Chosen, tools: readonly string[], answer: Promise<TurnTaken>): Promise<TurnOutcome> {
  try {
    const { content, handoff, prompt_tokens, completion_tokens } = await answer;
    const { name } = chosen.member;
    const said = { source: name, participant: name, content, handoff, prompt_tokens, completion_tokens, tools };
    return { chosen, at: "taken", said };
  } catch (error) {
    return { chosen, at: "failed", error };
  }
}

/** Yields the chunks of one turn, and notes the tools whose results are among them. */
async function* partsOf(
  chosen: Chosen,
  stream: AsyncIterable<UiPart> & { readonly answer: Promise<TurnTaken> },
): AsyncGenerator<Said, TurnOutcome, undefined> {
  const names = new Map<unknown, string>();
  const tools: string[] = [];
  try {
    for await (const part of stream) {
      const { type, toolCallId, toolName } = part;
      if (type === "tool-input-available" && typeof toolName === "string") names.set(toolCallId, toolName);
      const done = type === "tool-output-available" || type === "tool-output-error" ? names.get(toolCallId) : undefined;
      if (done !== undefined) tools.push(done);
      yield Said({ source: chosen.member.name, content: "", part: { ...part } });
    }
  } catch {
    // The answer has the same error.
  }
  return await settled(chosen, tools, stream.answer);
}

/** Reads generators at once, one item ahead of each. Yields what comes first, and returns the results in the order of the generators. */
async function* together<Item, Result>(
  generators: readonly AsyncGenerator<Item, Result, undefined>[],
): AsyncGenerator<Item, readonly Result[], undefined> {
  const results = new Map<number, Result>();
  const next = async (at: number, generator: AsyncGenerator<Item, Result, undefined>) => {
    const item = await generator.next();
    return { at, generator, item };
  };
  const open = new Map(generators.map((generator, at) => [at, next(at, generator)]));
  try {
    while (open.size > 0) {
      const { at, generator, item } = await Promise.race(open.values());
      open.delete(at);
      if (item.done === true) {
        results.set(at, item.value);
        continue;
      }
      open.set(at, next(at, generator));
      yield item.value;
    }
  } finally {
    // The reader has left: each stream ends, and its participant with it.
    // After the last result `return` changes nothing, and its value is read by none.
    await Promise.allSettled(generators.map((generator) => generator.return(undefined as never)));
  }
  return [...results].sort(([one], [other]) => one - other).map(([, result]) => result);
}
