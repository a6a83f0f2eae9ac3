import type { AgentId } from "../../agents/agent-id.ts";
import { handlersOf } from "../../agents/routed-agent.ts";
import { TroupeError, UndeliverableException } from "../../errors.ts";
import { jsonContentType } from "../../serialization/message-type.ts";
import type { StateDefinition } from "../../state/define-state.ts";
import { fullMailboxText } from "../../state/mail-bounds.ts";
import { bytesOfText } from "../../state/state-codec.ts";
import type { StateSlot } from "../../state/state-slot.ts";
import type { CommitOutcome, Expected, RememberedMessage, StateWrite } from "../../state/state-store.ts";
import type { RunChange } from "../../state/stored-runs.ts";
import type { WritingTurn } from "../../state/writing-turns.ts";

/** The parts of a commit beside the state and its effects. */
export interface CommitRequest<Out> {
  /** `turn`: a turn ends well. `now`: the agent asks for it. */
  readonly at: "turn" | "now";
  /** The turn that ends. Undefined: none does, or no message has it. */
  readonly turn?: WritingTurn | undefined;
  /** The message that the turn has handled, if it is remembered. */
  readonly remembered?: RememberedMessage | undefined;
  /** The answer, if the keeper sends it. */
  readonly answer?: Out | undefined;
  /** Changes of the run that the turn ends. Default: it ends none. */
  readonly runs?: readonly RunChange[] | undefined;
  /** Whether the turn ends the activation itself after a conflict: its message is tried again before those that wait. */
  readonly isRepeatable?: boolean | undefined;
  /** Whether `onActivate` or `onDeactivate` has changed the state, and no message. */
  readonly isOfLife?: boolean | undefined;
}

/** A commit that is over a limit of the store. */
type RefusedCommit = Extract<CommitOutcome, { readonly at: "refused" }>;

const nothing = { at: "nothing" } as const;

/** Tells whether a commit deletes the record, or compares and saves the state, or neither. */
export function changeOf(
  slot: StateSlot,
  { at }: CommitRequest<unknown>,
): { readonly deletes: boolean; readonly savesState: boolean } {
  const deletes = at === "turn" && slot.isDestroying;
  return { deletes, savesState: !deletes && (at === "now" || slot.definition.save === "each-message") };
}

/** Makes the write of a state's text. Throws `state-too-large`. */
export function putOf(definition: Pick<StateDefinition<object>, "maxBytes" | "version">, text: string): StateWrite {
  const data = bytesOfText(definition, text);
  return { at: "put", contentType: jsonContentType, schemaVersion: definition.version, data };
}

/** The version over which the next commit writes. */
export function expectedOf({ eTag }: StateSlot): Expected {
  return eTag === undefined ? nothing : { at: "version", eTag };
}

/** The error of a turn that met another writer, and is not tried again. `isOfLife`: see `CommitRequest`. */
export function conflict(id: AgentId, isOfLife: boolean): TroupeError {
  const when = isOfLife ? "while the agent's onActivate or onDeactivate ran" : "while a handler ran";
  const advice = isOfLife
    ? "Nothing of that is written. Try again."
    : "The message was tried twice, or a part of its turn was written before. Load the state, and try again.";
  return new TroupeError("state-conflict", `The state of ${id} was written by another program ${when}. ${advice}`);
}

/** The same for an agent that runs ahead of its commits. */
export function conflictAhead(id: AgentId): TroupeError {
  const text = `The state of ${id} was written by another program. Its turns run ahead of their commits (runAhead)`;
  return new TroupeError(
    "state-conflict",
    `${text}, and none is tried again by itself. Nothing of this turn is written. Try again.`,
  );
}

/** The error of a turn whose state another program has written while the worker had no host. */
export function written(id: AgentId): TroupeError {
  const text = `The state of ${id} was written by another program while this worker had no host.`;
  return new TroupeError("state-conflict", `${text} The next message loads it.`);
}

/** The error of a turn whose changes were undone with those of a turn inside it. A turn that is nested in it later has the same. */
export function changedTogether(id: AgentId): TroupeError {
  const text = `Nested turns of ${id} have changed its state together, since one had not awaited its call. One of them has failed`;
  const advice = "Try again. If that fails each time, let the handler await such a call before it changes the state.";
  return new TroupeError(
    "state-conflict",
    `${text}, and the changes of the others are undone with it. Nothing of this turn is written since its last commit. ${advice}`,
  );
}

/** The error of a turn that had left a state which does not fit. A turn inside it has failed, and could not go back to that. */
export function leftMisfit(id: AgentId, misfit: TroupeError): TroupeError {
  const text = `A turn of ${id} has called its own agent with a state that does not fit, and that call has failed: ${misfit.message.replace(/\.$/, "")}.`;
  const advice = "Let the state fit its schema before a call that comes back.";
  return new TroupeError("invalid-state", `${text} Nothing of this turn is written since its last commit. ${advice}`, {
    cause: misfit,
  });
}

/** The error of a turn that has changed the state while another turn deleted it, which has failed. */
export function undeletedTogether(id: AgentId): TroupeError {
  const text = `The state of ${id} could not be deleted, so that it is there again. What this turn has changed meanwhile is gone.`;
  return new TroupeError("state-conflict", `${text} Try again.`);
}

/** Throws the error of `saveNow` if the turn that calls it is lost, or another turn may have changed the state beside it. */
export function assertMaySave(slot: StateSlot, id: AgentId): void {
  if (slot.at !== "loaded" || slot.isInterleaved) return;
  if (slot.lostTurn !== undefined) throw slot.lostTurn.error;
  if (!slot.isShared) return;
  const text = `Two turns of ${id} change its state at once: the outer one has not awaited the call that came back.`;
  throw new TroupeError("state-conflict", `${text} saveNow has saved nothing. Await such a call before you save.`);
}

/** The error of a turn whose activation has ended. */
export function ended(id: AgentId): UndeliverableException {
  const text = `The activation of ${id} has ended, and nothing of this turn is written. Try again.`;
  return new UndeliverableException(text, { code: "shutting-down" });
}

/** The error of a turn whose commit is over a limit of the store. */
export function refused(id: AgentId, outcome: RefusedCommit): TroupeError {
  const { limit } = outcome;
  if (outcome.isMailboxFull === true) {
    return new TroupeError("mailbox-full", fullMailboxText(id, outcome));
  }
  const text = `The store refuses the state of ${id}: it is over the limit of ${limit}. Nothing has changed.`;
  return new TroupeError("state-too-large", text);
}

/** Throws `invalid-argument` if turns of a persistent type would save each other's half. */
export function assertTurns(
  type: string,
  agentClass: unknown,
  { isSequential, save }: { readonly isSequential: boolean; readonly save: StateDefinition<object>["save"] },
): void {
  if (!isSequential && save === "each-message") {
    const text = `The agents of type ${type} interleave, and their state is saved with each message: turns would save each other's half.`;
    throw new TroupeError(
      "invalid-argument",
      `${text} Register the type as sequential, or declare the state with save: "manual".`,
    );
  }
  const handler = handlersOf(agentClass).find(({ turn, isReadOnly }) => turn === "interleaving" && !isReadOnly);
  if (handler !== undefined && isSequential) {
    const types = handler.types.map(({ typeName }) => typeName).join(", ");
    const text = `The handler of ${types} in agents of type ${type} interleaves, and is not readOnly.`;
    throw new TroupeError("invalid-argument", `${text} Beside another turn of a persistent agent it must be both.`);
  }
}

/** Names the agent in an error about the state that its handler has left. Others come back as they are. */
export function namingAgent(error: unknown, id: AgentId): unknown {
  if (!(error instanceof TroupeError) || (error.code !== "invalid-state" && error.code !== "state-too-large"))
    return error;
  const text = error.message.replace(/^The state (?!of )/, `The state of ${id} `);
  return new TroupeError(error.code, text, error.cause === undefined ? {} : { cause: error.cause });
}
