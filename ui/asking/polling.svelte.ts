import { textOf } from "./api.ts";

/**
 * Asks again and again while a view is shown and the tab is visible, and says what has failed. `ask` gets a signal that ends with the view. Call it while a
 * component is made.
 */
export class Polling<Answer> {
  answer: Answer | undefined = $state.raw(undefined);
  problem: string = $state("");
  #again: () => void = () => undefined;

  constructor(ask: (signal: AbortSignal) => Promise<Answer>, everyMs: number) {
    $effect(() => {
      const ending = new AbortController();
      const { signal } = ending;
      let timer: ReturnType<typeof setTimeout> | undefined;
      let isAsking = false;
      const look = async (): Promise<void> => {
        clearTimeout(timer);
        if (isAsking || document.hidden) return;
        isAsking = true;
        try {
          this.answer = await ask(signal);
          this.problem = "";
        } catch (error) {
          if (!signal.aborted) this.problem = textOf(error);
        }
        isAsking = false;
        if (!signal.aborted) timer = setTimeout(() => void look(), everyMs);
      };
      const onShown = (): void => void look();
      document.addEventListener("visibilitychange", onShown);
      this.#again = onShown;
      void look();
      return () => {
        document.removeEventListener("visibilitychange", onShown);
        clearTimeout(timer);
        ending.abort();
      };
    });
  }

  /** Asks now. */
  again(): void {
    this.#again();
  }
}
