import { TroupeError, type TurnInLine, type WatchedQueue } from "../core/internal.ts";
import type { TakeTurnFields } from "../teams/internal.ts";
import type { ModelMessage } from "./sdk.ts";
import type { TeamTurn } from "./team-turns.ts";

/**
 * Decides about a message that comes while the agent thinks.
 * - `queue`: it waits for its turn. `reject`: it fails as `overloaded`.
 * - `steer`: the model reads it after the present step, and the answer of that turn answers both. Its tokens are told to the first.
 * - `interrupt`: the present turn fails as `cancelled`, and the message has its turn.
 *
 * A message that comes by way of other agents from the present turn would wait for itself. With `queue` and `steer` it fails as `deadlock`, and with
 * `reject` as `overloaded`. With `interrupt` it is cancelled together with that turn.
 */
export type WhenBusy = "queue" | "reject" | "steer" | "interrupt";

/** Messages that wait for one agent, at most. */
export const mostWaiting = 100;

/** A message that the agent has not answered yet. */
export interface Ask {
  readonly content: AskContent;
  readonly signal: AbortSignal;
  /** The run that the message has begun, if it is kept. */
  readonly run: string | undefined;
  /** Its turn, as other agents' calls see it. Undefined: no runtime has delivered the message. */
  readonly place: TurnInLine | undefined;
  /** Whether the history has the message already. */
  isIn: boolean;
}

/** The content of an ask: a message to the model, or a turn in a team. A team that does not tell the turn's place can't ask for it again. */
export type AskContent =
  | { readonly of: "prompt"; readonly message: ModelMessage }
  | { readonly of: "team"; readonly turn: TeamTurn }
  | { readonly of: "stranger"; readonly turn: TakeTurnFields };

/** The end of a turn for those that it answers. `left`: it has ended without an answer for them. */
export type TurnEnd<Answer> = { readonly answer: Answer } | { readonly error: unknown } | "left";

/** A turn as the line sees it. */
export interface LineTurn<Answer> {
  /** Ends the turn as `cancelled`, at once. */
  interrupt(): void;
  /** The end of the turn. */
  readonly ended: Promise<TurnEnd<Answer>>;
  /** The message that has the turn. */
  readonly ask: Pick<Ask, "place">;
  /** Asks that the model reads after the present step. */
  readonly steered: Ask[];
  /** The kept runs whose message the model was given. */
  readonly runs: readonly string[];
}

interface Waiting<Answer> {
  readonly turn: LineTurn<Answer>;
  readonly begin: () => void;
}

/**
 * The turns of one agent: one runs, others wait in the order in which they came. A message that a turn waits for can't wait for this turn; it fails.
 * The runtime watches the others, and finds those that wait for each other by way of several agents.
 */
export class TurnLine<Answer> implements WatchedQueue {
  #running: LineTurn<Answer> | undefined;
  /** Asks that wait for the end of the turn that runs. */
  readonly #steering = new Set<Ask>();
  readonly #waiting: Waiting<Answer>[] = [];

  get running(): LineTurn<Answer> | undefined {
    return this.#running;
  }

  get hasWaitingPath(): boolean {
    for (const { hasPath } of this.#places()) if (hasPath) return true;
    return false;
  }

  *waits(): Iterable<{ readonly turn: TurnInLine; readonly behind: readonly TurnInLine[] }> {
    const running = this.#running?.ask.place;
    if (running === undefined) return;
    for (const turn of this.#places()) yield { turn, behind: [running] };
  }

  /** Resolves when the turn may begin. Rejects when the signal aborts, and with `deadlock` if the turn that runs waits for it. */
  async enter(turn: LineTurn<Answer>, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const { place } = turn.ask;
    if (this.#running === undefined) {
      this.#begin(turn);
      return;
    }
    this.#assertMayWait(place);
    await new Promise<void>((resolve, reject) => {
      const leave = () => {
        this.#waiting.splice(this.#waiting.indexOf(waiting), 1);
        place?.changed(this);
        reject(signal.reason);
      };
      const waiting = {
        turn,
        begin: () => {
          signal.removeEventListener("abort", leave);
          resolve();
        },
      };
      signal.addEventListener("abort", leave, { once: true });
      this.#waiting.push(waiting);
      place?.changed(this);
    });
  }

  /** The turn that runs has ended, and the next one begins. */
  leave(): void {
    const place = this.#running?.ask.place;
    place?.end();
    this.#running = undefined;
    const next = this.#waiting.shift();
    if (next !== undefined) this.#begin(next.turn);
    next?.begin();
    place?.changed(this);
  }

  /** Ends the turn that runs, and those that wait. */
  interruptAll(): void {
    this.#running?.interrupt();
    for (const { turn } of this.#waiting) turn.interrupt();
  }

  /** Gives a message to the turn that runs, and waits for its end. Rejects as `enter` does. */
  async steer(turn: LineTurn<Answer>, ask: Ask): Promise<TurnEnd<Answer>> {
    const { place } = ask;
    ask.signal.throwIfAborted();
    this.#assertMayWait(place);
    this.#steering.add(ask);
    turn.steered.push(ask);
    place?.changed(this);
    try {
      const end = await this.endOf(turn, ask.signal);
      // The turn ended before its model was given the message: its answer and its error are not for this one.
      return ask.isIn ? end : "left";
    } finally {
      this.#steering.delete(ask);
      const at = turn.steered.indexOf(ask);
      if (at >= 0) turn.steered.splice(at, 1);
      place?.changed(this);
    }
  }

  /** Waits for the end of a turn that the model was given a message for. Rejects when the signal aborts. */
  async endOf(turn: LineTurn<Answer>, signal: AbortSignal): Promise<TurnEnd<Answer>> {
    signal.throwIfAborted();
    let onAbort = (): void => undefined;
    const aborted = new Promise<never>((_, reject) => {
      onAbort = () => reject(signal.reason);
    });
    signal.addEventListener("abort", onAbort, { once: true });
    try {
      return await Promise.race([turn.ended, aborted]);
    } finally {
      signal.removeEventListener("abort", onAbort);
    }
  }

  #begin(turn: LineTurn<Answer>): void {
    this.#running = turn;
    turn.ask.place?.begin();
  }

  /** The messages that wait. */
  *#places(): Iterable<TurnInLine> {
    for (const { place } of this.#steering) if (place !== undefined) yield place;
    for (const { turn } of this.#waiting) if (turn.ask.place !== undefined) yield turn.ask.place;
  }

  #assertMayWait(place: TurnInLine | undefined): void {
    const running = this.#running?.ask.place;
    if (running !== undefined) place?.assertNotAwaitedBy(running);
    if (this.#waiting.length + this.#steering.size < mostWaiting) return;
    throw new TroupeError("overloaded", `${mostWaiting} messages wait for this agent already. Send it again later.`);
  }
}
