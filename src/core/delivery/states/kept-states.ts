// One file, since loading, committing and losing a state change the same slot and must exclude each other.
import type { Agent } from "../../agents/agent.ts";
import type { AgentId } from "../../agents/agent-id.ts";
import { definitionOf } from "../../agents/persistent-agent.ts";
import { continuesRuns } from "../../agents/unfinished-run.ts";
import { ChurnedMap } from "../../collections/churned-map.ts";
import type { ReminderTickInfo } from "../../courier/reminders/when.ts";
import { withdrawsTick } from "../../courier/reminders/withdrawn-ticks.ts";
import { TroupeError, UndeliverableException } from "../../errors.ts";
import type { Epoch } from "../../state/epoch.ts";
import { stateOfRecord, stateOfText, textOfState } from "../../state/state-codec.ts";
import type { StateKeeper } from "../../state/state-keeper.ts";
import { type SlotHome, type StateSlot, slotOf } from "../../state/state-slot.ts";
import type { RememberedMessage, ReminderChange } from "../../state/state-store.ts";
import type { LostState, SavedRun } from "../../state/writing-turns.ts";
import type { ActivationStates } from "../activations/activation-ports.ts";
import {
  assertMaySave,
  assertTurns,
  type CommitRequest,
  conflict,
  ended,
  namingAgent,
  refused,
  undeletedTogether,
  written,
} from "./commit-request.ts";
import { nameOf, type PreparedCommit, prepareCommit } from "./prepared-commit.ts";
import { runThatSaves, saveStep } from "./saved-run.ts";
import { TurnsAhead, type TurnsAheadParts } from "./turns-ahead.ts";

/** Options of `KeptStates`. */
export interface KeptStatesOptions<Out> {
  /** Returns the keeper, made on first use. Undefined: this runtime has none now. */
  readonly keeper: () => StateKeeper<Out> | undefined;
  /** The error for a persistent type while there is no keeper. */
  readonly refusal: (type: string) => TroupeError;
  /** Whether the keeper knows an agent only when its type is registered: an instance then loads its state with its first message. */
  readonly loadsInstancesLate?: boolean | undefined;
  /** Returns the epoch under which a host has placed an agent here. Default: none has. */
  readonly epochOf?: ((id: AgentId) => Epoch | undefined) | undefined;
  /** Whether the agents of a registered type have turns. */
  readonly isSequential: (type: string) => boolean;
  /** Turns of an agent of a registered type that may run while a commit is under way. */
  readonly runAhead: (type: string) => number;
  /** Returns the bytes of an answer that the keeper sends with a commit. Default: the keeper sends none. */
  readonly answerBytes?: ((answer: Out) => number) | undefined;
  /** Ends an activation whose state is gone. False: the agent is an instance, which can't be made again. */
  readonly forget: (id: AgentId, agent: Agent, reason: "stale" | "destroyed") => boolean;
}

/** The place of a slot: its agent. */
interface Place {
  readonly agent: Agent;
  readonly id: AgentId;
  /**
   * The epoch under which the host had placed the agent here when this activation began. The host may have placed it elsewhere since, and
   * here again: nothing of this activation may be written under the claim of the next one.
   */
  readonly epoch: Epoch | undefined;
}

/** A commit that changes reminders. */
interface ReminderCommit {
  readonly reminders: readonly ReminderChange[];
  readonly written: Promise<void>;
}

const anything = { at: "anything" } as const;

/** Loads and commits the states of the activations of one runtime. A slot has one commit under way; the others wait. */
export class KeptStates<Out = unknown> implements ActivationStates, SlotHome {
  readonly #options: KeptStatesOptions<Out>;
  /** Types whose agents keep a state. */
  readonly #keptTypes = new Set<string>();
  /** Types whose agents continue their unfinished runs. */
  readonly #continuingTypes = new Set<string>();
  /** Types of which no class was named and no agent was seen. */
  readonly #unseenTypes = new Set<string>();
  readonly #places = new WeakMap<StateSlot, Place>();
  /** The number of losses of the keeper. */
  #doubts = 0;
  /** The number at which a state was known to be the stored one. */
  readonly #known = new WeakMap<StateSlot, number>();
  /** States that are asked for, since they are in doubt. */
  readonly #asking = new WeakMap<StateSlot, Promise<void>>();
  /** Agents in `onActivate` or `onDeactivate`, by id: the catalog does not find them meanwhile. */
  readonly #activating = new ChurnedMap<string, Agent>();
  /** Commits under way that change reminders. */
  readonly #changing = new WeakMap<StateSlot, ReminderCommit>();
  /** Of agents that run ahead of their commits. */
  readonly #ahead = new WeakMap<StateSlot, TurnsAhead<Out>>();

  constructor(options: KeptStatesOptions<Out>) {
    this.#options = options;
  }

  get loadsInstancesLate(): boolean {
    return this.#options.loadsInstancesLate === true;
  }

  assertKept(type: string, agentClass: unknown, isSequential: boolean): boolean {
    const definition = definitionOf(agentClass);
    if (agentClass === undefined) this.#unseenTypes.add(type);
    if (definition === undefined) return false;
    assertTurns(type, agentClass, { isSequential, save: definition.save });
    if (this.#options.keeper() === undefined) throw this.#options.refusal(type);
    this.#keptTypes.add(type);
    if (continuesRuns(agentClass)) this.#continuingTypes.add(type);
    return true;
  }

  load(agent: Agent, id: AgentId): Promise<{ readonly isNew: boolean }> | undefined {
    const slot = slotOf(agent);
    this.#unseenTypes.delete(id.type);
    return slot === undefined ? undefined : this.#activate(slot, agent, id);
  }

  /** Whether the agents of a type keep a state. Undefined: none was seen yet. */
  isKept(type: string): boolean | undefined {
    return this.#keptTypes.has(type) || (this.#unseenTypes.has(type) ? undefined : false);
  }

  /** Whether the agents of a type continue their unfinished runs. */
  continuesRuns(type: string): boolean {
    return this.#continuingTypes.has(type);
  }

  save(agent: Agent): Promise<void> | undefined {
    const slot = slotOf(agent);
    if (slot === undefined || slot.at !== "loaded") return undefined;
    // A turn that was given up is not over: the half that it has changed must not be written.
    if (slot.isWriting && !slot.isInterleaved) return undefined;
    const isOfLife = slot.isActivating;
    this.begun(slot);
    if (!slot.isWriting) return this.commit(slot, { at: "turn", isOfLife });
    // The runtime ends while a turn runs. What stands in the state now is a part of that turn: it must not be written.
    return slot.committing === undefined ? undefined : this.#saveAfter(slot.committing, agent);
  }

  beginLastTurn(agent: Agent): void {
    const slot = slotOf(agent);
    if (slot === undefined || slot.at !== "loaded" || slot.isWriting) return;
    slot.isActivating = true;
    this.#activating.set(this.#placeOf(slot).id.toString(), agent);
  }

  doubt(): void {
    if (this.#keptTypes.size > 0) this.#doubts += 1;
  }

  /**
   * Makes sure that a state is still the stored one. Undefined: it is. Rejects if it can't be asked for. If another program has written, the
   * activation ends, and the slot is gone.
   */
  confirm(slot: StateSlot, agent: Agent): Promise<void> | undefined {
    // A turn that has begun before decides with its commit.
    if (this.#doubts === 0 || slot.isWriting || this.#known.get(slot) === this.#doubts) return undefined;
    const known = this.#asking.get(slot);
    if (known !== undefined) return known;
    const asking = this.#ask(slot, agent).finally(() => this.#asking.delete(slot));
    this.#asking.set(slot, asking);
    return asking;
  }

  drop(agent: Agent): void {
    const slot = slotOf(agent);
    if (slot === undefined) return;
    this.begun(slot);
    if (slot.at === "gone") return;
    const error = new UndeliverableException("The activation of the agent has ended.", { code: "shutting-down" });
    slot.lose({ error, isConflict: false }, false);
  }

  destroy(id: AgentId): Promise<void> | undefined {
    return this.#keptTypes.has(id.type) ? this.#delete(id) : undefined;
  }

  async #delete(id: AgentId): Promise<void> {
    const nothingElse = { reminders: [], mail: [], remembered: [], out: [] };
    const write = { at: "delete" } as const;
    const outcome = await this.#keeper(id.type).commit({
      ...{ agent: nameOf(id), epoch: this.#options.epochOf?.(id), expected: anything, write },
      ...nothingElse,
    });
    if (outcome.at === "committed") return;
    throw outcome.at === "failed" || outcome.at === "unknown" ? outcome.error : ended(id);
  }

  /** Returns the agent while its `onActivate` or `onDeactivate` runs. */
  activating(id: AgentId): Agent | undefined {
    return this.#activating.size === 0 ? undefined : this.#activating.get(id.toString());
  }

  /** Notes that a turn begins: the activation is over. */
  begun(slot: StateSlot): void {
    if (!slot.isActivating) return;
    slot.isActivating = false;
    this.#activating.delete(this.#placeOf(slot).id.toString());
  }

  /** Loads the state of an agent again if it is an instance, which has no next activation. */
  async reloaded(slot: StateSlot, agent: Agent): Promise<void> {
    if (slot.at === "empty") await this.reload(slot, agent);
  }

  /** Loads the state of an agent again: of an instance, after another program has written it. */
  async reload(slot: StateSlot, agent: Agent): Promise<void> {
    await this.#fill(slot, agent, agent.id);
  }

  /** Finds the answer that the agent has given to a message of this id. */
  remembered(id: AgentId, messageId: string, principal: string): Promise<RememberedMessage | undefined> {
    return this.#keeper(id.type).remembered(nameOf(id), messageId, principal);
  }

  saveNow(slot: StateSlot, saving?: SavedRun): Promise<void> {
    const run = saving ?? runThatSaves(slot);
    if (run !== undefined)
      return saveStep(run, slot.ahead !== undefined, (runs) => this.commit(slot, { at: "now", runs }));
    try {
      return this.commit(slot, { at: "now" }) ?? Promise.resolve();
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /**
   * Commits what has changed. Undefined: there is nothing to write. Throws or rejects when nothing is written, or when that is not
   * known; a conflict has ended the activation then.
   */
  commit(slot: StateSlot, request: CommitRequest<Out>): Promise<void> | undefined {
    try {
      return this.#commit(slot, request);
    } catch (error) {
      throw namingAgent(error, this.#placeOf(slot).id);
    }
  }

  #commit(slot: StateSlot, request: CommitRequest<Out>): Promise<void> | undefined {
    if (request.at === "now") assertMaySave(slot, this.#placeOf(slot).id);
    if (slot.ahead !== undefined) return this.#ahead.get(slot)?.take(request);
    if (slot.committing !== undefined) return this.#commitAfter(slot, request);
    const place = this.#placeOf(slot);
    const prepared = prepareCommit(slot, request, place);
    if (prepared === undefined) return undefined;
    if (prepared.kept.write.at === "delete") slot.beginDeleting(initialOf(slot));
    const written = this.#write(slot, prepared, place, request);
    const { reminders } = prepared.kept;
    if (reminders.length > 0) this.#changing.set(slot, { reminders, written });
    const end = () => {
      slot.committing = undefined;
      if (reminders.length > 0) this.#changing.delete(slot);
    };
    slot.committing = written.then(end, end);
    return written;
  }

  /** Returns the commit under way that withdraws a tick. It rejects if nothing is written. Undefined: none does. */
  withdrawing(slot: StateSlot, tick: ReminderTickInfo): Promise<void> | undefined {
    if (slot.ahead !== undefined) return slot.ahead.withdrawing(tick);
    const changing = slot.committing === undefined ? undefined : this.#changing.get(slot);
    return changing !== undefined && withdrawsTick(changing.reminders, tick) === true ? changing.written : undefined;
  }

  /** Ends the activation of a slot whose state is gone. */
  leave(slot: StateSlot, lost: LostState, reason: "stale" | "destroyed" = "stale"): void {
    const { id, agent } = this.#placeOf(slot);
    this.#activating.delete(id.toString());
    // The slot first: messages that wait for a turn find it gone.
    slot.lose(lost, false);
    if (!this.#options.forget(id, agent, reason)) slot.lose(lost, true);
  }

  /** A turn has ended, and its commit is under way: the agent's last changes are written after that. */
  async #saveAfter(committing: Promise<unknown>, agent: Agent): Promise<void> {
    await committing;
    await this.save(agent);
  }

  async #commitAfter(slot: StateSlot, request: CommitRequest<Out>): Promise<void> {
    const turns = slot.writing;
    while (slot.committing !== undefined) await slot.committing;
    const lost = turns.find((turn) => turn.lost?.goesBack === true)?.lost;
    // What was to be saved is gone.
    if (request.at === "now" && lost !== undefined) throw lost.error;
    await this.commit(slot, request);
  }

  async #ask(slot: StateSlot, agent: Agent): Promise<void> {
    const { id, epoch } = this.#placeOf(slot);
    const doubts = this.#doubts;
    const { eTag: unless } = slot;
    const record = await this.#keeper(id.type).load(nameOf(id), { epoch, unless });
    this.#known.set(slot, doubts);
    // A turn may have written meanwhile.
    if (slot.at !== "loaded" || slot.eTag !== unless) return;
    const isSame = record === "unchanged" || (record === undefined && unless === undefined);
    if (isSame) return;
    this.leave(slot, { error: written(id), isConflict: false });
    // An instance stays, and loads its state.
    await this.reloaded(slot, agent);
  }

  async #activate(slot: StateSlot, agent: Agent, id: AgentId): Promise<{ readonly isNew: boolean }> {
    const found = await this.#fill(slot, agent, id);
    slot.isActivating = true;
    this.#activating.set(id.toString(), agent);
    return found;
  }

  async #fill(slot: StateSlot, agent: Agent, id: AgentId): Promise<{ readonly isNew: boolean }> {
    const { definition } = slot;
    this.#known.set(slot, this.#doubts);
    const isInterleaved = !this.#options.isSequential(id.type);
    this.assertKept(id.type, agent.constructor, !isInterleaved);
    const epoch = this.#options.epochOf?.(id);
    this.#places.set(slot, { agent, id, epoch });
    const record = await this.#keeper(id.type).load(nameOf(id), { epoch });
    const isNew = record === undefined || record === "unchanged";
    const state = isNew ? initialOf(slot) : stateOfRecord(definition, record, id.toString());
    slot.fill({ state, eTag: isNew ? undefined : record.eTag, isInterleaved, home: this });
    const most = isInterleaved ? 0 : this.#options.runAhead(id.type);
    if (most > 0) this.#letRunAhead(slot, { id, epoch, most });
    return { isNew };
  }

  #letRunAhead(slot: StateSlot, limits: Pick<TurnsAheadParts<Out>, "id" | "epoch" | "most">): void {
    const { id } = limits;
    const ahead = new TurnsAhead<Out>({
      ...{ slot, ...limits },
      commit: (commit) => this.#keeper(id.type).commit(commit),
      leave: (lost) => this.leave(slot, lost),
      initial: () => initialOf(slot),
      bytesOf: (answer) => this.#options.answerBytes?.(answer) ?? 0,
    });
    this.#ahead.set(slot, ahead);
    slot.ahead = ahead;
  }

  async #write(
    slot: StateSlot,
    { kept, text, effects }: PreparedCommit<Out>,
    { id }: Place,
    { turn, isRepeatable = false, isOfLife = false }: CommitRequest<Out>,
  ): Promise<void> {
    const outcome = await this.#keeper(id.type).commit(kept);
    const livesOn = outcome.at === "refused" || outcome.at === "failed";
    if (livesOn) slot.keepUndeleted(turn, () => undeletedTogether(id));
    else if (outcome.at !== "committed") slot.keepUndeleted();
    switch (outcome.at) {
      case "committed":
        if (slot.at !== "loaded") return;
        if (kept.write.at === "delete") slot.deleted(initialOf(slot), effects);
        else if (text === undefined) slot.committed({ effects });
        else slot.committed({ put: text, eTag: outcome.eTag, effects });
        return;
      case "refused":
        throw refused(id, outcome);
      case "failed":
        throw outcome.error;
      case "conflict":
        if (!isRepeatable || slot.at !== "loaded") throw this.#lost(slot, conflict(id, isOfLife), true);
        slot.lose({ error: conflict(id, isOfLife), isConflict: true, isLeftLater: true }, false);
        throw conflict(id, isOfLife);
      case "stale":
        throw this.#lost(slot, ended(id), false);
      case "unknown":
        throw this.#lost(slot, outcome.error, false);
    }
  }

  #lost(slot: StateSlot, error: TroupeError, isConflict: boolean): TroupeError {
    if (slot.at === "loaded") this.leave(slot, { error, isConflict });
    return error;
  }

  #keeper(type: string): StateKeeper<Out> {
    const keeper = this.#options.keeper();
    if (keeper === undefined) throw this.#options.refusal(type);
    return keeper;
  }

  #placeOf(slot: StateSlot): Place {
    const place = this.#places.get(slot);
    if (place !== undefined) return place;
    throw new TroupeError("wrong-state", "The agent's state is not loaded yet.");
  }
}

function initialOf({ definition }: StateSlot): object {
  return stateOfText(definition, textOfState(definition, definition.initial));
}
