/** Milliseconds between the two keys of a shortcut. */
const patienceMs = 1_500;

/** Keys that work anywhere in the page but in fields and open boxes: `g` and a letter, `/` and `?`. */
export class Shortcuts {
  readonly #places: ReadonlyMap<string, () => void>;
  readonly #onHelp: () => void;
  #goesAtMs = Number.NEGATIVE_INFINITY;

  constructor(places: ReadonlyMap<string, () => void>, onHelp: () => void) {
    this.#places = places;
    this.#onHelp = onHelp;
  }

  onKey(event: KeyboardEvent): void {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented || isTyping(event.target)) return;
    if (document.querySelector("dialog[open]") !== null) return;
    const isSecond = event.timeStamp - this.#goesAtMs <= patienceMs;
    this.#goesAtMs = event.key === "g" ? event.timeStamp : Number.NEGATIVE_INFINITY;
    const act = isSecond ? this.#places.get(event.key) : this.#single(event.key);
    if (act === undefined) return;
    event.preventDefault();
    act();
  }

  #single(key: string): (() => void) | undefined {
    if (key === "?") return this.#onHelp;
    if (key === "/") return () => document.querySelector<HTMLElement>("main :is(input, select)")?.focus();
    return undefined;
  }
}

function isTyping(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && target.closest("input, select, textarea") !== null;
}
