import {
  type AgentId,
  type CallScope,
  type MessageMetadata,
  quoted,
  type RoutedAgent,
  TroupeError,
} from "../core/internal.ts";
import { type ChatMessage, Said, TakeTurn, TurnTaken, UiPart } from "./messages.ts";
import { lostNestedRun, type NestedAsk, nestedRunId, openNestedRun } from "./nested-run.ts";
import { agentOf, type Chosen } from "./next.ts";
import type { Spoken, TeamState } from "./thread.ts";
import { placeMetadata } from "./turn-place.ts";

/** Parts of a team that its turns need. */
export interface TurnParts {
  /** Sends in the name of the team's agent. */
  readonly team: Pick<RoutedAgent, "id" | "sendMessage" | "stream">;
  readonly state: Pick<TeamState, "id" | "thread" | "seen">;
  readonly signal: AbortSignal;
  readonly timeoutMs: number;
  readonly sharesChunks: boolean;
  /** The turn of a kept run. Undefined: the run of the team is not kept. */
  readonly kept: KeptTurn | undefined;
}

/** One turn of a kept run of a team. */
export interface KeptTurn {
  readonly run: string;
  /** 1 for the first turn of the run. */
  readonly number: number;
  readonly scope: CallScope;
  /** Whether an earlier worker has asked these speakers. */
  readonly isAgain: boolean;
  /** Chunks of the turn that readers were told, by the name of the participant. */
  readonly told: ReadonlyMap<string, number>;
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
  const asked = speakers.map((chosen, at) => asking(chosen, speakers.length === 1 ? "" : `.${at + 1}`, parts));
  if (!parts.sharesChunks) return await Promise.all(asked.map((one) => settled(one.chosen, [], answerOf(one, parts))));
  return yield* together(asked.map((one) => partsOf(one, parts)));
}

/** A participant that is asked for its turn. */
interface Asking {
  readonly chosen: Chosen;
  readonly ask: TakeTurn;
  readonly agent: AgentId;
  readonly metadata: MessageMetadata;
  /** The run that asks it. Undefined: a call does. */
  readonly run: NestedAsk | undefined;
  /** The error with which the turn fails before the participant is asked. Undefined: it is asked. */
  readonly refusal: TroupeError | undefined;
}

function asking(chosen: Chosen, suffix: string, { team, state, signal, timeoutMs, kept }: TurnParts): Asking {
  const { member } = chosen;
  const ask = askOf(chosen, state);
  const agent = agentOf(member, team.id.key);
  const metadata = placeMetadata({ thread: state.id, from: seenBy(chosen, state) });
  const common = { chosen, ask, agent, metadata };
  const isOpen = kept?.isAgain === true && member.repeatable === false;
  if (kept === undefined || member.run !== true)
    return { ...common, run: undefined, refusal: isOpen ? unknownTurn(member.name) : undefined };
  const { run, number, scope } = kept;
  const id = nestedRunId(run, `${number}${suffix}`);
  const { runtime } = scope;
  const nested = { id, to: agent, message: ask, metadata, type: TakeTurn, runtime, scope, signal, timeoutMs };
  return { ...common, run: { ...nested, hasBegun: isOpen }, refusal: undefined };
}

async function answerOf({ ask, agent, metadata, run: nested, refusal }: Asking, parts: TurnParts): Promise<TurnTaken> {
  if (refusal !== undefined) throw refusal;
  const { signal, timeoutMs, team } = parts;
  if (nested === undefined) return team.sendMessage(ask, agent, { signal, timeoutMs, metadata });
  const { run, letGo } = await openNestedRun(nested);
  try {
    return takenOf(await run.answer({ signal }));
  } catch (error) {
    throw lostNestedRun(error, nested);
  } finally {
    letGo();
  }
}

/** Yields the chunks of one turn, and returns its answer. */
async function* chunksOf(
  { ask, agent, metadata, run: nested, refusal }: Asking,
  { signal, timeoutMs, team }: TurnParts,
): AsyncGenerator<UiPart, TurnTaken, undefined> {
  if (refusal !== undefined) throw refusal;
  if (nested === undefined) {
    const stream = team.stream(ask, agent, { signal, timeoutMs, metadata });
    yield* stream;
    return await stream.answer;
  }
  const { run, letGo } = await openNestedRun(nested);
  try {
    const reading = run.read({ signal })[Symbol.asyncIterator]();
    for (let next = await reading.next(); ; next = await reading.next()) {
      if (next.done === true) return takenOf(next.value);
      if (UiPart.is(next.value.chunk)) yield next.value.chunk;
    }
  } catch (error) {
    throw lostNestedRun(error, nested);
  } finally {
    letGo();
  }
}

function takenOf(answer: unknown): TurnTaken {
  if (TurnTaken.is(answer)) return answer;
  throw new TroupeError("invalid-message", "The run of a turn has another answer than TurnTaken.");
}

function unknownTurn(name: string): TroupeError {
  const text = `The worker of the team was lost while ${quoted(name)} took its turn, and it is not repeatable. It may have done what it was asked.`;
  return new TroupeError("disconnected", text);
}

/** Returns the number of messages of the thread that a participant was given. */
function seenBy({ member }: Chosen, { seen }: TurnParts["state"]): number {
  return seen[member.name] ?? 0;
}

/** Returns what a participant is asked: the messages that it has not been given yet, without its own. */
function askOf(chosen: Chosen, state: TurnParts["state"]): TakeTurn {
  const { member, note } = chosen;
  const messages: ChatMessage[] = [];
  for (const { participant, source, content } of state.thread.slice(seenBy(chosen, state))) {
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

/** Yields the chunks of one turn that readers were not told, and notes the tools whose results are among all of them. */
async function* partsOf(one: Asking, parts: TurnParts): AsyncGenerator<Said, TurnOutcome, undefined> {
  const { chosen } = one;
  const names = new Map<unknown, string>();
  const tools: string[] = [];
  // Chunks of a call that is repeated may be others.
  let toldBefore = one.run === undefined ? 0 : (parts.kept?.told.get(chosen.member.name) ?? 0);
  const chunks = chunksOf(one, parts);
  try {
    for (;;) {
      const next = await chunks.next();
      if (next.done === true) return await settled(chosen, tools, Promise.resolve(next.value));
      const part = next.value;
      const { type, toolCallId, toolName } = part;
      if (type === "tool-input-available" && typeof toolName === "string") names.set(toolCallId, toolName);
      const done = type === "tool-output-available" || type === "tool-output-error" ? names.get(toolCallId) : undefined;
      if (done !== undefined) tools.push(done);
      if (toldBefore > 0) toldBefore -= 1;
      else yield Said({ source: chosen.member.name, content: "", part: { ...part } });
    }
  } catch (error) {
    return { chosen, at: "failed", error };
  } finally {
    // After the end `return` changes nothing.
    await chunks.return(undefined as never);
  }
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
