// Over 400 lines: it makes each part of a host once, with what the part uses.
import { ObservedStore } from "../core/internal.ts";
import { createMemoryAccountant, type FairCountOptions, StatusCode } from "../transport/internal.ts";
import { AccessCheck } from "./access/access-check.ts";
import { BatchRunner } from "./batch-runner.ts";
import { CallRouter } from "./calls/call-router.ts";
import { DotnetAnswers } from "./calls/dotnet-answers.ts";
import { SenderCheck } from "./calls/sender-check.ts";
import { ChannelLifecycle } from "./channels/channel-lifecycle.ts";
import { ClientIdOwners } from "./channels/client-id-owners.ts";
import { Router } from "./channels/router.ts";
import type { ControlPeer } from "./control/control-peer.ts";
import { ControlPlaces } from "./control/control-places.ts";
import { ControlRouter } from "./control/control-router.ts";
import type { ControlSession } from "./control/control-session.ts";
import { HostAsks } from "./control/host-asks.ts";
import { LegacyState } from "./control/legacy-state.ts";
import { createHostCounters, type HostCounters } from "./counters.ts";
import { EventRouter } from "./events/event-router.ts";
import { HeldStore } from "./held-store.ts";
import { HostOperations } from "./host-operations.ts";
import { firstListed, limits } from "./limits.ts";
import { handshakeLog, hostLog } from "./log/host-log.ts";
import { RateLimitedLogger } from "./log/rate-limited-logger.ts";
import { CourierPeer } from "./mail/courier-peer.ts";
import { DurableEvents } from "./mail/durable-events.ts";
import { DurableSubscriptions } from "./mail/durable-subscriptions.ts";
import { readRules } from "./mail/effects-check.ts";
import { HostCourier } from "./mail/host-courier.ts";
import { MailShards } from "./mail/mail-shards.ts";
import { ToldCalls } from "./mail/told-calls.ts";
import type { JoinsSeat } from "./membership/joins-seat.ts";
import { observerGroups } from "./observer.ts";
import { AgentOperations } from "./operations/agent-operations.ts";
import { EventPublishing } from "./operations/event-publishing.ts";
import { Inspection } from "./operations/inspection.ts";
import { MessageOperations } from "./operations/message-operations.ts";
import { MessageTypes } from "./operations/message-types.ts";
import { OutsideCalls } from "./operations/outside-calls.ts";
import { type HostOptions, resolveHostOptions } from "./options.ts";
import { openOwnAccount } from "./own-account.ts";
import { isGateOfLost, noOthers, type OthersSeat } from "./peers/other-hosts.ts";
import { LinkFlushes } from "./peers/places/link-flushes.ts";
import { type ExpectedMessage, PlaceGates } from "./peers/places/place-gates.ts";
import { DirectorySeat } from "./placement/cluster/directory-seat.ts";
import { composePlacement } from "./placement/compose-placement.ts";
import { SharedOwners } from "./placement/shared-owners.ts";
import { SoloDirectory } from "./placement/solo-directory.ts";
import { StockUnits } from "./placement/stock-units.ts";
import { TypeTable } from "./placement/type-table.ts";
import { knowsCallers } from "./principal.ts";
import { QuotaCheck } from "./quotas/quota-check.ts";
import { Registrations } from "./registrations.ts";
import { LegacyRegistration } from "./registry/legacy-registration.ts";
import { namePattern } from "./registry/name-checks.ts";
import { Registry } from "./registry/registry.ts";
import { formatTerms } from "./registry/shared-terms.ts";
import { TypesBetween } from "./registry/types-between.ts";
import { Admission } from "./sessions/admission.ts";
import { callerCheckOf } from "./sessions/caller-check.ts";
import { ChannelTable } from "./sessions/channel-table.ts";
import { DotnetWorkers } from "./sessions/dotnet-worker.ts";
import { MessagePayloads } from "./sessions/message-payloads.ts";
import { MessageTraces } from "./sessions/message-traces.ts";
import { SenderWaits } from "./sessions/sender-waits.ts";
import type { Session } from "./sessions/session.ts";
import { StateService } from "./states/state-service.ts";

/** The parts of a host, each with what it uses. Throws `invalid-argument` for invalid options. */
export function composeHost(hostOptions: HostOptions) {
  const resolved = resolveHostOptions(hostOptions);
  const rateLimited = resolved.logger && new RateLimitedLogger(resolved.logger, resolved.clock);
  const options = { ...resolved, logger: rateLimited };
  const { logger, clock, makeId, allowMultipleOwners, registrationOrphanMs: orphanMs } = options;
  const { observers, stored, seldom, observe } = observerGroups(logger, clock);
  if (options.observer !== undefined) observe(options.observer);
  if (logger !== undefined) seldom.add(hostLog(logger, clock));
  const counters = createHostCounters();
  const access = options.rules && new AccessCheck({ rules: options.rules, counters, observers: seldom });
  const quotas = options.quotas && new QuotaCheck({ quotas: options.quotas, clock, counters, observers: seldom });
  const batches = new BatchRunner(clock);
  const { maxMemoryBytes, maxSessions } = options;
  let placesLost = 0;
  const shared = (bound: string, max: number): FairCountOptions => ({
    max,
    onGaveWay: ({ party: address, held }) => {
      placesLost += 1;
      logger?.warn("a client gave way: its address held most, and others needed a place", {
        bound,
        max,
        address,
        held,
      });
    },
  });
  const giveChannelWay = (channel: Session | ControlSession): void => {
    const details = `This host takes ${maxSessions} channels at once (maxSessions). The clients of this address had most of them, and others needed one.`;
    clock.setTimer(0, () => channel.abort({ code: StatusCode.resourceExhausted, details }, "too-much"));
  };
  const sessions = new ChannelTable<Session>({ ...shared("maxSessions", maxSessions), giveWay: giveChannelWay });
  const controlSessions = new ChannelTable<ControlSession>({
    ...{ ...shared("maxSessions, control channels", maxSessions), giveWay: giveChannelWay },
  });
  const accountant = createMemoryAccountant({
    maxBytes: maxMemoryBytes,
    onGaveWay: ({ name, heldBytes }) =>
      logger?.warn("a client gave way: it held most, and others needed space", { name, heldBytes, maxMemoryBytes }),
  });
  const others: OthersSeat = { now: noOthers };
  const senderWaits = new SenderWaits();
  const [gates, expected] = [
    new PlaceGates(clock, senderWaits, (key) => isGateOfLost(others, key)),
    new PlaceGates<ExpectedMessage>(clock),
  ];
  const flushes = new LinkFlushes(clock);
  const joins: JoinsSeat = { now: undefined };
  const dotnetWorkers = new DotnetWorkers();
  const isDeaf = (clientId: string): boolean => dotnetWorkers.hasReopened(clientId);
  const owners = allowMultipleOwners
    ? new SharedOwners(options.random, { isDeaf, maxPlacementBytes: maxMemoryBytes / 8 })
    : new TypeTable({
        ...{ isDeaf, sharedTypes: options.sharedTypes },
        onTypeOwned: (agentType, clientId, isShared) => {
          if (!isShared) others.now.typeOwned({ agentType, clientId, isShared });
        },
        onSharedJoined: (type, clientId) => {
          others.now.typeOwned({ agentType: type.name, clientId, isShared: true, terms: formatTerms(type) });
          placement.ownerJoined(clientId);
        },
        onSharedLeft: ({ name }, clientId) => others.now.releaseShared(name, clientId),
        onTypeGone: (agentType) => others.now.releaseType(agentType),
        onSharedChange: (type) => {
          units.changed(type);
          placement.changed();
        },
        onSharedGone: (type) => {
          directory.typeGone(type);
          leaving.typeGone(type);
        },
      });
  const { takesOver, stateStore: given, retry, cron, random } = options;
  const { log } = options;
  const hasLog = log !== undefined;
  const sharedLog = options.cluster?.log;
  const courierPeer = new CourierPeer(openOwnAccount(accountant, "kept calls"));
  const store: ObservedStore = new ObservedStore(given, {
    onCommitting: (commits) => courier?.onCommitting(commits),
    newestPlace: () => courier?.newestPlace(),
    onDecided: (commits, outcomes) => courier?.onDecided(commits, outcomes),
  });
  const isServed = (type: string) =>
    owners.owners(type).length > 0 || others.now.find(type) !== undefined || across.now?.isServed(type) === true;
  const courier: HostCourier | undefined = !hasLog
    ? undefined
    : new HostCourier({
        ...{ store, sharedLog, peer: courierPeer, clock, logger, random, cron, retry, observers: stored },
        onCommitted: (shards) => mailShards?.committed(shards),
        isStoreGiven: hostOptions.stateStore !== undefined,
        calls: () => calls,
        partyOf: ({ type }) => {
          const [owner = ""] = owners.owners(type);
          return sessions.of(owner)?.account.party ?? "";
        },
        isServed,
      });
  const held = new HeldStore({
    ...{ store, takesOver, counters, logger, clock, onOpen: (incarnation) => courier?.opened(incarnation) },
  });
  const solo = new SoloDirectory({ maxClaims: options.maxClaims, batches, generation: () => held.incarnation });
  const directory = new DirectorySeat(solo);
  const mailShards =
    courier &&
    sharedLog &&
    new MailShards({ log: sharedLog, courier, openStore: () => held.open(), clock, logger, observers });
  const units: StockUnits = new StockUnits({
    sharedTypes: () => owners.sharedTypes(),
    maxBytes: maxMemoryBytes / 8,
    onSplit: ({ types }) => {
      counters.splitUnits += 1;
      const text =
        "no worker serves all shared types that a stock worker serves together: an agent may live in two workers";
      logger?.warn(text, { types: firstListed(types.map(({ name }) => name)) });
    },
  });
  const { placement, workers, leaving, drains, messages, across } = composePlacement({
    ...{ directory, units, peers: sessions, isDeaf, batches, clock, counters, observers: seldom },
    ...{ placement: options.placement, versionPolicy: options.versionPolicy, random: options.random },
    ...{ drainGraceMs: options.drainGraceMs, senderWaits },
    sharedType: (name) => owners.shared(name),
    endCalls: (peers) => calls.endShared(peers),
    onDraining: (channels) => others.now.workerDraining(channels),
    endChannels: (channels) => {
      const details = "The worker did not let its agents go in time (drainGraceMs).";
      for (const { id } of channels) sessions.of(id)?.finish({ code: StatusCode.aborted, details }, "too-much");
    },
  });
  const admission = new Admission({
    ...{ clock, counters, logger, observers: seldom, check: callerCheckOf(options), quotas },
    places: shared("pendingAdmissions", limits.pendingAdmissions),
  });
  const pendingOf: Admission["pendingOf"] = (clientId, method) => admission.pendingOf(clientId, method);
  const giveWay = (clientId: string, reason: string): void => {
    clock.setTimer(0, () => lifecycle.giveWay(clientId, reason));
  };
  const isEnforced = knowsCallers(options);
  const registry = new Registry({
    ...options,
    isEnforced,
    owners,
    counters,
    observers: seldom,
    orphanMs,
    bounds: options,
    batches,
    pendingOf,
    giveWay,
    quotas,
    onClientGaveWay: shared("maxSessions, clients", maxSessions).onGaveWay,
    openListAccount: (onGiveWay) =>
      accountant.openAccount({ party: "the host", name: "list of subscriptions", giveWay: onGiveWay }),
  });
  const between = new TypesBetween();
  const clientIds = new ClientIdOwners({ isEnforced, admission, sessions, controlSessions, registry });
  const dotnetAnswers = new DotnetAnswers({ ...options, counters });
  const traces = options.tracing && new MessageTraces(options.tracing);
  const calls: CallRouter = new CallRouter({
    traces,
    ...{ ...options, bounds: options, batches, counters, owners, placement, leaving, peers: sessions, dotnetAnswers },
    ...{ observers, workers, courier: courierPeer, others, gates, expected, across },
    asksPrincipal: (clientId, agentType) => registry.asksPrincipal(clientId, agentType),
  });
  const locate = (agentType: string, key: string, asker: ControlPeer): string | undefined => {
    const type = owners.shared(agentType);
    if (type === undefined) return owners.locate(agentType, key);
    if (across.now !== undefined) return across.now.clientOf(type, key);
    const located = placement.locate(type, key, { caller: undefined, payer: asker });
    if (located.at === "moving") return located.holder?.peer.id;
    return located.at === "found" ? located.peer.id : undefined;
  };
  const epochOf = (agentType: string, key: string) => {
    const type = owners.shared(agentType);
    return type && directory.find(type, key)?.epoch;
  };
  const events = new EventRouter({
    traces,
    ...{ counters, owners, placement, directory, leaving, topics: registry.topics, peers: sessions, logger, observers },
    ...{ others, gates, expected, across },
  });
  const keepsTopics = hasLog && options.keepsStates && !allowMultipleOwners;
  const subscriptions = keepsTopics
    ? new DurableSubscriptions(held, { isShared: options.cluster !== undefined, isServed })
    : undefined;
  const durable = new DurableEvents({
    ...{ held, subscriptions, events, isServed, makeId, batches, counters, logger },
    isDurableTopic: options.durableTopics.length > 0 ? namePattern(options.durableTopics) : undefined,
  });
  const senders = new SenderCheck({ isEnforced, owners, between, directory, placement, calls, counters, logger });
  const states = new StateService({
    ...{
      senders,
      held,
      owners,
      between,
      directory,
      placement,
      calls,
      events,
      spreader: durable,
      clock,
      batches,
      counters,
      observers: stored,
    },
    courier: courier && { readRules, whyNotPatterns: (ask, rules) => courier.whyNotPatterns(ask.agent, rules) },
  });
  const hostAsks = new HostAsks({ clock, makeId });
  const control = new ControlRouter({
    ...{ counters, batches, locate, epochOf, sessions: controlSessions, hostAsks, clientIds, clock, logger, others },
    ...{ access, quotas },
    places: new ControlPlaces({ owners, placement, leaving, across, others, gates }),
    hasShared: () => owners.hasShared,
    ...{ leaving, gates },
  });
  const told = new ToldCalls({
    ...{ held, courier, clock, makeId, counters },
    isDurableType: options.durableTypes.length > 0 ? namePattern(options.durableTypes) : undefined,
  });
  const agents = new AgentOperations({
    ...{ owners, directory, workers, peers: sessions, controlSessions, asks: hostAsks, held, batches, others },
  });
  const messageTypes = new MessageTypes({ owners, peers: sessions, controlSessions, asks: hostAsks });
  const router = new Router({
    ...{ calls, told, durable, senders },
    events,
    registration: new LegacyRegistration(registry, makeId, others, access),
    ...{ registry, owners, between, placement, leaving, drains, counters, logger, joins, others },
    ...{ senderWaits, clock },
  });
  const lifecycle = new ChannelLifecycle({
    ...{
      options,
      batches,
      counters,
      admission,
      clientIds,
      sessions,
      dotnetWorkers,
      controlSessions,
      registry,
      owners,
      between,
      placement,
      workers,
      calls,
      told,
      durable,
      states,
      courier,
      control,
      router,
      others,
      joins,
    },
    ...{ observers: seldom, access, quotas },
  });
  const readCounters = (): HostCounters => {
    let [queuedFrames, queuedBytes] = [0, 0];
    for (const session of sessions.values()) {
      queuedFrames += session.queuedFrames;
      queuedBytes += session.queuedBytes;
    }
    return {
      ...counters,
      ...(courier?.counters ?? noMail),
      reservedClients: registry.reservedCount,
      heldBytes: accountant.heldBytes,
      gaveWay: accountant.gaveWay + placesLost,
      queuedFrames,
      queuedBytes,
      channels: sessions.size,
      controlChannels: controlSessions.size,
      pendingCalls: calls.pendingCount,
      agentTypes: owners.size,
      subscriptions: registry.subscriptionCount,
      claims: directory.size,
      leavingAgents: leaving.size,
      heldMessages: leaving.heldCount,
    };
  };
  const registrations = new Registrations({
    registry,
    sessions,
    others,
    control,
    agents,
    durableSubscriptions: subscriptions,
  });
  const inspection = new Inspection({
    ...{ batches, sessions, controlSessions, registry, owners, workers, directory, leaving },
    counters: readCounters,
  });
  return {
    ...{ options, others, gates, expected, flushes, joins, registrations, owners, placement, calls, events, control },
    ...{ counters, directory, workers, leaving, messages, across, access, observers: seldom, quotas },
    noteRefusedHandshake: logger === undefined ? () => undefined : handshakeLog(logger, clock),
    ...{ accountant, batches, rateLimited, admission, clientIds, registry, sessions, lifecycle, readCounters },
    shared,
    held,
    courier,
    mailShards,
    durable,
    drains,
    legacyState: new LegacyState(held, logger, { isUsed: options.keepsStates }),
    inspection,
    operations: new HostOperations({
      agents,
      held,
      log,
      accountant,
      clock,
      inspection,
      drains,
      forgottenLetters: () => courier?.counters.forgottenLetters ?? 0,
      durableSubscriptions: subscriptions,
      isServed: (agentType) =>
        registry.isServed(agentType) ||
        others.now.workerIdOf(agentType) !== undefined ||
        across.now?.isServed(agentType) === true,
      observe,
      payloads: new MessagePayloads(observers, clock),
      rules: options.rules,
      oldestCallMs: () => calls.oldestMs(),
      queues: () => ({ sessions: sessions.values(), commits: states.commits, mailMs: courier?.oldestMailMs() ?? 0 }),
      publishing: new EventPublishing({
        ...{ events, durable, access, quotas, accountant, makeId },
      }),
      outsideCalls: new OutsideCalls({ calls, access, quotas, accountant, makeId }),
      messageTypes,
      messages: new MessageOperations({
        ...{ batches, clock, calls: () => calls.pending(), subscriptions: () => registry.held() },
      }),
    }),
  };
}

const noMail = { mailDelivered: 0, deadLetters: 0, forgottenLetters: 0, remindersFired: 0, remindersFailed: 0 };

export type HostComposition = ReturnType<typeof composeHost>;
