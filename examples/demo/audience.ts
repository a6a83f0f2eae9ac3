import { type AgentRuntime, ClosureAgent, type MessageOf, TypeSubscription } from "troupe";
import { Heard } from "./messages.ts";

/** Takes note of which workers' readers say that they heard a headline, so that the demo can wait for them. */
export class Audience {
  readonly #heard: MessageOf<typeof Heard>[] = [];
  #wake = () => {};

  async join(runtime: AgentRuntime): Promise<void> {
    await ClosureAgent.registerClosure(runtime, "audience", (_agent, heard) => this.#note(heard), {
      types: Heard,
      subscriptions: [({ agentType }) => new TypeSubscription("heard", agentType)],
    });
  }

  /** Waits until every one of the workers has heard it, and gives their names in the order they answered. */
  async hearing(headline: string, workers: readonly string[]): Promise<readonly string[]> {
    for (;;) {
      const names = this.#heard.filter((heard) => heard.headline === headline).map((heard) => heard.worker);
      if (workers.every((worker) => names.includes(worker))) return names;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  #note(heard: MessageOf<typeof Heard>): void {
    this.#heard.push(heard);
    this.#wake();
  }
}
