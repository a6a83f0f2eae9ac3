import { defineMessage, handlerTable, RoutedAgent } from "troupe";
import { z } from "zod";

export const Greeting = defineMessage("Greeting", z.object({ content: z.string() }));

/** An agent with one field of its own, as users write it. */
export class Greeter extends RoutedAgent {
  static override readonly handlers = handlerTable<Greeter>().event(Greeting, function () {
    this.greeted += 1;
    Greeter.#left -= 1;
    if (Greeter.#left === 0) Greeter.#onGreeted();
  });

  static #left = 0;
  static #onGreeted = () => {};

  greeted = 0;

  /** Resolves when agents of this class have been greeted so many times more. */
  static untilGreeted(times: number): Promise<void> {
    Greeter.#left = times;
    return new Promise((resolve) => {
      Greeter.#onGreeted = resolve;
    });
  }
}

/** The user's own fields and nothing else: the agent, if it were no agent. */
export class PlainGreeter {
  greeted = 0;
}
