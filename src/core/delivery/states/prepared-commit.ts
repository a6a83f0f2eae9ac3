import type { AgentId } from "../../agents/agent-id.ts";
import { type EffectsSavepoint, TurnEffects } from "../../state/effects.ts";
import type { Epoch } from "../../state/epoch.ts";
import { assertFits, textOfState } from "../../state/state-codec.ts";
import type { KeptCommit } from "../../state/state-keeper.ts";
import type { StateSlot } from "../../state/state-slot.ts";
import type { Expected, StateWrite } from "../../state/state-store.ts";
import { type CommitRequest, changeOf, ended, expectedOf, putOf } from "./commit-request.ts";

/** A commit, and what the slot takes when it is written. */
export interface PreparedCommit<Out> {
  readonly kept: KeptCommit<Out>;
  /** The text that is put. Undefined: the record stays, or goes. */
  readonly text: string | undefined;
  readonly effects: EffectsSavepoint;
}

/** The agent whose state is written. */
export interface CommittingAgent {
  readonly id: AgentId;
  /** The epoch under which the activation began. Undefined: no host has placed it. */
  readonly epoch: Epoch | undefined;
}

const noEffects = new TurnEffects();
const noSavepoint = noEffects.savepoint();
const none: readonly never[] = [];
const anything = { at: "anything" } as const;
const keep = { at: "keep" } as const;

/** Compares the state with what is stored. Undefined: there is nothing to write. Throws for a state that can't be written. */
export function prepareCommit<Out>(
  slot: StateSlot,
  request: CommitRequest<Out>,
  { id, epoch }: CommittingAgent,
): PreparedCommit<Out> | undefined {
  if (slot.at !== "loaded") throw ended(id);
  const { definition, isInterleaved } = slot;
  const { deletes, savesState } = changeOf(slot, request);
  let write: StateWrite = deletes ? { at: "delete" } : keep;
  let text: string | undefined;
  if (savesState) {
    const present = textOfState(definition, slot.state);
    if (present !== slot.storedText) {
      write = putOf(definition, present);
      assertFits(definition, present);
      text = present;
    }
  } else if (!deletes && !isInterleaved) {
    const present = textOfState(definition, slot.state);
    // A later turn that fails goes back to it.
    if (present !== slot.text) assertFits(definition, present);
    slot.keep(present);
  }
  const remembered = request.remembered === undefined ? none : [request.remembered];
  const { hasEffects } = slot;
  // A deletion takes the agent's runs with it.
  const runs = deletes || request.runs?.length === 0 ? undefined : request.runs;
  if (write.at === "keep" && !hasEffects && remembered.length === 0 && runs === undefined) return undefined;
  const { events, reminders, mail } = hasEffects ? slot.effects : noEffects;
  const expected: Expected = write.at === "keep" && !savesState ? anything : expectedOf(slot);
  // The runtime that made these events is the keeper's.
  const sent = events as readonly Out[];
  // Field by field: an object with spread ones costs ten times as much. The lists of a turn change after this.
  const kept = {
    agent: nameOf(id),
    epoch,
    expected,
    write,
    reminders: deletes || reminders.length === 0 ? none : [...reminders],
    mail: mail.length === 0 ? none : [...mail],
    remembered,
    runs,
    out: request.answer === undefined ? [...sent] : sent.length === 0 ? [request.answer] : [...sent, request.answer],
  };
  return { kept, text, effects: hasEffects ? slot.effects.savepoint() : noSavepoint };
}

/** Returns the name of an agent in a store. */
export function nameOf({ type, key }: AgentId): { readonly type: string; readonly key: string } {
  return { type, key };
}
