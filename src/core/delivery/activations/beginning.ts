import type { ActivationContext } from "../../agents/agent-life.ts";

/** The context of an activation that begins. It makes the signal on first use. */
export class Beginning implements ActivationContext {
  isNew = true;
  #controller: AbortController | undefined;

  get signal(): AbortSignal {
    this.#controller ??= new AbortController();
    return this.#controller.signal;
  }

  abort(reason: Error): void {
    this.#controller ??= new AbortController();
    this.#controller.abort(reason);
  }
}
