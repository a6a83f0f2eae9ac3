import { type AgentRuntime, ClosureAgent, type MessageOf, TypeSubscription } from "troupe";
import { Heard } from "./messages.ts";

/** Records which workers' readers have heard a headline, so that the demo can wait for them. */
export class Audience {
  readonly #heard: MessageOf<typeof Heard>[] = [];
  #wake = () => {};

  async join(runtime: AgentRuntime): Promise<void> {
    await ClosureAgent.registerClosure(runtime, "audience", (_agent, heard) => this.#note(heard), {
      types: Heard,
      subscriptions: [({ agentType }) => new TypeSubscription("heard", agentType)],
    });
  }

  /** Waits until every worker has heard the headline. Returns their names in the order of their answers. */
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
