import { appendFileSync } from "node:fs";
import { AiAgent, type AiAgentOptions, agentTool, Prompt, sameKey } from "troupe/ai";
import { scriptedModel } from "troupe/ai/testing";
import { withCallIds } from "./counting-buyer.ts";

export interface PlannerParts {
  /** A line is added for each call of the model. */
  readonly file: string;
  /** Begins the ids of tool calls. */
  readonly ids: string;
  readonly options?: Partial<AiAgentOptions> | undefined;
}

/** An agent that has bread bought by the agent `buyer` with its own key, in a run of that one, and says so. */
export function countingPlanner({ file, ids, options }: PlannerParts): AiAgent {
  const model = scriptedModel(
    Array.from({ length: 10 }, () => ({ prompt }: { prompt: readonly { role: string; content: unknown }[] }) => {
      const results = prompt.filter(({ role }) => role === "tool");
      appendFileSync(file, `plan ${results.length}\n`);
      if (results.length === 0) return { text: "I ask.", calls: [{ name: "buyer", input: { text: "Buy bread" } }] };
      return { text: `Told: ${JSON.stringify(results[0]?.content)}` };
    }),
  );
  const buyer = agentTool(Prompt, { to: sameKey("buyer"), description: "Buys things", run: true, stream: true });
  return new AiAgent({ model: withCallIds(model, ids), tools: { buyer }, ...options });
}
