import type { OpenStep } from "./history.ts";
import type { ReplyFields } from "./prompt-messages.ts";
import type { ModelMessage } from "./sdk.ts";

/** The turn of runs that runs, or that ran when the worker was lost. */
export interface RunTurn {
  /** Ids of the runs whose message the model was given. The first one began the turn. */
  readonly runs: readonly string[];
  /** Messages at the end of the history that belong to the turn. */
  readonly size: number;
  /** Text and reason of the last finished step. Null: none is finished. */
  readonly last: Pick<ReplyFields, "text" | "finish_reason"> | null;
  /** Whether no step follows that one. */
  readonly isFinal: boolean;
  readonly used: Pick<ReplyFields, "input_tokens" | "output_tokens" | "model_calls">;
}

/** A turn of runs behind which another one has begun before it went on. Its messages are not in the history. */
export interface ParkedTurn {
  readonly turn: RunTurn;
  readonly messages: readonly ModelMessage[];
  readonly open: OpenStep | null;
}

/** A run that has its answer, and whose end was not written when that was saved. */
export interface AnsweredRun {
  readonly run: string;
  readonly answer: ReplyFields;
}

/** The part of an agent's state that is about its runs. */
export interface RunThoughts {
  readonly messages: readonly ModelMessage[];
  readonly open: OpenStep | null;
  readonly turn: RunTurn | null;
  readonly parked: readonly ParkedTurn[];
  readonly answered: readonly AnsweredRun[];
}

const bounds = { parked: { count: 16, bytes: 1024 * 1024 }, answered: { count: 100, bytes: 1024 * 1024 } };

/** Sets the present turn aside, if there is one. */
export function parked<T extends RunThoughts>(state: T): T {
  const { turn, open, messages } = state;
  if (turn === null) return state;
  const cut = Math.max(0, messages.length - turn.size);
  const all = [...state.parked, { turn, open, messages: messages.slice(cut) }];
  return { ...state, messages: messages.slice(0, cut), turn: null, open: null, parked: newest(all, bounds.parked) };
}

/** Makes the lost turn of a run the present one. Undefined: the run has none. */
export function recovered<T extends RunThoughts>(state: T, run: string): T | undefined {
  if (state.turn?.runs.includes(run) === true) return state;
  const found = state.parked.find(({ turn }) => turn.runs.includes(run));
  if (found === undefined) return undefined;
  const others = parked({ ...state, parked: state.parked.filter((one) => one !== found) });
  return { ...others, messages: [...others.messages, ...found.messages], turn: found.turn, open: found.open };
}

/** Returns the runs that have their answer, with these. */
export function withAnswers(
  answered: readonly AnsweredRun[],
  runs: readonly string[],
  answerOf: (run: string) => ReplyFields,
): readonly AnsweredRun[] {
  const others = answered.filter(({ run }) => !runs.includes(run));
  return newest([...others, ...runs.map((run) => ({ run, answer: answerOf(run) }))], bounds.answered);
}

/** Returns the newest items that are within the bounds. */
function newest<T>(all: readonly T[], { count, bytes }: { readonly count: number; readonly bytes: number }) {
  let sum = 0;
  const last = all.findLastIndex((one) => {
    sum += Buffer.byteLength(JSON.stringify(one));
    return sum > bytes;
  });
  return all.slice(Math.max(last + 1, all.length - count));
}

/** Whether the agent of the AI SDK takes another step after one with these messages: all tools that were called have a result. */
export function continuesAfter(step: readonly ModelMessage[]): boolean {
  const calls = new Set<string>();
  const results = new Set<string>();
  for (const { role, content } of step) {
    if (typeof content === "string") continue;
    for (const part of content) {
      if (part.type === "tool-call" && part.providerExecuted !== true) calls.add(part.toolCallId);
      if (part.type === "tool-result" && role === "tool") results.add(part.toolCallId);
    }
  }
  return calls.size > 0 && [...calls].every((id) => results.has(id));
}
