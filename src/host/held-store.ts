import {
  type AgentName,
  type Clock,
  type Logger,
  loggableError,
  type StateStore,
  StoreError,
  type StoreErrorCode,
  type Timer,
} from "../core/internal.ts";
import type { MutableHostCounters } from "./counters.ts";

export interface HeldStoreParts {
  readonly store: StateStore;
  readonly takesOver: boolean;
  readonly counters: MutableHostCounters;
  readonly logger: Logger | undefined;
  readonly clock: Clock;
  /** Called with the number of the opening when the store is open. */
  readonly onOpen?: ((incarnation: number) => void) | undefined;
}

/** The state store of a host: opened when the host starts, or at the first use, and closed at the host's end. */
export class HeldStore {
  readonly #parts: HeldStoreParts;
  #opening: Promise<StateStore> | undefined;
  #incarnation = 0;
  #newestGeneration = 0;
  #closing: Promise<void> | undefined;
  #isFencedLogged = false;
  #isLost = false;
  #timer: Timer | undefined;
  /** Called when the store can't be used any more, and when it can again. */
  onLost: (isLost: boolean) => void = () => undefined;

  constructor(parts: HeldStoreParts) {
    this.#parts = parts;
  }

  /** The number of this opening of the store; 0 before it is open. */
  get incarnation(): number {
    return this.#incarnation;
  }

  /** The newest first part of an epoch that the store knew when it was opened. */
  get newestGeneration(): number {
    return this.#newestGeneration;
  }

  /** Whether the store could not be used when it was asked last. */
  get isLost(): boolean {
    return this.#isLost;
  }

  get hasOpened(): boolean {
    return this.#opening !== undefined;
  }

  /** Opens the store once; resolves to it. After a failure the next call tries again. */
  open(): Promise<StateStore> {
    this.#opening ??= this.#open().catch((error: unknown) => {
      this.#opening = undefined;
      throw error;
    });
    return this.#opening;
  }

  /** The store, also if it is not open. Reading does not need the opening. */
  get readable(): StateStore {
    return this.#parts.store;
  }

  /** Ends the opening when what was asked before is done. Never rejects. */
  close(): Promise<void> {
    this.#timer?.cancel();
    this.#closing ??= this.#close();
    return this.#closing;
  }

  /**
   * Counts and logs a failure of the store; returns what may be said of it to a worker. The store's own text may name files of this machine.
   * `byDefault`: the meaning of an error of another class than `StoreError`.
   */
  failed(
    error: unknown,
    what: string,
    byDefault: "unavailable" | "unknown" = "unavailable",
  ): { readonly code: "state-unavailable" | "state-unknown" | "message-too-large"; readonly text: string } {
    const { counters, logger } = this.#parts;
    const code = error instanceof StoreError ? error.storeCode : byDefault;
    counters.storeErrors += 1;
    this.#noteCode(code);
    if (code !== "fenced") logger?.error(what, { error: loggableError(error) });
    else if (!this.#isFencedLogged) {
      this.#isFencedLogged = true;
      const text =
        "another process has taken the state store over; this host keeps no states any more: stop one of the two";
      logger?.error(text, { error: loggableError(error) });
    }
    if (code === "too-large") return { code: "message-too-large", text: textOf(code) };
    return { code: code === "unknown" ? "state-unknown" : "state-unavailable", text: textOf(code) };
  }

  /** Notes a failure of the store that has its own answer. */
  note(error: unknown): void {
    this.#noteCode(error instanceof StoreError ? error.storeCode : "unavailable");
  }

  #noteCode(code: StoreErrorCode): void {
    if (this.#closing !== undefined || this.#isLost || !losing.has(code)) return;
    this.#isLost = true;
    this.onLost(true);
    // Another process has a store that is fenced, so that no look brings it back.
    if (code !== "fenced") this.#lookLater();
  }

  #lookLater(): void {
    this.#timer = this.#parts.clock.setTimer(lookMs, () => void this.#look());
  }

  /** Looks whether the store can be read again. */
  async #look(): Promise<void> {
    try {
      await this.#parts.store.load(nobody);
    } catch {
      if (this.#closing === undefined) this.#lookLater();
      return;
    }
    if (this.#closing !== undefined) return;
    this.#isLost = false;
    this.onLost(false);
  }

  async #open(): Promise<StateStore> {
    const { store, takesOver, onOpen } = this.#parts;
    const { incarnation, newestGeneration } = await store.open({ takesOver });
    this.#newestGeneration = newestGeneration;
    this.#incarnation = incarnation;
    onOpen?.(incarnation);
    return store;
  }

  async #close(): Promise<void> {
    const { store, logger } = this.#parts;
    // A store that opens now must be closed, too.
    await this.#opening?.catch(() => undefined);
    try {
      await store.close();
    } catch (error) {
      logger?.error("the state store could not be closed", { error: loggableError(error) });
    }
  }
}

/** Errors after which the store can't be used. After the others the next ask may succeed. */
const losing: ReadonlySet<StoreErrorCode> = new Set(["unavailable", "fenced", "closed", "corrupt", "in-use"]);
/** Milliseconds between two looks at a store that is lost. */
const lookMs = 2_000;
/** No agent has this name. */
const nobody: AgentName = { type: "troupe.health", key: "look" };

function textOf(code: StoreErrorCode): string {
  switch (code) {
    case "full":
      return "The state store of the host is full. Its operator has to make space.";
    case "overloaded":
      return "The state store of the host has too much to do. Try again later.";
    case "too-large":
      return "The message is longer than the log of the host takes. The log of the host says which limit to raise.";
    case "unknown":
      return "The state store of the host can't say whether it has written.";
    case "unavailable":
    case "corrupt":
    case "fenced":
    case "in-use":
    case "not-open":
    case "closed":
      return "The state store of the host can't be used now. The log of the host says why. Try again later.";
  }
}
