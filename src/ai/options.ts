import {
  assertObject,
  assertOptions,
  callable,
  listOf,
  type Metrics,
  metricsKind,
  number,
  optionShape,
  options as optionsOf,
  quoted,
  TroupeError,
  text,
  withMethods,
  word,
} from "../core/internal.ts";
import type { WhenBusy } from "./busy.ts";
import { type Compact, largestHistory } from "./history.ts";
import { assertModel, type FinishedStep, settingNames, type ThinkingAgent, type ThinkingSettings } from "./sdk.ts";
import { needsApproval } from "./turn.ts";

/** Options of the history of an agent that thinks. */
export interface HistoryOptions {
  /** Makes the history shorter, before the model is asked for a turn. Default: nothing does. */
  readonly compact?: Compact | undefined;
  /** Bounds. Beyond them the oldest turns go. Default: 1 000 messages, 4 MiB, which is also the most. */
  readonly max?: { readonly messages?: number | undefined; readonly bytes?: number | undefined } | undefined;
}

/** Options of `AiAgent` beside those of the model or the agent. All are optional. */
export interface ThinkingOptions {
  /** Describes the agent in its metadata. Default: `An agent that thinks`. */
  readonly description?: string | undefined;
  readonly history?: HistoryOptions | undefined;
  /**
   * Names of tools that may run again. When a worker is lost, such a tool runs once more at the next worker if the state has no result of its call. Of any other
   * one the model is told that its outcome is unknown. Default: none.
   */
  readonly repeatable?: readonly string[] | undefined;
  /** Decides about a message that comes while the agent thinks. Default: `queue`. */
  readonly whenBusy?: WhenBusy | undefined;
  /** Takes the tokens that models read and write, under the names of the GenAI conventions. Default: nothing measures. */
  readonly metrics?: Metrics | undefined;
  /** Called after each step of the model, before it is saved. An error that it throws ends the turn. */
  readonly onStep?: ((step: FinishedStep) => void) | undefined;
}

/** Options of `AiAgent`: an agent of the AI SDK, or the settings of one, such as `model`, `instructions` and `tools`. */
export type AiAgentOptions = ThinkingOptions & ({ readonly agent: ThinkingAgent } | ThinkingSettings);

/** Returns the settings of the AI SDK among the options. */
export function settingsOf(options: ThinkingOptions & ThinkingSettings): ThinkingSettings {
  const { description: _d, history: _h, repeatable: _r, whenBusy: _w, metrics: _m, onStep: _o, ...settings } = options;
  return settings;
}

const ownShape = optionShape<ThinkingOptions>({
  description: text,
  history: optionsOf<HistoryOptions>({
    compact: callable,
    max: optionsOf<NonNullable<HistoryOptions["max"]>>({
      messages: number({ from: 1, to: largestHistory.messages }),
      bytes: number({ from: 1, to: largestHistory.bytes }),
    }),
  }),
  repeatable: listOf(text),
  whenBusy: word("queue", "reject", "steer", "interrupt"),
  metrics: metricsKind,
  onStep: callable,
});

const withAgentShape: typeof ownShape = new Map([
  ...ownShape,
  ["agent", withMethods("an agent of the AI SDK", "stream")],
]);

const knownNames = [...ownShape.keys(), "agent", ...settingNames];

/** Checks Troupe's own options, and returns them. The AI SDK checks its own. */
export function checkedOptions(options: AiAgentOptions): ThinkingOptions {
  assertObject(options, "The argument of AiAgent");
  const { description, history, repeatable, whenBusy, metrics, onStep } = options;
  const own = { description, history, repeatable, whenBusy, metrics, onStep };
  assertOptions(own, ownShape, "AiAgent");
  if ("agent" in options) {
    assertOptions(options, withAgentShape, "AiAgent with an agent of the AI SDK");
  } else {
    for (const name in options) assertNotMisspelt(name);
    assertModel(options.model, "AiAgent without an agent of the AI SDK");
    // A setting of version 7.
    if ("toolApproval" in options && options.toolApproval !== undefined) throw needsApproval();
  }
  return own;
}

/** Throws for a repeatable tool that the agent does not have. */
export function assertRepeatable({ repeatable = [] }: ThinkingOptions, tools: object): void {
  const unknown = repeatable.find((name) => !Object.hasOwn(tools, name));
  if (unknown === undefined) return;
  const known = Object.keys(tools).join(", ");
  const text = `AiAgent has no tool ${quoted(unknown)}, which the option repeatable names. Its tools: ${known === "" ? "none" : known}.`;
  throw new TroupeError("invalid-argument", text);
}

/** Letters of the shortest known name to which others are compared. Settings such as `topK` and `topP` differ by one letter. */
const shortestCompared = 5;

/** Letters of the shortest known name in which a replaced letter is a slip: `onStop` may be a setting beside `onStep`. */
const shortestReplaced = 8;

/** Throws for a name with one slip in a known one. Other unknown names are left to the AI SDK, whose newer versions have more settings. */
function assertNotMisspelt(name: string): void {
  if (knownNames.includes(name)) return;
  const meant = knownNames.find((known) => known.length >= shortestCompared && hasOneSlip(name, known));
  if (meant === undefined) return;
  throw new TroupeError("invalid-argument", `AiAgent has no option ${quoted(name)}. Did you mean ${meant}?`);
}

/** Whether a name is another one with one letter left out, added or replaced, or with two letters swapped. Capitals count as small letters. */
function hasOneSlip(name: string, other: string): boolean {
  const [given, known] = [name.toLowerCase(), other.toLowerCase()];
  let from = 0;
  while (from < known.length && given[from] === known[from]) from += 1;
  const [rest, wanted] = [given.slice(from), known.slice(from)];
  const isSwapped = rest[0] === wanted[1] && rest[1] === wanted[0] && rest.slice(2) === wanted.slice(2);
  const isReplaced = known.length >= shortestReplaced && rest.slice(1) === wanted.slice(1);
  return isSwapped || isReplaced || rest.slice(1) === wanted || rest === wanted.slice(1);
}
