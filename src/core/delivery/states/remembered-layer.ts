import type { Agent } from "../../agents/agent.ts";
import { tickWithdrawn } from "../../courier/reminders/withdrawn-ticks.ts";
import { TroupeError } from "../../errors.ts";
import { type SlotAhead, slotOf } from "../../state/state-slot.ts";
import type { Delivery, Layer } from "../layers.ts";
import type { CommitLayerOptions } from "./commit-layer.ts";

/**
 * Returns the layer that answers a message which its agent has handled before, without its handler. It is inside the turn, so that a
 * second message waits for the turn of the first.
 */
export function rememberedLayer<Out>({ states, answers }: CommitLayerOptions<Out>): Layer {
  /** The turns of interleaved agents that are under way. */
  const running = new WeakMap<Agent, Map<string, Promise<unknown>>>();

  async function once(delivery: Delivery, next: () => unknown, kept: KeptId, ahead?: SlotAhead): Promise<unknown> {
    // The turn that has handled it may be ahead of its commit. If that fails, this one is behind it.
    await ahead?.remembering(kept.id, kept.principal);
    const known = await states.remembered(delivery.agentId, kept.id, kept.principal);
    return known === undefined ? next() : answers.decode(known.answer);
  }

  function oneAfterTheOther(agent: Agent, kept: KeptId, run: () => Promise<unknown>): Promise<unknown> {
    const ofAgent = running.get(agent) ?? new Map<string, Promise<unknown>>();
    running.set(agent, ofAgent);
    const name = JSON.stringify([kept.id, kept.principal]);
    const before = ofAgent.get(name);
    const turn = before === undefined ? run() : before.then(run, run);
    ofAgent.set(name, turn);
    const end = () => {
      if (ofAgent.get(name) === turn) ofAgent.delete(name);
    };
    turn.then(end, end);
    return turn;
  }

  return (delivery, next, agent) => {
    const { kept, context } = delivery;
    if (kept === undefined) return next();
    const slot = slotOf(agent);
    if (slot === undefined) throw keyRefused(delivery.agentId);
    const begin = () => {
      // A reading turn commits nothing, so that nothing is remembered.
      if (!slot.isInterleaved && context.turn?.kind !== "alone") return next();
      const run = () => once(delivery, next, kept, slot.ahead);
      return slot.isInterleaved ? oneAfterTheOther(agent, kept, run) : run();
    };
    const withdrawn = context.reminder && states.withdrawing(slot, context.reminder);
    if (withdrawn === undefined) return begin();
    return slot.ahead === undefined ? withdrawn.then(failWithdrawn, begin) : dropTick(withdrawn);
  };
}

/** Fails a tick when the commit is written that withdraws it. */
async function dropTick(withdrawn: Promise<void>): Promise<never> {
  // If the commit fails, the tick is behind it, and comes again.
  await withdrawn;
  return failWithdrawn();
}

function failWithdrawn(): never {
  throw tickWithdrawn();
}

type KeptId = NonNullable<Delivery["kept"]>;

/** Makes the error for a call with a key to an agent that could not remember it. */
export function keyRefused(agent: { toString(): string }): TroupeError {
  const text = `${agent} keeps no state, so that it can't remember an idempotencyKey.`;
  return new TroupeError(
    "invalid-argument",
    `${text} Call it without one, or give its class a state (persistentAgent).`,
  );
}
