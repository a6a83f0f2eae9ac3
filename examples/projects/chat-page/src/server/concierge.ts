import type { LanguageModel } from "ai";
import { type MessageContext, TopicId } from "troupe";
import { AiAgent, agentTool, Prompt } from "troupe/ai";
import { AskForecast, ChatChanged } from "../messages.ts";

/** One chat. Its model asks the guide and the forecaster. All pages of the chat are told when an answer begins and ends. */
export class Concierge extends AiAgent {
  constructor(model: LanguageModel) {
    super({
      model,
      instructions: "You plan trips. Ask the guide for sights, and the forecaster for the weather.",
      tools: {
        guide: agentTool(Prompt, { to: "guide", description: "Knows the sights of cities", stream: true }),
        forecast: agentTool(AskForecast, { to: "forecaster", description: "Knows the weather", timeoutMs: 60_000 }),
      },
      // Where the worker was lost, the next one asks both again.
      repeatable: ["guide", "forecast"],
    });
  }

  protected override onMessageImpl(message: unknown, context: MessageContext): unknown {
    const answer = super.onMessageImpl(message, context);
    return message instanceof Prompt ? this.#told(answer) : answer;
  }

  async #told(answer: unknown): Promise<unknown> {
    const changed = () => this.publishMessage(ChatChanged({}), new TopicId("chats", this.id.key));
    try {
      const [said] = await Promise.all([answer, changed()]);
      return said;
    } finally {
      await changed();
    }
  }
}
