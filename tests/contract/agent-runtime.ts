import { describe } from "vitest";
import { describeActivationLimits } from "./agent-runtime/activation-limits.ts";
import { describeActivations } from "./agent-runtime/activations.ts";
import { describeAgents } from "./agent-runtime/agents.ts";
import { describeCalls } from "./agent-runtime/calls.ts";
import { describeContexts } from "./agent-runtime/contexts.ts";
import { describeCopies } from "./agent-runtime/copies.ts";
import { describeDurableEvents } from "./agent-runtime/durable-events.ts";
import { describeEndedStreams } from "./agent-runtime/ended-streams.ts";
import { describeEndings } from "./agent-runtime/endings.ts";
import { describeEventGuards } from "./agent-runtime/event-guards.ts";
import { describeEvents } from "./agent-runtime/events.ts";
import { describeFailing } from "./agent-runtime/failing.ts";
import { describeGivingUp } from "./agent-runtime/giving-up.ts";
import { describeHangingInterventions } from "./agent-runtime/hanging-interventions.ts";
import { describeIdempotency } from "./agent-runtime/idempotency.ts";
import { describeInterceptors } from "./agent-runtime/interceptors.ts";
import { describeInterventions } from "./agent-runtime/interventions.ts";
import { describeLifeCycle } from "./agent-runtime/life-cycle.ts";
import { describeLostStates } from "./agent-runtime/lost-states.ts";
import { describeMetadata } from "./agent-runtime/metadata.ts";
import { describeNestedCalls } from "./agent-runtime/nested-calls.ts";
import { describeNestedTurns } from "./agent-runtime/nested-turns.ts";
import { describeObserving } from "./agent-runtime/observing.ts";
import { describeOddInputs } from "./agent-runtime/odd-inputs.ts";
import { describePersistentAgents } from "./agent-runtime/persistent-agents.ts";
import { describeReEntrancy } from "./agent-runtime/re-entrancy.ts";
import { describeReadOnlyHandlers } from "./agent-runtime/read-only-handlers.ts";
import { describeRegistering } from "./agent-runtime/registering.ts";
import { describeReminders } from "./agent-runtime/reminders.ts";
import { describeRings } from "./agent-runtime/rings.ts";
import { describeRollBack } from "./agent-runtime/roll-back.ts";
import { describeRunAhead } from "./agent-runtime/run-ahead.ts";
import { describeReadersAhead } from "./agent-runtime/run-ahead-readers.ts";
import { describeSharedSignals } from "./agent-runtime/shared-signals.ts";
import { describeState } from "./agent-runtime/state.ts";
import { describeStreamedTurns } from "./agent-runtime/streamed-turns.ts";
import { describeStreams } from "./agent-runtime/streams.ts";
import { describeTold } from "./agent-runtime/told.ts";
import { describeTurns } from "./agent-runtime/turns.ts";
import { describeWaitForTarget } from "./agent-runtime/wait-for-target.ts";
import { describeWhatIsRefused } from "./agent-runtime/what-is-refused.ts";
import { createSuite, type Deviations, type MakeWorld } from "./agent-runtime/world.ts";
import { describeWrongArguments } from "./agent-runtime/wrong-arguments.ts";

export type { Deviation, Deviations, MakeWorld, World, WorldOptions } from "./agent-runtime/world.ts";

/**
 * Every promise of the `AgentRuntime` port. An adapter plugs in with one call: how to make a world of one or two started
 * runtimes, and in what it deviates, each with the reason.
 */
export function describeAgentRuntime(name: string, makeWorld: MakeWorld, deviations: Deviations = {}): void {
  const suite = createSuite(makeWorld, deviations);
  describe(`AgentRuntime: ${name}`, () => {
    describeCalls(suite);
    describeGivingUp(suite);
    describeEvents(suite);
    describeMetadata(suite);
    describeAgents(suite);
    describeTurns(suite);
    describeReEntrancy(suite);
    describeEventGuards(suite);
    describeRings(suite);
    describeRegistering(suite);
    describeLifeCycle(suite);
    describeActivations(suite);
    describeActivationLimits(suite);
    describeState(suite);
    describePersistentAgents(suite);
    describeReadOnlyHandlers(suite);
    describeLostStates(suite);
    describeRollBack(suite);
    describeNestedTurns(suite);
    describeNestedCalls(suite);
    describeIdempotency(suite);
    describeRunAhead(suite);
    describeReadersAhead(suite);
    describeInterventions(suite);
    describeHangingInterventions(suite);
    describeInterceptors(suite);
    describeFailing(suite);
    describeObserving(suite);
    describeContexts(suite);
    describeCopies(suite);
    describeSharedSignals(suite);
    describeOddInputs(suite);
    describeEndings(suite);
    describeWaitForTarget(suite);
    describeWhatIsRefused(suite);
    describeWrongArguments(suite);
    describeTold(suite);
    describeDurableEvents(suite);
    describeReminders(suite);
    describeStreams(suite);
    describeEndedStreams(suite);
    describeStreamedTurns(suite);
  });
}
