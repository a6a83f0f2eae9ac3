// Over 400 lines: it is one state machine, whose methods all read or change the state of one activation.
import { TroupeError } from "../errors.ts";
import { describe } from "../validation/option-values.ts";
import type { StateDefinition } from "./define-state.ts";
import { type EffectsSavepoint, noEffects, type TakenEffects, TurnEffects } from "./effects.ts";
import { stateOfText, textOfState } from "./state-codec.ts";
import { type LostState, type SavedRun, type Snapshot, type WritingTurn, WritingTurns } from "./writing-turns.ts";

/** The part of a runtime that commits a slot. */
export interface SlotHome {
  /** `run`: that of the turn that saves, which may be one of several that interleave. Default: it is found. */
  saveNow(slot: StateSlot, run?: SavedRun): Promise<void>;
}

/** The turns of an agent that run ahead of their commits. */
export interface SlotAhead {
  /** Of the last turn whose commit is not decided. Rejects if it is not written. Undefined: all are decided. */
  readonly last: Promise<void> | undefined;
  /** The same of the turn that has handled this message, while its commit is not decided. */
  remembering(id: string, principal: string): Promise<void> | undefined;
  /** The same of a turn that has cancelled this reminder, or has set it again. */
  withdrawing(tick: { readonly name: string; readonly dueAt: Date }): Promise<void> | undefined;
  /** Calls `end` when another turn may begin: at once if there is room for one. */
  letGo(end: () => void): void;
  /** A turn has read what `read` writes. Resolves when it is written. Calls `end` as `letGo` does. */
  afterRead(read: Promise<void>, end: () => void): Promise<void>;
  /** The state is lost: nothing is written of turns whose commit has not begun. */
  lost(lost: LostState): void;
}

/** A state as it was loaded. */
export interface LoadedState<T extends object> {
  readonly state: T;
  /** Undefined: nothing is stored. */
  readonly eTag: string | undefined;
  /** Whether the handlers of the agent interleave. */
  readonly isInterleaved: boolean;
  readonly home: SlotHome;
}

/** Key under which a persistent agent has its slot. Copies of the package share it. `Symbol.for` has no unique type. */
export const slotKey: unique symbol = Symbol.for("troupe.stateSlot") as never;

/** Returns the slot of a persistent agent; undefined for an agent that keeps no state. */
export function slotOf(agent: object): StateSlot | undefined {
  // Only persistent agents have this property, and it is nothing else.
  return Reflect.get(agent, slotKey) as StateSlot | undefined;
}

/**
 * The state of one activation: the value that handlers change, its text at the last commit, and the turns that run. A turn that fails
 * goes back to where it began, or to its last commit.
 */
export class StateSlot<T extends object = object> {
  readonly definition: StateDefinition<T>;
  /** The commit that is under way. Never rejects. */
  committing: Promise<unknown> | undefined;
  /** Undefined: each turn ends with its commit. */
  ahead: SlotAhead | undefined;
  /** Whether the state is deleted when the turn ends. */
  isDestroying = false;
  /** Whether the activation ends with its last turn: the state was deleted. */
  isDestroyed = false;
  /** Whether `onActivate` or `onDeactivate` runs, and is not saved yet. */
  isActivating = false;
  #at: "empty" | "loaded" | "gone" = "empty";
  #state: T | undefined;
  /** The text of the last commit or, for a state that is saved by hand, of the last turn that went well. */
  #text = "";
  #storedText = "";
  #eTag: string | undefined;
  #home: SlotHome | undefined;
  #effects: TurnEffects | undefined;
  readonly #turns = new WritingTurns(() => this.#snapshot());
  #readers = 0;
  /** The state that a commit under way deletes. Its turn has begun anew, since the caller may have the answer before the outcome is here. */
  #deleting: { readonly state: T; readonly freshText: string } | undefined;

  constructor(definition: StateDefinition<T>) {
    this.definition = definition;
  }

  /** `empty`: the state must be loaded before a turn. `gone`: the activation is over. */
  get at(): "empty" | "loaded" | "gone" {
    return this.#at;
  }

  get state(): T {
    if (this.#state === undefined) throw notLoaded();
    return this.#state;
  }

  set state(state: T) {
    if (this.#state === undefined) throw notLoaded();
    if (typeof state !== "object" || state === null) throw wrongState(state);
    this.#state = state;
  }

  get eTag(): string | undefined {
    return this.#eTag;
  }

  /** The text to which a turn goes back that fails. */
  get text(): string {
    return this.#text;
  }

  get storedText(): string {
    return this.#storedText;
  }

  get isInterleaved(): boolean {
    return this.#turns.areInterleaved;
  }

  /** The effects of the turn that runs. */
  get effects(): TurnEffects {
    this.#effects ??= new TurnEffects();
    return this.#effects;
  }

  get hasEffects(): boolean {
    return this.#effects?.isEmpty === false;
  }

  /** The effects, if a turn runs that may have some. */
  get turnEffects(): TurnEffects | undefined {
    return this.isWriting || this.isActivating ? this.effects : undefined;
  }

  /** The loss of the state, while a turn still runs that has lost it. */
  get lostInTurn(): LostState | undefined {
    return this.#at === "gone" ? this.#turns.all[0]?.lost : undefined;
  }

  /** The loss of the innermost turn that runs now. */
  get lostTurn(): LostState | undefined {
    return this.#turns.innermost?.lost;
  }

  get isWriting(): boolean {
    return this.#turns.innermost !== undefined;
  }

  /** The turns that may change the state, the outermost first. A commit that is taken now has what they have changed. */
  get writing(): readonly WritingTurn[] {
    return [...this.#turns.all];
  }

  /** Whether a turn that waits for no call continues while another one is nested in it. Both may change the state. */
  get isShared(): boolean {
    return this.#turns.areShared;
  }

  get isReading(): boolean {
    return this.#readers > 0;
  }

  /** Whether the activation ends with its last turn, unless a deletion fails. */
  get isEnding(): boolean {
    return this.isDestroying || this.isDestroyed || this.#deleting !== undefined;
  }

  /**
   * The commit that a turn waits for before it begins: what the turn changes could go with what the commit changes, when that fails. It may
   * reject. Undefined: the turn begins at once.
   */
  get undecided(): Promise<unknown> | undefined {
    if (this.#deleting !== undefined) return this.committing ?? this.ahead?.last;
    return this.isWriting && !this.isInterleaved ? this.committing : undefined;
  }

  /** Takes the state that was loaded. */
  fill({ state, eTag, isInterleaved, home }: LoadedState<T>): void {
    this.#text = textOfState(this.definition, state);
    this.#storedText = this.#text;
    this.#state = state;
    this.#eTag = eTag;
    this.#turns.areInterleaved = isInterleaved;
    this.#home = home;
    this.#effects = undefined;
    this.isDestroying = false;
    this.isDestroyed = false;
    this.#deleting = undefined;
    this.#at = "loaded";
  }

  /**
   * Begins a turn that may change the state. `token`: its name in the paths of the calls that it makes, if it has one. Throws `invalid-state`
   * when a turn around it has left what JSON can't hold.
   */
  begin(token?: string, run?: SavedRun): WritingTurn {
    const isNested = this.isWriting && !this.isInterleaved;
    this.isActivating = false;
    const turn: WritingTurn = {
      token,
      text: isNested ? textOfState(this.definition, this.state) : undefined,
      effects: isNested && this.hasEffects ? this.effects.savepoint() : undefined,
      wasDestroying: this.isDestroying,
      hasCommitted: false,
      calls: 0,
      rests: false,
      continuedAt: undefined,
      lost: isNested ? this.lostTurn : undefined,
      run,
    };
    this.#turns.begin(turn);
    return turn;
  }

  /** Whether a turn is nested in another one. */
  isNested(turn: WritingTurn): boolean {
    return this.#turns.isNested(turn);
  }

  /** Returns a promise while turns run that are nested in this one. Their caller may have given them up. */
  nestedEnd(turn: WritingTurn): Promise<void> | undefined {
    return this.#turns.nestedEnd(turn);
  }

  /** The handler of a turn has ended well. What it has changed while a turn ran that is nested in it goes with that turn if it fails. */
  handlerEnded(turn: WritingTurn): void {
    this.#turns.handlerEnded(turn);
  }

  /** The turn with this token makes a call. Call the returned function before the handler hears of its outcome. */
  callBegins(token: string): (() => void) | undefined {
    return this.#turns.callBegins(token);
  }

  /** Ends a turn that went well. */
  end(turn: WritingTurn): void {
    this.#turns.end(turn, () => {
      if (!this.isWriting && !this.hasEffects) this.#effects = undefined;
    });
  }

  /**
   * Ends a turn that failed: state and effects are what they were at its beginning, or at its last commit. A turn around it that has continued
   * meanwhile may have changed them, too. Its changes are gone then, and `makeError` makes the error with which it fails. So are those of a
   * turn around it that has left what its schema does not take: `misfit` says why.
   */
  rollBack(turn: WritingTurn, makeError: (misfit?: TroupeError) => TroupeError): void {
    const goesBack = turn.lost === undefined || turn.lost.goesBack === true;
    if (!this.isInterleaved && goesBack && this.#at === "loaded") {
      const { effects, wasDestroying: isDestroying } = turn;
      const text = turn.text ?? this.#text;
      const isChanged = (since: Snapshot) => this.#isChanged({ text, effects, isDestroying }) && this.#isChanged(since);
      if (this.isNested(turn)) this.#turns.loseAround(turn, isChanged, makeError);
      this.#goBackTo(text, turn, makeError);
      this.#effects?.rollBack(turn.effects);
      this.isDestroying = turn.wasDestroying;
      this.#turns.forgetSnapshots();
    }
    // Of several turns that interleave, any may have asked for the deletion.
    if (this.isInterleaved && this.#turns.all.length === 1) this.isDestroying = false;
    this.end(turn);
  }

  /** Restores a text. If it does not fit, the turn around has left it so: that turn is lost, and its beginning is restored. */
  #goBackTo(text: string, turn: WritingTurn, makeError: (misfit: TroupeError) => TroupeError): void {
    const around = this.#turns.around(turn);
    for (let to = text; ; ) {
      try {
        return this.restore(to);
      } catch (thrown) {
        const misfit = TroupeError.from(thrown);
        const next = around.pop();
        // The schema refuses what it took before: the next message loads the state.
        if (next === undefined) return this.lose({ error: misfit, isConflict: false }, true);
        next.lost ??= { error: makeError(misfit), isConflict: false, goesBack: true };
        to = next.text ?? this.#text;
      }
    }
  }

  beginReading(): void {
    this.#readers += 1;
  }

  endReading(): void {
    this.#readers -= 1;
  }

  /** Whether the state is another one than before the turns that read. Only known while nothing writes. */
  isChangedByReaders(): boolean {
    if (this.#at !== "loaded" || this.isWriting || this.isInterleaved || this.committing !== undefined) return false;
    return !this.#hasText(this.#text);
  }

  /** Undoes what a reading turn has changed. */
  undoReaders(): void {
    this.restore(this.#text);
  }

  /** Makes the text the one to which failing turns go back. */
  keep(text: string): void {
    this.#text = text;
  }

  /** Notes that a commit is written: turns that run go back to it. `put`: the text that is stored now. */
  committed(written: {
    readonly put?: string;
    readonly eTag?: string | undefined;
    readonly effects: EffectsSavepoint;
  }): void {
    if (written.put !== undefined) {
      this.#storedText = written.put;
      this.#text = written.put;
      this.#eTag = written.eTag;
    }
    this.#effects?.dropUntil(written.effects);
    this.#turns.forgetSnapshots();
    for (const turn of this.#turns.all) {
      turn.hasCommitted = true;
      turn.effects = undefined;
      if (written.put !== undefined || this.definition.save === "each-message") turn.text = undefined;
    }
  }

  /** Takes the effects so far for a commit. Turns that run go back to here, and so does the next one. */
  takeForCommit(text: string): TakenEffects {
    this.#text = text;
    this.#turns.forgetSnapshots();
    for (const turn of this.#turns.all) {
      turn.effects = undefined;
      turn.text = undefined;
    }
    return this.#effects?.take() ?? noEffects;
  }

  /** Notes that a text is stored. What stands in the state may be newer. */
  stored(text: string, eTag: string | undefined): void {
    this.#storedText = text;
    this.#eTag = eTag;
  }

  /** Turns could not be written, on whose state others run. The state goes back when those end. */
  goBack(text: string, lost: LostState): void {
    this.#text = text;
    for (const turn of this.#turns.all) {
      turn.lost ??= lost;
      turn.text = undefined;
      turn.effects = undefined;
      turn.wasDestroying = false;
    }
    this.#deleting = undefined;
    if (this.isWriting) return;
    this.restore(text);
    this.#effects = undefined;
    this.isDestroying = false;
  }

  /** A commit that deletes the record is under way: the agent begins anew. */
  beginDeleting(initial: T): void {
    this.#deleting = { state: this.state, freshText: textOfState(this.definition, initial) };
    this.#state = initial;
    this.isDestroying = false;
  }

  /**
   * Notes that the record was not deleted, by the commit of this turn. Other turns may have changed what the agent began anew with: these
   * changes are gone, and the turns fail with the error of `makeError`. So do all that interleave, since one of them may have asked for the
   * deletion. Without `makeError`, the state is about to be lost.
   */
  keepUndeleted(turn?: WritingTurn, makeError?: () => TroupeError): void {
    if (this.#deleting === undefined) return;
    const { state, freshText } = this.#deleting;
    const isMixed = this.isInterleaved || !this.#hasText(freshText);
    if (makeError !== undefined && isMixed) this.#turns.loseOthers(turn, makeError);
    this.#state = state;
    this.#deleting = undefined;
    this.isDestroying = !this.isInterleaved;
  }

  /** Notes that the record was deleted. `effects`: those that were written with that. Undefined: they were taken before. */
  deleted(initial: T, effects?: EffectsSavepoint): void {
    const put = textOfState(this.definition, initial);
    this.#deleting = undefined;
    this.isDestroyed = true;
    if (effects !== undefined) return this.committed({ put, eTag: undefined, effects });
    this.stored(put, undefined);
    for (const turn of this.#turns.all) turn.hasCommitted = true;
  }

  /** Ends the state of this activation, and the turns that run on it. `canReload`: the next turn loads it again. */
  lose(lost: LostState, canReload: boolean): void {
    for (const turn of this.#turns.all) turn.lost ??= lost;
    this.isActivating = false;
    this.#effects = undefined;
    this.#at = canReload ? "empty" : "gone";
    this.ahead?.lost(lost);
  }

  saveNow(run?: SavedRun): Promise<void> {
    if (this.#home === undefined) return Promise.reject(notLoaded());
    return this.#home.saveNow(this as unknown as StateSlot, run);
  }

  /** Reads the state of a text, unless it is the present one. */
  restore(text: string): void {
    if (!this.#hasText(text)) this.#state = stateOfText(this.definition, text);
  }

  /** Whether the present state has this text. False for a state that JSON can't hold. */
  #hasText(text: string): boolean {
    try {
      return textOfState(this.definition, this.state) === text;
    } catch {
      return false;
    }
  }

  #snapshot(): Snapshot {
    const { isDestroying } = this;
    const effects = this.#effects?.savepoint();
    try {
      return { text: textOfState(this.definition, this.state), effects, isDestroying };
    } catch {
      return { text: undefined, effects, isDestroying };
    }
  }

  #isChanged({ text, effects, isDestroying }: Snapshot): boolean {
    if (text === undefined || this.isDestroying !== isDestroying || !this.#hasText(text)) return true;
    return this.#effects?.hasSince(effects) === true;
  }
}

function wrongState(state: unknown): TroupeError {
  return new TroupeError("invalid-state", `A state is an object with named fields, not ${describe(state)}.`);
}

function notLoaded(): TroupeError {
  return new TroupeError(
    "wrong-state",
    "The agent's state is not loaded yet. It is there in handlers and in onActivate, and not in the constructor or the factory.",
  );
}
