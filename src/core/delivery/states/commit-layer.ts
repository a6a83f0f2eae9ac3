import type { Agent } from "../../agents/agent.ts";
import { TroupeError } from "../../errors.ts";
import { type StateSlot, slotOf } from "../../state/state-slot.ts";
import type { RememberedMessage } from "../../state/state-store.ts";
import type { RunChange } from "../../state/stored-runs.ts";
import type { WritingTurn } from "../../state/writing-turns.ts";
import { isThenable } from "../../thenable.ts";
import { ActivationGone } from "../activations/activation-gone.ts";
import type { KeptRunTurn } from "../kept-run-turn.ts";
import type { Delivery, Layer } from "../layers.ts";
import { changedTogether, leftMisfit } from "./commit-request.ts";
import type { KeptAnswers } from "./kept-answers.ts";
import type { KeptStates } from "./kept-states.ts";

/** The parts of the layers around the turns of persistent agents. */
export interface CommitLayerOptions<Out> {
  readonly states: KeptStates<Out>;
  readonly answers: KeptAnswers<Out>;
}

/**
 * Returns the layer that commits a turn of a persistent agent before its answer leaves, and undoes a turn that fails. It is inside the
 * turn and outside all code of the user.
 */
export function commitLayer<Out>(options: CommitLayerOptions<Out>): Layer {
  const turns = new CommittedTurns(options);
  return (delivery, next, agent) => {
    const slot = slotOf(agent);
    return slot === undefined ? next() : turns.run({ delivery, next, agent, slot });
  };
}

interface Run {
  readonly delivery: Delivery;
  readonly next: () => unknown;
  readonly agent: Agent;
  readonly slot: StateSlot;
}

class CommittedTurns<Out> {
  readonly #states: KeptStates<Out>;
  readonly #answers: KeptAnswers<Out>;

  constructor({ states, answers }: CommitLayerOptions<Out>) {
    this.#states = states;
    this.#answers = answers;
  }

  run(run: Run): unknown {
    const { slot, delivery } = run;
    switch (slot.at) {
      case "gone":
        throw new ActivationGone(goneError(delivery), false);
      case "empty":
        return this.#reloaded(run);
      case "loaded":
        break;
    }
    const asking = this.#states.confirm(slot, run.agent);
    if (asking !== undefined) return asking.then(() => this.run(run));
    const reads = !slot.isInterleaved && delivery.context.turn?.kind !== "alone";
    const { undecided } = slot;
    // A handler that reads without a turn may see the half of one in any case.
    if (undecided !== undefined && !(reads && delivery.context.turn === undefined)) {
      const again = () => this.run(run);
      return undecided.then(again, again);
    }
    const beginning = delivery.context.keptRun?.begin();
    if (beginning !== undefined) return beginning.then(() => this.run(run));
    this.#states.begun(slot);
    return reads ? this.#read(run) : this.#write(run);
  }

  async #reloaded(run: Run): Promise<unknown> {
    await this.#states.reload(run.slot, run.agent);
    return this.run(run);
  }

  #write(run: Run): unknown {
    const turn = run.slot.begin(run.delivery.context.turn?.token, run.delivery.context.keptRun);
    let answer: unknown;
    try {
      answer = run.next();
    } catch (error) {
      return this.#failed(run, turn, error);
    }
    if (isThenable(answer)) return this.#settle(run, turn, answer);
    const waits = run.slot.nestedEnd(turn) !== undefined || run.delivery.context.keptRun !== undefined;
    return waits ? this.#settle(run, turn, Promise.resolve(answer)) : this.#end(run, turn, answer);
  }

  async #settle(run: Run, turn: WritingTurn, pending: PromiseLike<unknown>): Promise<unknown> {
    let answer: unknown;
    try {
      answer = await pending;
    } catch (error) {
      return this.#failed(run, turn, error);
    }
    const { slot } = run;
    slot.handlerEnded(turn);
    // The next nested turn may begin before this one goes on.
    for (let waits = whatWaits(slot, turn); waits !== undefined; waits = whatWaits(slot, turn)) await waits;
    const { keptRun } = run.delivery.context;
    // A turn that runs ahead of its commit ends its run after that, by a commit of its own.
    if (keptRun === undefined || slot.ahead !== undefined || slot.isEnding) return this.#end(run, turn, answer);
    return this.#endWithRun(run, turn, answer, keptRun);
  }

  /** Ends the run of the turn with the commit of its state. */
  async #endWithRun(run: Run, turn: WritingTurn, answer: unknown, keptRun: KeptRunTurn): Promise<unknown> {
    let runs: readonly RunChange[];
    try {
      runs = await keptRun.ending(answer);
    } catch (error) {
      return this.#failed(run, turn, error);
    }
    for (let waits = whatWaits(run.slot, turn); waits !== undefined; waits = whatWaits(run.slot, turn)) await waits;
    try {
      const committed = await this.#end(run, turn, answer, runs);
      keptRun.ended(true);
      return committed;
    } catch (error) {
      keptRun.ended(false);
      throw error;
    }
  }

  /** Commits a turn whose handler ended well. Makes no promise if there is nothing to write. */
  #end(run: Run, turn: WritingTurn, answer: unknown, runs?: readonly RunChange[]): unknown {
    const { slot, delivery } = run;
    const { isEnding } = slot;
    let written: Promise<void> | undefined;
    try {
      if (turn.lost !== undefined) throw turn.lost.error;
      const { isRpc, topicId } = delivery.context;
      const isCall = isRpc && topicId === undefined;
      if (isCall) this.#answers.assertSendable(delivery, answer);
      const remembered = isCall ? this.#remembered(delivery, answer) : delivery.kept;
      const { context } = delivery;
      const riding = isCall ? this.#answers.riding(delivery, answer) : undefined;
      const { isInterleaved } = slot;
      const isRepeatable =
        !(isInterleaved || turn.hasCommitted || slot.isNested(turn) || context.hasSentChunk) &&
        context.turn !== undefined;
      written = this.#states.commit(slot, { at: "turn", turn, remembered, answer: riding, runs, isRepeatable });
    } catch (error) {
      return this.#undo(run, turn, error);
    }
    if (written === undefined) {
      this.#ended(run, turn);
      return answer;
    }
    if (slot.ahead !== undefined && !isEnding && !slot.isNested(turn)) {
      slot.end(turn);
      slot.ahead.letGo(() => run.delivery.context.endTurn?.());
      return written.then(() => answer);
    }
    return written.then(
      () => {
        this.#ended(run, turn);
        return answer;
      },
      (error: unknown) => this.#undo(run, turn, error),
    );
  }

  #ended({ slot }: Run, turn: WritingTurn): void {
    slot.end(turn);
    this.#leaveIfDestroyed(slot);
  }

  /** Ends the activation with its last turn if the state was deleted, also if that turn fails. */
  #leaveIfDestroyed(slot: StateSlot): void {
    if (!slot.isDestroyed || slot.isWriting || slot.isReading || slot.at !== "loaded") return;
    const error = new TroupeError("state-conflict", "The agent was destroyed. The next message makes it anew.");
    this.#states.leave(slot, { error, isConflict: false }, "destroyed");
  }

  #failed(run: Run, turn: WritingTurn, error: unknown): unknown {
    const nested = run.slot.nestedEnd(turn);
    return nested === undefined ? this.#undo(run, turn, error) : nested.then(() => this.#failed(run, turn, error));
  }

  /** Undoes a turn and throws its error. A turn that met another writer is tried again, unless a part of it is written, or a chunk was sent. */
  #undo({ slot, delivery }: Run, turn: WritingTurn, error: unknown): Promise<never> {
    const isNested = slot.isNested(turn);
    const { agentId } = delivery;
    slot.rollBack(turn, (misfit) => (misfit === undefined ? changedTogether(agentId) : leftMisfit(agentId, misfit)));
    this.#leaveIfDestroyed(slot);
    const { lost } = turn;
    const leavesEffects = slot.isInterleaved && (lost === undefined || lost.goesBack === true);
    if (leavesEffects && slot.hasEffects) return this.#sendEffects(slot, lost === undefined ? error : lost.error);
    if (lost === undefined) throw error;
    if (!lost.isConflict || turn.hasCommitted || isNested || delivery.context.hasSentChunk) throw lost.error;
    const leave = lost.isLeftLater === true ? () => this.#states.leave(slot, lost) : undefined;
    throw new ActivationGone(lost.error, true, leave);
  }

  /** Interleaved turns are not undone: their effects leave. Throws the error of the turn. */
  async #sendEffects(slot: StateSlot, error: unknown): Promise<never> {
    try {
      await this.#states.commit(slot, { at: "turn" });
    } catch {
      // The turn has failed already, and its caller hears of that.
    }
    throw error;
  }

  #remembered({ kept }: Delivery, answer: unknown): RememberedMessage | undefined {
    if (kept === undefined) return undefined;
    const { id, principal } = kept;
    // No caller reads the answer to mail.
    return { id, principal, answer: kept.isMail === true ? undefined : this.#answers.encode(answer) };
  }

  #read(run: Run): unknown {
    const { slot, next, delivery } = run;
    // A handler that interleaves may see the half of a turn in any case, and answers at once.
    const read = delivery.context.turn === undefined ? undefined : slot.ahead?.last;
    slot.beginReading();
    let answer: unknown;
    try {
      answer = next();
    } catch (error) {
      this.#haveRead(run);
      throw error;
    }
    if (isThenable(answer)) return this.#settleRead(run, answer, read);
    this.#haveRead(run);
    return read === undefined ? answer : this.#answerWritten(run, answer, read);
  }

  async #settleRead(run: Run, pending: PromiseLike<unknown>, read: Promise<void> | undefined): Promise<unknown> {
    let answer: unknown;
    try {
      answer = await pending;
    } finally {
      this.#haveRead(run);
    }
    return read === undefined ? answer : this.#answerWritten(run, answer, read);
  }

  /** Answers what a turn has read that ran ahead of a commit, when that is written. */
  async #answerWritten({ slot, delivery }: Run, answer: unknown, read: Promise<void>): Promise<unknown> {
    await slot.ahead?.afterRead(read, () => delivery.context.endTurn?.());
    return answer;
  }

  /** Throws `invalid-state` if a reading turn has changed the state. It does not look in production. */
  #haveRead({ slot, delivery }: Run): void {
    slot.endReading();
    this.#leaveIfDestroyed(slot);
    if (isProduction() || !slot.isChangedByReaders()) return;
    slot.undoReaders();
    const text = `A readOnly handler of ${delivery.agentId} has changed the state. The change is undone.`;
    throw new TroupeError("invalid-state", `${text} Declare the handler without readOnly.`);
  }
}

/** Returns a promise while a turn whose handler has ended must not end. */
function whatWaits(slot: StateSlot, turn: WritingTurn): Promise<void> | undefined {
  const nested = slot.nestedEnd(turn);
  if (nested !== undefined || !slot.isInterleaved) return nested;
  // A deletion by another turn is under way: what this one has changed goes with it if it fails.
  return slot.undecided?.then(nothing, nothing);
}

function nothing(): void {}

function goneError({ agentId }: Delivery): TroupeError {
  return new TroupeError("state-conflict", `The activation of ${agentId} has ended. Try again.`);
}

/** Whether the program runs in production. Core knows no Node: elsewhere it is not. */
function isProduction(): boolean {
  // TypeScript knows nothing of `process` here.
  const { process } = globalThis as { readonly process?: { readonly env?: { readonly NODE_ENV?: string } } };
  return process?.env?.NODE_ENV === "production";
}
