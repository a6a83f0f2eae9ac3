import {
  AgentCatalog,
  type AgentId,
  type AgentRuntime,
  type CallPath,
  type Clock,
  CodecRegistry,
  createLayers,
  type Delivery,
  Dispatcher,
  EventGuard,
  InterventionChain,
  LongWaits,
  MessageLog,
  payloadText,
  RunClient,
  RunDesk,
  runBoundsOf,
  type SendOptions,
  SubscriptionTable,
  WaitingHandlers,
  type WaitReports,
  watchingClock,
} from "../core/internal.ts";
import type { LeavingNotice } from "../protocol/internal.ts";
import { AgentAccess } from "./agents/agent-access.ts";
import { HostedPost } from "./agents/hosted-post.ts";
import { Claims } from "./claims/claims.ts";
import { Leaving } from "./claims/leaving.ts";
import { StatusBoard } from "./connection/worker-status.ts";
import { ConcurrencyLimiter } from "./inbound/concurrency-limiter.ts";
import { InFlight } from "./inbound/in-flight.ts";
import { Inbox } from "./inbound/inbox.ts";
import { TimerDelivery } from "./inbound/timer-delivery.ts";
import { createKeptAgents } from "./kept-agents.ts";
import { LeasedTurns } from "./lease/leased-turns.ts";
import { WorkerTimes } from "./metrics/worker-times.ts";
import { OutgoingCalls } from "./outbound/outgoing-calls.ts";
import { OutgoingEvents } from "./outbound/outgoing-events.ts";
import { SendQueue } from "./outbound/send-queue.ts";
import { createWorkerCounters, type WorkerCounters } from "./worker-counters.ts";
import { WorkerLifecycle } from "./worker-lifecycle.ts";
import { type WorkerRuntimeOptions, workerSettings } from "./worker-options.ts";

/** The parts of a `WorkerRuntime`. */
export interface WorkerParts {
  readonly registry: CodecRegistry;
  readonly catalog: AgentCatalog;
  readonly limiter: ConcurrencyLimiter;
  readonly sendQueue: SendQueue;
  readonly status: StatusBoard;
  readonly counts: WorkerCounters;
  readonly lifecycle: WorkerLifecycle;
  readonly calls: OutgoingCalls;
  readonly events: OutgoingEvents;
  readonly agents: AgentAccess;
  readonly post: HostedPost;
  /** Undefined: nothing is measured. */
  readonly times: WorkerTimes | undefined;
  readonly clock: Clock;
  readonly runClient: RunClient;
}

/** Makes the parts of a worker, and connects them. Throws `invalid-argument` for invalid options. */
export function composeWorker(options: WorkerRuntimeOptions, runtime: AgentRuntime): WorkerParts {
  const settings = workerSettings(options);
  const { ambient, messageLog, logger, tracing, clock, guards, requestIdPrefix, stuckAfterMs: afterMs } = settings;
  const { sequentialAgents, maxLiveAgents, deactivationTimeoutMs, makeId, metrics } = settings;
  const times = metrics && new WorkerTimes(metrics, clock);
  const registry = new CodecRegistry();
  const counts = createWorkerCounters();
  const status = new StatusBoard();
  const subscriptions = new SubscriptionTable();
  /** Agent types that are registered here and that another worker serves by now. */
  const elsewhere = new Set<string>();
  const inFlight = new InFlight();
  const interventions = new InterventionChain(options.interventionHandlers, { tracing, logger });
  const toText = (message: unknown) => payloadText(message, registry);
  const log = messageLog === undefined ? undefined : new MessageLog(messageLog, toText);

  const send = (notice: LeavingNotice) => lifecycle.host.outbox?.sayClaims(notice) === true;
  const claims = new Claims({ catalog: () => catalog, runs: () => runs, clock: settings.clock, send });
  const leaving = new Leaving({ claims, catalog: () => catalog, runs: () => runs });
  const { state, hosted: keeper } = createKeptAgents({
    ...{ settings, registry, counts, stateStore: options.stateStore },
    catalog: () => catalog,
    sendQueue: () => sendQueue,
    hostStates: () => lifecycle.host.states,
    hostKeepsRuns: () => lifecycle.host.keepsRuns,
    onDestroyed: (id) => runs.destroy(id),
    isStateless: () => lifecycle.host.isStateless,
    epochOf: (id) => claims.epochOf(id),
    remindersChanged: (agent, changes) => inbox.withdrawTicks(agent, changes),
  });
  const { layers: stateLayers, states, commitLayer } = state;
  const reports: WaitReports = {
    report: (delivery, behind) => inbox.reportWait(delivery, behind),
    withdraw: (delivery) => inbox.withdrawWait(delivery),
  };
  const lease = new LeasedTurns({
    clock: watchingClock(clock),
    onMissed: () => lifecycle.onLeaseMissed(),
    onNeed: (isNeeded) => dispatcher.underLease(isNeeded ? lease.layer : undefined),
  });
  const waiting = new WaitingHandlers({
    ...{ maxHandlers: guards.maxHandlers, ambient },
    runningCount: () => inFlight.size,
    agentOf: (id) => catalog.peek(id),
  });
  const catalog: AgentCatalog = new AgentCatalog({
    ...{ runtime, ambient, messageLog, logger, clock, counts, states, commitLayer },
    ...{ classCheck: "exact", sequentialAgents, maxLiveAgents, deactivationTimeoutMs, placed: claims, lease },
    turnTokenOf: createTurnTokens(requestIdPrefix),
    longWaits: afterMs === 0 ? undefined : new LongWaits({ clock, afterMs, reports }),
    ...{ countsEvents: Number.isFinite(guards.maxEventDepth), waiting },
    onTypeGone: (type) => subscriptions.removeType(type),
    onDestroying: (id, destroyed) => runs.destroy(id, destroyed),
    contextsAt: (id) => claims.contextsAt(id) ?? inFlight.contextsAt(id),
    deliverTimer: (timer) => timers.deliver(timer),
  });
  const measuredLayers = times === undefined ? createLayers(options) : [times.layer, ...createLayers(options)];
  const runs: RunDesk = new RunDesk({
    ...{ catalog, codecs: registry, clock, makeId, bounds: runBoundsOf(options.runs), maxDepth: guards.maxEventDepth },
    deliver: (message) => timers.deliver(message),
    keeper: state.runs,
    reminderOf: (agent, isSet) => post.runReminder(agent, isSet),
    isStopping: () => inbox.intake !== "all",
  });
  const dispatcher = new Dispatcher({ catalog, logger, log, tracing, layers: measuredLayers, stateLayers, runs });

  const sendQueue = new SendQueue(settings, counts, () => lifecycle.onStranded());
  const eventGuard = new EventGuard({
    ...{ maxDepth: guards.maxEventDepth, ambient, logger },
    depthOf: (sender) => catalog.senders.depthOf(sender),
    onGuarded: () => {
      counts.guardedEvents += 1;
    },
  });
  // Calls and generation 1's registrations share one sequence of ids (protocol.md §1.6).
  let lastRequestNumber = 0;
  const nextRequestNumber = () => ++lastRequestNumber;
  const pathOf = (sender: AgentId | undefined) => catalog.senders.pathOf(sender, guards.maxDepth);
  const callBegins = (options: SendOptions, path: CallPath) => catalog.senders.callBegins(options, path);
  const effectsOf = (sender: AgentId | undefined) => catalog.senders.effectsOf(sender);
  const outgoing = { settings, registry, interventions, log, sendQueue, eventGuard };
  const calls = new OutgoingCalls({ ...outgoing, counts, nextRequestNumber, pathOf, callBegins, waiting, times });
  const events = new OutgoingEvents({
    ...{ ...outgoing, effectsOf },
    keepEvent: (...kept) => calls.keepEvent(...kept),
    durableEffect: (bytes) => post.durableEffect(bytes),
    assertKeepsMail: () => post.assertHostKeepsMail(),
  });

  const limiter = new ConcurrencyLimiter({ ...settings, onChange: () => lifecycle.reviewReading() });
  const inbox: Inbox = new Inbox({
    ...{ settings, catalog, subscriptions, registry, log, counts, calls, elsewhere },
    ...{ dispatcher, work: inFlight, slots: limiter, claims, leaving, lease },
    onLeaseNotice: (notice, connection) => lifecycle.onLeaseNotice(notice, connection),
    onDrain: (graceMs) => lifecycle.onDrain(graceMs),
    onHostLeaving: (connection, leaving) => lifecycle.onHostLeaving(connection, leaving),
  });
  const timers = new TimerDelivery({
    ...{ catalog, dispatcher, work: inFlight, slots: limiter, makeId, claims },
    takesWork: () => lifecycle.isRunning && inbox.intake === "all",
  });
  const lifecycle: WorkerLifecycle = new WorkerLifecycle({
    ...{ settings, counters: counts, status, catalog, subscriptions, sendQueue, calls, events, inbox },
    ...{ inFlight, limiter, claims, leaving, lease, elsewhere, nextRequestNumber },
    hasStore: options.stateStore !== undefined,
  });
  const post: HostedPost = new HostedPost({
    ...{ settings, registry, interventions, log, keeper, eventGuard, effectsOf },
    serves: (type) => catalog.hasType(type),
    isMailless: () => lifecycle.host.isMailless,
    hostKeepsMail: () => lifecycle.host.keepsMail(),
    keepCall: (call) => calls.keep(call),
  });
  const agents = new AgentAccess({
    ...{ catalog, claims, clock, services: () => lifecycle.host.services },
    placesAgents: () => lifecycle.host.placesAgents,
  });
  return {
    registry,
    catalog,
    limiter,
    sendQueue,
    status,
    counts,
    lifecycle,
    calls,
    events,
    agents,
    post,
    times,
    clock,
    runClient: new RunClient({ runtime, codecs: registry, interventions, clock, makeId }),
  };
}

/** Returns what names turns on this worker. A call's request id is unique at its host. An event's id may come several times. */
function createTurnTokens(requestIdPrefix: string): (delivery: Delivery) => string {
  let last = 0;
  return ({ context }) =>
    context.isOfCourier || (context.isRpc && context.topicId === undefined)
      ? context.messageId
      : `e${requestIdPrefix}${++last}`;
}
