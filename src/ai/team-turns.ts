import type { TakeTurnFields, TurnPlace } from "../teams/internal.ts";
import type { ReplyFields } from "./prompt-messages.ts";
import type { ModelMessage } from "./sdk.ts";

/** A turn that a team asks for, with its place in the team's thread. */
export interface TeamTurn extends TurnPlace, TakeTurnFields {}

/** The last turn that an agent has begun for a team. The agent knows by it what to do when the team asks for that turn again. */
export interface HeardTurn {
  /** Names the team's thread. */
  readonly thread: string;
  /** Messages of the thread that the agent had been given before the turn. */
  readonly from: number;
  /** Messages that the team has given. They are in the history. */
  readonly given: number;
  readonly note: string;
  /** The answer of the turn. Null: it has none. */
  readonly answer: ReplyFields | null;
}

/** Teams whose last turn an agent remembers, and bytes of their answers. */
const bounds = { teams: 16, bytes: 2 * 1024 * 1024 };

/** Returns the answer that the agent has given to this very turn. Undefined: none. */
export function answerTo(heard: readonly HeardTurn[], turn: TeamTurn): ReplyFields | undefined {
  const earlier = sameTurn(heard, turn);
  if (earlier?.answer == null || earlier.given !== turn.messages.length || earlier.note !== turn.note) return undefined;
  return earlier.answer;
}

/** Returns the turns that the agent remembers, with this one as the newest. */
export function withHeard(
  heard: readonly HeardTurn[],
  { thread, from, messages, note }: TeamTurn,
  answer: ReplyFields | null,
): readonly HeardTurn[] {
  const others = heard.filter((other) => other.thread !== thread);
  const all = [...others, { thread, from, given: messages.length, note, answer }];
  let bytes = 0;
  const first = all.findLastIndex((one) => {
    bytes += Buffer.byteLength(JSON.stringify(one));
    return bytes > bounds.bytes;
  });
  return all.slice(Math.max(first + 1, all.length - bounds.teams));
}

/**
 * Returns the message to the model for a turn. Undefined: the history has all of it. Messages that an earlier try of the turn was given are
 * in the history, and are not repeated.
 */
export function turnMessage(
  turn: TakeTurnFields & Partial<TurnPlace>,
  heard: readonly HeardTurn[],
  history: readonly ModelMessage[],
): ModelMessage | undefined {
  const { thread, from, messages, note } = turn;
  const earlier = thread === undefined || from === undefined ? undefined : sameTurn(heard, { thread, from });
  const hasSpoken = history.at(-1)?.role === "assistant";
  const lines = messages.slice(earlier?.given ?? 0).map(({ source, content }) => `${source}: ${content}`);
  if (earlier !== undefined && hasSpoken) lines.unshift("team: Your last message did not reach the others.");
  if (note !== "" && note !== earlier?.note) lines.push(`team: ${note}`);
  if (lines.length === 0 && (hasSpoken || history.length === 0)) lines.push("team: It is your turn.");
  return lines.length === 0 ? undefined : { role: "user", content: lines.join("\n\n") };
}

/** Returns the earlier try of a turn that begins at the same place. */
function sameTurn(heard: readonly HeardTurn[], { thread, from }: TurnPlace): HeardTurn | undefined {
  return heard.find((other) => other.thread === thread && other.from === from);
}
