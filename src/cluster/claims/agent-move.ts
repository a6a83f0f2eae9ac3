/** The outcome of giving an agent to another worker. `lost` and `unknown`: the next message for it begins with a claim. */
export type GiveOutcome = "given" | "lost" | "unknown";

/** The steps of a move at the claims of its host. */
export interface MoveSteps {
  give(toWorkerId: string): Promise<GiveOutcome>;
  sleep(): void;
  thaw(): void;
}

/**
 * An agent that is frozen: its host makes, refreshes and uses no claim of it until the move is over. The host asks the agent's worker to
 * let it go, and then ends the move in one of three ways.
 */
export class AgentMove {
  readonly #steps: MoveSteps;
  #state: "frozen" | "giving" | "over" = "frozen";

  constructor(steps: MoveSteps) {
    this.#steps = steps;
  }

  get isOver(): boolean {
    return this.#state === "over";
  }

  /**
   * Gives the agent to another worker. Its worker has let it go. From now on nothing else ends the move: a write that is under way may
   * happen. Resolves to `lost` without a write if the move is over.
   */
  async give(toWorkerId: string): Promise<GiveOutcome> {
    if (this.#state !== "frozen") return "lost";
    this.#state = "giving";
    const outcome = await this.#steps.give(toWorkerId);
    this.#state = "over";
    this.#steps.thaw();
    return outcome;
  }

  /** The worker has let the agent go, and keeps its claim for the next message. Returns false if the move is over, or giving. */
  sleep(): boolean {
    if (this.#state !== "frozen") return false;
    this.#state = "over";
    this.#steps.sleep();
    this.#steps.thaw();
    return true;
  }

  /** The agent stays with its worker. Returns false if the move is over, or giving. */
  thaw(): boolean {
    if (this.#state !== "frozen") return false;
    this.#state = "over";
    this.#steps.thaw();
    return true;
  }
}
