import { compare } from "../../support/comparing.ts";
import { agentsIn, type PartOptions, planArgs } from "../../support/part-options.ts";
import { AgentMemory } from "./contenders.ts";

/** Measures what an idle agent with a time or a cap takes in its worker, and a claim at the host. */
export async function measureMemory(options: PartOptions): Promise<void> {
  const agents = agentsIn(options, 50_000);
  await compare({
    benchmark: "state-memory",
    title: "memory of idle agents and of claims",
    unit: "bytes",
    contenders: [
      new AgentMemory("with a claim (shared)", "shared"),
      new AgentMemory("with a time (idleAfterMs)", "idle"),
      new AgentMemory("with a cap (maxLive)", "capped"),
      new AgentMemory("without", "plain"),
    ],
    baseline: "without",
    loads: [
      { text: "an idle agent, at its worker", of: "worker", agents },
      { text: "an agent, at the host", of: "host", agents: 2 * agents },
    ],
    loadText: ({ text }) => text,
    ...{ seconds: 0, warmUpSeconds: 0, rounds: 2 },
    args: planArgs(options),
  });
}
