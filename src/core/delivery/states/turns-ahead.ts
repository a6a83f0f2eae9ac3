import type { AgentId } from "../../agents/agent-id.ts";
import { withdrawsTick } from "../../courier/reminders/withdrawn-ticks.ts";
import { TroupeError, UndeliverableException } from "../../errors.ts";
import type { TakenEffects } from "../../state/effects.ts";
import type { Epoch } from "../../state/epoch.ts";
import { assertFits, bytesOfText, textOfState } from "../../state/state-codec.ts";
import type { KeptCommit, KeptOutcome } from "../../state/state-keeper.ts";
import type { SlotAhead, StateSlot } from "../../state/state-slot.ts";
import type { StateWrite } from "../../state/state-store.ts";
import { StoreError } from "../../state/store-error.ts";
import type { LostState, WritingTurn } from "../../state/writing-turns.ts";
import { type CommitRequest, changeOf, conflictAhead, ended, expectedOf, putOf, refused } from "./commit-request.ts";

/** The part of a runtime that the turns of one agent run ahead of. */
export interface TurnsAheadParts<Out> {
  readonly slot: StateSlot;
  readonly id: AgentId;
  /** The epoch under which the activation began. Undefined: no host has placed it. */
  readonly epoch: Epoch | undefined;
  /** Turns that may run while a commit is under way. */
  readonly most: number;
  /** Commits, and never rejects. May throw. */
  readonly commit: (commit: KeptCommit<Out>) => Promise<KeptOutcome>;
  /** Ends the activation, whose state is gone. */
  readonly leave: (lost: LostState) => void;
  /** Makes the state of an agent that begins anew. */
  readonly initial: () => object;
  /** Returns the bytes of an answer that the keeper sends. */
  readonly bytesOf: (answer: Out) => number;
}

/** A turn that has ended well, or a `saveNow`, until its commit is decided. */
interface Step<Out> {
  /** The state at its end. Undefined: the state is not saved with it. */
  readonly text: string | undefined;
  /** The state to go back to when it is not written. */
  readonly before: string;
  readonly deletes: boolean;
  /** The turns of which it writes something. Those around the one that ends, or the one that calls `saveNow`, run on. */
  readonly turns: readonly WritingTurn[];
  readonly effects: TakenEffects;
  readonly request: CommitRequest<Out>;
  /** Bytes of the answer that leaves with the commit, or is remembered. */
  readonly answerBytes: number;
  readonly bytes: number;
  readonly written: Promise<void>;
  readonly resolve: () => void;
  readonly reject: (error: TroupeError) => void;
}

/** Bytes of states, effects and answers that wait for a commit. Beyond it no further turn begins. */
const mostWaitingBytes = 16 * 1024 * 1024;
/** Bytes of one commit; one turn may have more. So it stays below the length of a message that a host takes. */
const mostCommitBytes = 1024 * 1024;

/** Failures of a commit that one turn may have caused. */
const onePartCodes: ReadonlySet<string> = new Set(["message-too-large", "disconnected", "mailbox-full"]);

/**
 * The turns of one persistent agent that run on its state in memory while a commit is under way. One commit writes many of them: the last
 * one's state, with the effects, answers and remembered messages of all. If a commit fails, all turns behind it fail with it, and the
 * state goes back.
 */
export class TurnsAhead<Out> implements SlotAhead {
  readonly #parts: TurnsAheadParts<Out>;
  /** Those that the present commit writes. */
  #underWay: readonly Step<Out>[] = [];
  /** Those behind it, in their order. */
  #waiting: Step<Out>[] = [];
  #waitingBytes = 0;
  /** Turns that have only read, and wait for what they have read. */
  #readers = 0;
  /** Turns that keep others from beginning, until there is space. */
  #blocking: (() => void)[] = [];
  /** Steps that are written one by one, since a commit of several was refused. */
  #single = 0;
  /** Steps with a remembered message, by its id and principal. */
  readonly #remembered = new Map<string, Step<Out>>();

  constructor(parts: TurnsAheadParts<Out>) {
    this.#parts = parts;
  }

  get last(): Promise<void> | undefined {
    return (this.#waiting.at(-1) ?? this.#underWay.at(-1))?.written;
  }

  remembering(id: string, principal: string): Promise<void> | undefined {
    return this.#remembered.size === 0 ? undefined : this.#remembered.get(nameOf(id, principal))?.written;
  }

  withdrawing(tick: { readonly name: string; readonly dueAt: Date }): Promise<void> | undefined {
    for (const { effects, written } of [...this.#underWay, ...this.#waiting].reverse()) {
      const isWithdrawn = withdrawsTick(effects.reminders, tick);
      if (isWithdrawn !== undefined) return isWithdrawn ? written : undefined;
    }
    return undefined;
  }

  letGo(end: () => void): void {
    this.#blocking.push(end);
    this.#unblock();
  }

  async afterRead(read: Promise<void>, end: () => void): Promise<void> {
    this.#readers += 1;
    this.letGo(end);
    try {
      await read;
    } finally {
      this.#readers -= 1;
      this.#unblock();
    }
  }

  /**
   * Takes what a turn has changed. Undefined: there is nothing to write, and nothing to wait for. Throws what makes this turn fail alone.
   * Rejects when the commit fails, or one before it.
   */
  take(request: CommitRequest<Out>): Promise<void> | undefined {
    const { slot, id, bytesOf } = this.#parts;
    if (slot.at !== "loaded") throw ended(id);
    if (slot.lostTurn !== undefined) throw slot.lostTurn.error;
    const { deletes, savesState } = changeOf(slot, request);
    const before = slot.text;
    const text = textOfState(slot.definition, slot.state);
    const isChanged = savesState && (text !== before || (request.at === "now" && text !== slot.storedText));
    if (isChanged) bytesOfText(slot.definition, text);
    if (isChanged || text !== before) assertFits(slot.definition, text);
    const isEmpty = !isChanged && !deletes && !slot.hasEffects && request.remembered === undefined;
    if (isEmpty && this.last === undefined) {
      slot.keep(text);
      return undefined;
    }
    const turns = slot.writing;
    const effects = slot.takeForCommit(text);
    const ridingBytes = request.answer === undefined ? 0 : bytesOf(request.answer);
    const answerBytes = ridingBytes + (request.remembered?.answer?.length ?? 0);
    const bytes = (isChanged ? text.length : 0) + effects.bytes + answerBytes;
    if (deletes) this.#beginAnew();
    const saved = savesState ? text : undefined;
    const step = newStep({ text: saved, before, deletes, turns, effects, request, answerBytes, bytes });
    this.#waiting.push(step);
    this.#waitingBytes += bytes;
    if (request.remembered !== undefined) {
      const { id: messageId, principal } = request.remembered;
      this.#remembered.set(nameOf(messageId, principal), step);
    }
    if (this.#underWay.length === 0) this.#writeNext();
    return step.written;
  }

  #beginAnew(): void {
    const { slot, initial } = this.#parts;
    const state = initial();
    slot.beginDeleting(state);
    slot.keep(textOfState(slot.definition, state));
  }

  lost({ error }: LostState): void {
    this.#drop(error);
  }

  #unblock(): void {
    const { most } = this.#parts;
    while (this.#blocking.length > 0) {
      const isFull = this.#waiting.length + this.#readers > most - 1 || this.#waitingBytes > mostWaitingBytes;
      // What is under way ends by itself.
      if (isFull && this.last !== undefined) return;
      this.#blocking.shift()?.();
    }
  }

  #writeNext(): void {
    const steps = this.#nextSteps();
    this.#underWay = steps;
    this.#unblock();
    if (steps.length === 0) return;
    let outcome: Promise<KeptOutcome>;
    try {
      outcome = this.#parts.commit(this.#commitOf(steps));
    } catch (error) {
      outcome = Promise.resolve({ at: "failed", error: TroupeError.from(error) });
    }
    void outcome.then((decided) => this.#decide(steps, decided));
  }

  /** Takes the steps of one commit: a deletion alone, and others until they are long. */
  #nextSteps(): readonly Step<Out>[] {
    let count = 0;
    let bytes = 0;
    const most = this.#single > 0 ? 1 : Number.POSITIVE_INFINITY;
    for (const step of this.#waiting) {
      // Of the states only the last one is written.
      const own = step.effects.bytes + step.answerBytes;
      const isTooMuch = step.deletes || bytes + own + (step.text?.length ?? 0) > mostCommitBytes;
      if (count > 0 && (isTooMuch || count >= most)) break;
      count += 1;
      bytes += own;
      if (step.deletes) break;
    }
    if (this.#single > 0) this.#single -= 1;
    const steps = this.#waiting.splice(0, count);
    for (const step of steps) this.#waitingBytes -= step.bytes;
    return steps;
  }

  #commitOf(steps: readonly Step<Out>[]): KeptCommit<Out> {
    const { slot, id, epoch } = this.#parts;
    const text = steps.findLast((step) => step.text !== undefined)?.text;
    const deletes = steps.some((step) => step.deletes);
    let write: StateWrite = deletes ? { at: "delete" } : { at: "keep" };
    if (text !== undefined && text !== slot.storedText) write = putOf(slot.definition, text);
    const remembered = steps.flatMap(({ request }) => (request.remembered === undefined ? [] : [request.remembered]));
    const reminders = deletes ? [] : steps.flatMap(({ effects }) => effects.reminders);
    const mail = steps.flatMap(({ effects }) => effects.mail);
    const isWritten = write.at !== "keep" || remembered.length > 0 || reminders.length > 0 || mail.length > 0;
    const isCompared = isWritten && (write.at !== "keep" || text !== undefined);
    return {
      ...{ agent: { type: id.type, key: id.key }, epoch, write, reminders, mail, remembered },
      expected: isCompared ? expectedOf(slot) : { at: "anything" },
      out: steps.flatMap(({ effects, request }) => {
        // The runtime that made these events is the keeper's.
        const events = effects.events as readonly Out[];
        return request.answer === undefined ? events : [...events, request.answer];
      }),
    };
  }

  #decide(steps: readonly Step<Out>[], outcome: KeptOutcome): void {
    const { slot, id } = this.#parts;
    switch (outcome.at) {
      case "committed":
        this.#written(steps, outcome.eTag);
        break;
      case "refused":
        if (steps.length > 1) return this.#writeSingly(steps);
        this.#goBack(steps, refused(id, outcome));
        break;
      case "failed":
        if (steps.length > 1 && onePartCodes.has(outcome.error.code)) return this.#writeSingly(steps);
        this.#goBack(steps, outcome.error);
        break;
      case "conflict":
        this.#leave(steps, conflictAhead(id), conflictAhead(id));
        break;
      case "stale":
        this.#leave(steps, ended(id), ended(id));
        break;
      case "unknown":
        for (const { turns } of steps) {
          for (const turn of turns) turn.lost = { error: outcome.error, isConflict: false };
        }
        this.#leave(steps, outcome.error, behind(id, outcome.error));
    }
    this.#forget(steps);
    // Others may have been taken meanwhile, on the state as it is now.
    if (slot.at === "loaded") this.#writeNext();
    else this.#underWay = [];
    this.#unblock();
  }

  #written(steps: readonly Step<Out>[], eTag: string): void {
    const { slot } = this.#parts;
    if (slot.at === "loaded") {
      if (steps.some(({ deletes }) => deletes)) slot.deleted(this.#parts.initial());
      else {
        const text = steps.findLast((step) => step.text !== undefined)?.text;
        if (text !== undefined && text !== slot.storedText) slot.stored(text, eTag);
      }
    }
    for (const step of steps) step.resolve();
  }

  /** Nothing of these steps is written. The first that is refused alone fails, with those behind it. */
  #writeSingly(steps: readonly Step<Out>[]): void {
    this.#waiting.unshift(...steps);
    for (const step of steps) this.#waitingBytes += step.bytes;
    this.#single = steps.length;
    this.#writeNext();
  }

  /** The activation lives on, with the state before these steps. */
  #goBack(steps: readonly Step<Out>[], error: TroupeError): void {
    const { slot, id } = this.#parts;
    const { before = "" } = steps[0] ?? {};
    const later = behind(id, error);
    if (slot.at === "loaded") slot.goBack(before, { error: later, isConflict: false, goesBack: true });
    for (const step of steps) step.reject(error);
    this.#drop(later);
  }

  #leave(steps: readonly Step<Out>[], error: TroupeError, later: TroupeError): void {
    for (const step of steps) step.reject(error);
    if (this.#parts.slot.at === "loaded") this.#parts.leave({ error: later, isConflict: false });
    this.#drop(later);
  }

  /** Nothing of the steps is written that wait. */
  #drop(error: TroupeError): void {
    const steps = this.#waiting;
    this.#waiting = [];
    this.#waitingBytes = 0;
    this.#single = 0;
    for (const step of steps) step.reject(error);
    this.#forget(steps);
  }

  #forget(steps: readonly Step<Out>[]): void {
    for (const { request } of steps) {
      if (request.remembered === undefined) continue;
      this.#remembered.delete(nameOf(request.remembered.id, request.remembered.principal));
    }
  }
}

function newStep<Out>(what: Omit<Step<Out>, "written" | "resolve" | "reject">): Step<Out> {
  let resolve!: () => void;
  let reject!: (error: TroupeError) => void;
  const written = new Promise<void>((settle, fail) => {
    resolve = settle;
    reject = fail;
  });
  // Several callers may wait for it, or none.
  written.catch(() => undefined);
  // The spread comes last: V8 takes much longer for fields behind one.
  return { written, resolve, reject, ...what };
}

function nameOf(id: string, principal: string): string {
  return JSON.stringify([id, principal]);
}

/** The error of a turn that ran on the state of another one, which is not written. */
function behind(id: AgentId, error: TroupeError): TroupeError {
  const text = `A turn of ${id} before this one could not be written, so that nothing of this one is: ${error.message}`;
  if (error instanceof UndeliverableException || error.code === "state-unknown") {
    return new StoreError("unavailable", text, { cause: error });
  }
  return new TroupeError(error.code, text, { cause: error });
}
