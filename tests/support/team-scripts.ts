import { AgentId, type AgentRuntime, handlerTable, RoutedAgent, SingleThreadedAgentRuntime } from "troupe";
import {
  all,
  any,
  handoffs,
  handoffTo,
  maxMessages,
  mention,
  type Next,
  participant,
  RunTeam,
  roundRobin,
  saidBy,
  selector,
  TakeTurn,
  Team,
  type TeamResult,
  TurnTaken,
  tokens,
  toolCalled,
  UiPart,
  type Until,
} from "troupe/teams";

/** A line of a participant's script: its text, a hand-off, or the call of a tool. */
export type Line = ({ readonly content: string } | { readonly handoff: string } | { readonly tool: string }) & {
  readonly prompt?: number;
  readonly completion?: number;
};

/** A condition as data. */
export type Tree =
  | { readonly is: "any" | "all"; readonly of: readonly Tree[] }
  | { readonly is: "maxMessages"; readonly most: number }
  | { readonly is: "mention"; readonly text: string; readonly sources?: readonly string[] }
  | { readonly is: "saidBy"; readonly sources: readonly string[] }
  | { readonly is: "handoffTo"; readonly target: string }
  | { readonly is: "tokens"; readonly total?: number; readonly prompt?: number; readonly completion?: number }
  | { readonly is: "toolCalled"; readonly tool: string };

/** A policy as data. */
export type Policy =
  | { readonly is: "roundRobin" | "handoffs" }
  | { readonly is: "selector"; readonly lines: readonly string[]; readonly allowRepeats?: boolean }
  | { readonly is: "function"; readonly order: readonly string[] };

/** What a team does, in words that AgentChat can play, too. */
export interface TeamScript {
  readonly participants: Readonly<Record<string, readonly Line[]>>;
  readonly policy: Policy;
  readonly until?: Tree;
  readonly maxTurns?: number;
  /** The tasks of the runs; null goes on. */
  readonly tasks: readonly (string | null)[];
}

/** Returns the condition that the data describes. Several conditions are joined in pairs, as operators join them. */
export function conditionOf(tree: Tree): Until {
  switch (tree.is) {
    case "any":
    case "all": {
      const join = tree.is === "any" ? any : all;
      return tree.of.map(conditionOf).reduce((joined, condition) => join(joined, condition));
    }
    case "maxMessages":
      return maxMessages(tree.most);
    case "mention":
      return mention(tree.text, { sources: tree.sources });
    case "saidBy":
      return saidBy(...tree.sources);
    case "handoffTo":
      return handoffTo(tree.target);
    case "tokens":
      return tokens(tree);
    case "toolCalled":
      return toolCalled(tree.tool);
  }
}

function policyOf(policy: Policy): Next {
  switch (policy.is) {
    case "roundRobin":
      return roundRobin();
    case "handoffs":
      return handoffs();
    case "selector": {
      const lines = [...policy.lines];
      return selector(() => lines.shift() ?? "", { allowRepeats: policy.allowRepeats });
    }
    case "function": {
      const order = [...policy.order];
      return () => order.shift() ?? [];
    }
  }
}

/** A participant that says what its script has, in the words of AgentChat's `AssistantAgent` with the same model. */
export class ScriptedAssistant extends RoutedAgent {
  static override readonly handlers = handlerTable<ScriptedAssistant>().rpc(TakeTurn, async function* () {
    const line = this.#lines.shift();
    if (line === undefined) throw new Error("The script has ended");
    const usage = { prompt_tokens: line.prompt ?? 0, completion_tokens: line.completion ?? 0 };
    if ("content" in line) return TurnTaken({ content: line.content, ...usage });
    if ("handoff" in line) {
      const { handoff } = line;
      const content = `Transferred to ${handoff}, adopting the role of ${handoff} immediately.`;
      return TurnTaken({ content, handoff, ...usage });
    }
    yield UiPart({ type: "tool-input-available", toolCallId: "1", toolName: line.tool, input: {} });
    yield UiPart({ type: "tool-output-available", toolCallId: "1", output: "" });
    return TurnTaken({ content: `${line.tool} is done`, ...usage });
  });

  readonly #lines: Line[];

  constructor(lines: readonly Line[]) {
    super("says what its script has");
    this.#lines = [...lines];
  }
}

/** Registers participants of a script. */
export async function registerAssistants(
  runtime: AgentRuntime,
  participants: TeamScript["participants"],
): Promise<void> {
  for (const [name, lines] of Object.entries(participants)) {
    await ScriptedAssistant.register(runtime, name, () => new ScriptedAssistant(lines));
  }
}

/** Shows a result as `source: content` of each message. */
export function shownResult({ messages, stop_reason, prompt_tokens, completion_tokens }: TeamResult) {
  return {
    messages: messages.map(({ source, content }) => `${source}: ${content}`),
    ...{ stop_reason, prompt_tokens, completion_tokens },
  };
}

/** Plays a script in a runtime of its own, and returns the results of its runs. */
export async function playScript({ participants, policy, until, maxTurns, tasks }: TeamScript) {
  await using runtime = new SingleThreadedAgentRuntime();
  await runtime.start();
  await registerAssistants(runtime, participants);
  const members = Object.keys(participants).map((name) => participant(name, `the ${name}`));
  const options = {
    ...{ participants: members, next: policyOf(policy), maxTurns, shareChunks: true },
    until: until === undefined ? undefined : conditionOf(until),
  };
  await Team.register(runtime, "team", () => new Team(options));
  const results: ReturnType<typeof shownResult>[] = [];
  for (const task of tasks) {
    results.push(shownResult(await runtime.sendMessage(RunTeam({ task: task ?? "" }), new AgentId("team", "t"))));
  }
  return results;
}
