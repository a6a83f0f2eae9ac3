import type { AgentRuntime } from "../agent-runtime.ts";
import { randomId, systemClock } from "../clock.ts";
import type { ActivationCounters } from "../delivery/activations/activation-counters.ts";
import { AgentCatalog } from "../delivery/activations/agent-catalog.ts";
import { WaitingHandlers } from "../delivery/calls/waiting-handlers.ts";
import { Dispatcher } from "../delivery/dispatcher.ts";
import { EventGuard } from "../delivery/event-guard.ts";
import { createLayers, type Delivery } from "../delivery/layers.ts";
import { MessageLog, payloadText } from "../delivery/message-log.ts";
import { AnswerCodec } from "../delivery/states/kept-answers.ts";
import { createStateLayers, type StateLayers } from "../delivery/states/state-layers.ts";
import { LongWaits, type WaitReports } from "../delivery/turns/long-waits.ts";
import { deadlockText, RingWatch } from "../delivery/turns/ring-watch.ts";
import { TypeArrivals } from "../delivery/type-arrivals.ts";
import { TroupeError } from "../errors.ts";
import { InterventionChain } from "../intervention.ts";
import type { LimitedLog } from "../limited-log.ts";
import { RunClient } from "../runs/run-client.ts";
import { RunDesk } from "../runs/run-desk.ts";
import { runBoundsOf } from "../runs/runs-options.ts";
import { guardsOf } from "../scope/guards.ts";
import { CodecRegistry } from "../serialization/codec-registry.ts";
import { StoreKeeper } from "../state/store-keeper.ts";
import { SubscriptionTable } from "../topics/subscription-table.ts";
import type { PublishEnvelope } from "./envelope.ts";
import { EnvelopeRouter } from "./envelope-router.ts";
import { deliverKept } from "./kept-delivery.ts";
import { KeptMessages } from "./kept-messages.ts";
import { MessagePump } from "./message-pump.ts";
import { Outgoing } from "./outgoing.ts";
import type { SingleThreadedAgentRuntimeOptions } from "./single-threaded-options.ts";

/** The things that the parts of a runtime take from the runtime itself. */
export interface RuntimeOwner {
  readonly runtime: AgentRuntime;
  readonly logger: LimitedLog;
  readonly counts: ActivationCounters;
  /** Called when an event found no place among those that wait for a turn at its agent. */
  readonly onEventDropped: () => void;
  /** Called for each event and told message that too many handlers led to. */
  readonly onGuarded: () => void;
}

/** The parts of a `SingleThreadedAgentRuntime`. */
export interface RuntimeParts {
  readonly catalog: AgentCatalog;
  readonly subscriptions: SubscriptionTable;
  readonly codecs: CodecRegistry;
  readonly arrivals: TypeArrivals;
  readonly pump: MessagePump;
  readonly kept: KeptMessages;
  readonly outgoing: Outgoing;
  readonly runClient: RunClient;
}

/** Makes the parts of a runtime, and connects them. The options are checked. */
export function composeRuntime(options: SingleThreadedAgentRuntimeOptions, owner: RuntimeOwner): RuntimeParts {
  const { ambient, tracing, messageLog, sequentialAgents, clock = systemClock, makeId = randomId } = options;
  const guards = guardsOf(options.guards);
  const { maxLiveAgents, deactivationTimeoutMs, stuckAfterMs: afterMs = 1_000, checksMessages = true } = options;
  const { runtime, logger, counts, onEventDropped, onGuarded } = owner;
  const subscriptions = new SubscriptionTable();
  const codecs = new CodecRegistry();
  const arrivals = new TypeArrivals(clock);
  const interventions = new InterventionChain(options.interventionHandlers, { tracing, logger });
  const toText = (message: unknown) => payloadText(message, codecs);
  const log = messageLog === undefined ? undefined : new MessageLog(messageLog, toText);
  const longWaits = afterMs === 0 ? undefined : new LongWaits({ clock, afterMs, reports: createRingReports() });
  let keeper: StoreKeeper<PublishEnvelope> | undefined;
  const state: StateLayers<PublishEnvelope> = createStateLayers<PublishEnvelope>({
    keeper: () => {
      keeper ??= new StoreKeeper({ store: kept.store, send: (event) => outgoing.sendKept(event) });
      return keeper;
    },
    isSequential: (type) => catalog.turnsOf(type) !== undefined,
    runAhead: (type) => catalog.turnsOf(type)?.runAhead ?? 0,
    forget: (id, agent, reason) => {
      if (reason === "destroyed") runs.destroy(id);
      return catalog.forget(id, agent, reason);
    },
    codec: new AnswerCodec(codecs),
    assertSendable: (delivery, answer) => outgoing.assertSendable(delivery, answer),
  });
  const { states, commitLayer, layers: stateLayers } = state;
  const waiting = new WaitingHandlers({
    ...{ maxHandlers: guards.maxHandlers, ambient },
    runningCount: () => router.runningCount,
    agentOf: (id) => catalog.peek(id),
  });
  const catalog: AgentCatalog = new AgentCatalog({
    ...{ runtime, ambient, messageLog, logger, sequentialAgents, longWaits, counts },
    ...{ states, commitLayer, clock, maxLiveAgents, deactivationTimeoutMs },
    ...{ countsEvents: Number.isFinite(guards.maxEventDepth), waiting },
    onTypeGone: (type) => subscriptions.removeType(type),
    onDestroying: (id, destroyed) => runs.destroy(id, destroyed),
    contextsAt: (id) => router.contextsAt(id),
    deliverTimer: (timer) => outgoing.deliverTimer(timer),
  });
  const runs: RunDesk = new RunDesk({
    ...{ catalog, codecs, clock, makeId, bounds: runBoundsOf(options.runs), maxDepth: guards.maxEventDepth },
    deliver: (message) => outgoing.deliverTimer(message),
    keeper: state.runs,
    reminderOf: (agent, isSet) => kept.runReminder(agent, isSet),
  });
  const router: EnvelopeRouter = new EnvelopeRouter({
    dispatcher: new Dispatcher({ catalog, logger, log, tracing, layers: createLayers(options), stateLayers, runs }),
    ...{ catalog, subscriptions, interventions, logger, log, tracing, payloadText: toText, onEventDropped },
    refusalOf: checksMessages ? (message) => codecs.refusalOf(message) : undefined,
    refusalOfAnswer: checksMessages ? (answer, promised) => codecs.refusalOfAnswer(answer, promised) : undefined,
    onEventFailure: (error) => {
      if (options.ignoreUnhandledExceptions === false) pump.fail(error);
    },
  });
  const pump: MessagePump = new MessagePump(router, clock, runtime.logger);
  const eventGuard = new EventGuard({
    ...{ maxDepth: guards.maxEventDepth, ambient, logger, onGuarded },
    depthOf: (sender) => catalog.senders.depthOf(sender),
  });
  const outgoing: Outgoing = new Outgoing({
    ...{ runtime, catalog, codecs, arrivals, interventions, pump, kept: () => kept, log, logger, tracing },
    durableRecipients: (topic) => subscriptions.durableRecipients(topic),
    ...{ clock, makeId, checksMessages, guards, eventGuard, waiting },
    bounds: { defaultTimeoutMs: options.defaultTimeoutMs, ambient },
  });
  const { handlerTimeoutMs = 300_000 } = options;
  const kept: KeptMessages = new KeptMessages({
    ...{ store: options.stateStore, clock, logger, makeId, codecs, tracing, cron: options.cron, retry: options.retry },
    effectsOf: (agent) => catalog.senders.effectsOf(agent),
    deliver: (delivery) => deliverKept(delivery, { runtime, catalog, clock, handlerTimeoutMs, pump }),
    isServed: (type) => catalog.hasType(type),
    hold: () => pump.hold(),
  });
  const runClient = new RunClient({ runtime, codecs, interventions, clock, makeId });
  return { catalog, subscriptions, codecs, arrivals, pump, kept, outgoing, runClient };
}

/**
 * Ends a call of each ring of calls that wait for each other in this process, with the error `deadlock`. There is no bound, since what is
 * watched is in memory already: the calls that wait.
 */
function createRingReports(): WaitReports {
  const watch = new RingWatch<Delivery>({
    maxCalls: Number.POSITIVE_INFINITY,
    onRing: ({ context }, ring) => context.abort(new TroupeError("deadlock", deadlockText(ring))),
  });
  return {
    report: (delivery, behind) => {
      watch.report(delivery, { path: delivery.context.path, behind });
    },
    withdraw: (delivery) => watch.withdraw(delivery),
  };
}
