import {
  AgentId,
  type AgentRuntime,
  handlerTable,
  type MessageContext,
  type MessageOf,
  RoutedAgent,
  SingleThreadedAgentRuntime,
} from "troupe";
import { participant, TakeTurn, Team, type TeamOptions, TurnTaken, type TurnTakenInput } from "troupe/teams";

/** A participant that says what its script has, and keeps what it was given. */
export class Scripted extends RoutedAgent {
  static override readonly handlers = handlerTable<Scripted>().rpc(TakeTurn, function (ask, context) {
    this.given.push(ask);
    return this.play(ask, context);
  });

  readonly given: MessageOf<typeof TakeTurn>[] = [];
  readonly #lines: (string | TurnTakenInput | Error)[];

  constructor(lines: readonly (string | TurnTakenInput | Error)[]) {
    super("says what its script has");
    this.#lines = [...lines];
  }

  play(_ask: MessageOf<typeof TakeTurn>, _context: MessageContext): MessageOf<typeof TurnTaken> {
    const line = this.#lines.shift();
    if (line === undefined) throw new Error("The script has ended");
    if (line instanceof Error) throw line;
    return TurnTaken(typeof line === "string" ? { content: line } : line);
  }
}

export type Script = { readonly [name: string]: readonly (string | TurnTakenInput | Error)[] };

/** Registers scripted participants. */
export async function registerScript(runtime: AgentRuntime, script: Script): Promise<Map<string, Scripted>> {
  const agents = new Map<string, Scripted>();
  for (const [name, lines] of Object.entries(script)) {
    await Scripted.register(runtime, name, () => {
      const agent = new Scripted(lines);
      agents.set(name, agent);
      return agent;
    });
  }
  return agents;
}

export const team = new AgentId("team", "t1");

/** Starts a runtime with a team of scripted participants. */
export async function scriptedTeam(script: Script, options: Omit<TeamOptions, "participants">) {
  const runtime = new SingleThreadedAgentRuntime();
  await runtime.start();
  const agents = await registerScript(runtime, script);
  const participants = Object.keys(script).map((name) => participant(name, `the ${name}`));
  await Team.register(runtime, "team", () => new Team({ participants, ...options }));
  return { runtime, agents };
}
