import type { TroupeError } from "../errors.ts";
import type { EffectsSavepoint } from "./effects.ts";
import type { RunChange } from "./stored-runs.ts";

/** The reason for which a slot lost its state while a turn ran. */
export interface LostState {
  readonly error: TroupeError;
  /** Whether another program has written the state, so that the message may be tried again. */
  readonly isConflict: boolean;
  /** Whether the turn that met the conflict ends the activation, since its message is tried again first. */
  readonly isLeftLater?: boolean | undefined;
  /** Whether the activation lives on: a turn that ran on what could not be written goes back like any that fails. */
  readonly goesBack?: boolean | undefined;
}

/** State and effects at one moment. */
export interface Snapshot {
  /** Undefined: JSON could not hold the state, or it is not known. */
  readonly text: string | undefined;
  readonly effects: EffectsSavepoint | undefined;
  readonly isDestroying: boolean;
}

/** A kept run whose turn may save its agent's state before it ends. */
export interface SavedRun {
  /** Returns the changes that a commit within the turn makes of the run: the chunks so far, and that it has come further. Call `stepped` after it. */
  step(): Promise<readonly RunChange[]>;
  /** The commit with these changes is decided. */
  stepped(isWritten: boolean): void;
  /** Writes the same by a commit of its own. Rejects if it can't be written. */
  stepAlone(): Promise<void>;
}

/** A turn that may change the state. */
export interface WritingTurn {
  /** Its name in the paths of the calls that it makes. Undefined: it makes none. */
  readonly token: string | undefined;
  /** The state to go back to. Undefined: that of the last commit. */
  text: string | undefined;
  effects: EffectsSavepoint | undefined;
  wasDestroying: boolean;
  /** Whether a part of the turn is written: it can't be tried again. */
  hasCommitted: boolean;
  /** Calls of the turn that have not ended. */
  calls: number;
  /** Whether it has made a call since the last one ended: its handler waits for that. */
  rests: boolean;
  /** The moment at which its handler continued, though a turn ran that is nested in it. Undefined: it has not. */
  continuedAt: Snapshot | undefined;
  /** Set when the state is lost. */
  lost: LostState | undefined;
  /** The run that the turn answers, if it is kept. */
  run: SavedRun | undefined;
}

/** Of a turn that has continued at some time. */
const unknown: Snapshot = { text: undefined, effects: undefined, isDestroying: false };

/**
 * The turns of one activation that may change the state, the outermost first. Each is nested in the one before it, unless the agent's handlers
 * interleave. A turn rests while one is nested in it, until a call of it ends. From then on both may change the state, and the runtime can't tell
 * their changes apart.
 */
export class WritingTurns {
  areInterleaved = false;
  readonly #turns: WritingTurn[] = [];
  readonly #onEnd = new Set<() => void>();
  readonly #snapshot: () => Snapshot;

  /** `snapshot` returns what stands in the state now. */
  constructor(snapshot: () => Snapshot) {
    this.#snapshot = snapshot;
  }

  get all(): readonly WritingTurn[] {
    return this.#turns;
  }

  get innermost(): WritingTurn | undefined {
    return this.#turns.at(-1);
  }

  /** Whether a turn that waits for no call continues while another one is nested in it. */
  get areShared(): boolean {
    return this.#turns.some((turn) => turn.continuedAt !== undefined && turn.calls === 0 && !this.#isInnermost(turn));
  }

  begin(turn: WritingTurn): void {
    const around = this.innermost;
    // Its call may have been given up before the turn came that was part of it.
    if (around !== undefined) around.continuedAt = around.rests ? undefined : this.#snapshot();
    this.#turns.push(turn);
  }

  /** Ends a turn. `onEnd` is called before others hear of it. */
  end(turn: WritingTurn, onEnd: () => void): void {
    if (this.innermost === turn) this.#turns.pop();
    else if (this.#turns.includes(turn)) this.#turns.splice(this.#turns.indexOf(turn), 1);
    onEnd();
    for (const listener of this.#onEnd) listener();
  }

  isNested(turn: WritingTurn): boolean {
    return this.#turns[0] !== turn;
  }

  /** Returns the turns in which this one is nested, the outermost first. */
  around(turn: WritingTurn): WritingTurn[] {
    return this.areInterleaved ? [] : this.#turns.slice(0, Math.max(0, this.#turns.indexOf(turn)));
  }

  /** Returns a promise while turns run that are nested in this one. */
  nestedEnd(turn: WritingTurn): Promise<void> | undefined {
    return this.#isInnermost(turn) ? undefined : this.#untilInnermost(turn);
  }

  /** Counts a call of the turn with this token. The returned function ends the call. Undefined: no such turn runs. */
  callBegins(token: string): (() => void) | undefined {
    const turn = this.#turns.find((one) => one.token === token);
    if (turn === undefined) return undefined;
    turn.calls += 1;
    turn.rests = true;
    return () => {
      turn.calls -= 1;
      turn.rests = false;
      if (!this.#isInnermost(turn)) turn.continuedAt ??= this.#snapshot();
    };
  }

  /** The handler of a turn has ended, also if it has not awaited its calls. */
  handlerEnded(turn: WritingTurn): void {
    if (!this.#isInnermost(turn) && (turn.continuedAt === undefined || turn.calls > 0)) turn.continuedAt = unknown;
  }

  /** A commit is written, or a turn is undone. What a turn that continued has changed since is not known. */
  forgetSnapshots(): void {
    for (const turn of this.#turns) if (turn.continuedAt !== undefined) turn.continuedAt = unknown;
  }

  /**
   * The changes of a turn are undone, and with them those of the turns around it that have continued. `isChanged` tells whether something was
   * changed since. What is nested in such a turn fails with it.
   */
  loseAround(turn: WritingTurn, isChanged: (since: Snapshot) => boolean, makeError: () => TroupeError): void {
    const around = this.#turns.slice(0, this.#turns.indexOf(turn));
    const first = around.findIndex(({ continuedAt }) => continuedAt !== undefined && isChanged(continuedAt));
    if (first >= 0) lose(around.slice(first), makeError);
  }

  /** The changes of all other turns are gone. */
  loseOthers(turn: WritingTurn | undefined, makeError: () => TroupeError): void {
    lose(
      this.#turns.filter((one) => one !== turn),
      makeError,
    );
  }

  #isInnermost(turn: WritingTurn): boolean {
    return this.areInterleaved || this.innermost === turn || !this.#turns.includes(turn);
  }

  async #untilInnermost(turn: WritingTurn): Promise<void> {
    while (!this.#isInnermost(turn)) {
      await new Promise<void>((resolve) => {
        const listener = () => {
          this.#onEnd.delete(listener);
          resolve();
        };
        this.#onEnd.add(listener);
      });
    }
  }
}

function lose(turns: readonly WritingTurn[], makeError: () => TroupeError): void {
  if (turns.length === 0) return;
  const lost: LostState = { error: makeError(), isConflict: false, goesBack: true };
  for (const turn of turns) turn.lost ??= lost;
}
