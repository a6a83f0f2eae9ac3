import {
  anyTime,
  assertOptions,
  assertText,
  errorText,
  number,
  optionShape,
  signal,
  TroupeError,
} from "../core/internal.ts";
import {
  durableKey,
  type GetStateAnswer,
  isAnnounced,
  method,
  type SaveStateAnswer,
  type StoredState,
  type WireAgentId,
  type WireSubscription,
} from "../protocol/internal.ts";
import {
  type AddressBounds,
  type CallContext,
  type Exposure,
  type LinkService,
  type MemoryAccountant,
  partyOfCall,
  type RefusedHandshake,
  RpcError,
  type ServerStreamReceiver,
  StatusCode,
} from "../transport/internal.ts";
import type { AccessCaller } from "./access/access-check.ts";
import { composeHost, type HostComposition } from "./compose.ts";
import type { HostCounters } from "./counters.ts";
import { whyNotProtected } from "./exposure.ts";
import type { HostOperations } from "./host-operations.ts";
import { limits } from "./limits.ts";
import { createLinkService, createSideStreamService, createStateService } from "./link-service.ts";
import { type HostSnapshot, type InspectOptions, reportOf, type SessionReport } from "./operations/inspection.ts";
import type { HostOptions } from "./options.ts";
import type { DrainOutcome, DrainWorkerOptions } from "./placement/worker-drains.ts";
import { type Registering, readTerms, requestOf } from "./registrations.ts";
import { HealthService } from "./services/health-service.ts";
import { ReflectionServices } from "./services/reflection-service.ts";
import { type Admitted, clientIdOf, PendingAdmission, requireClientId } from "./sessions/admission.ts";

/** Returns the operations for the operator of a host. A function, because a method would be public. */
export let operationsOf: (servicer: HostServicer) => HostOperations;
/** Throws `invalid-argument` for a host whose address is open to other machines and not protected. */
export let assertProtected: (servicer: HostServicer, exposure: Exposure, address: string) => void;
/** Returns the parts of a host that joins others. */
export let partsOf: (servicer: HostServicer) => HostComposition;
/** Health checks say from now on that a host takes no new workers. */
export let notReady: (servicer: HostServicer) => void;
/** Health checks say from now on whether a host of a cluster serves. */
export let setServing: (servicer: HostServicer, isServing: boolean) => void;

const drainShape = optionShape<DrainWorkerOptions>({ graceMs: number(anyTime), signal });

// protocol.md §1
/**
 * Serves the eight calls of `agents.AgentRpc` in all three generations, and carries messages between the workers that make them.
 * It knows no network: a listener serves `asLinkService()`. Methods throw `RpcError` to refuse a call.
 */
export class HostServicer {
  readonly #parts: HostComposition;
  readonly #health: HealthService;
  readonly #reflection: ReflectionServices | undefined;

  static {
    operationsOf = (servicer) => servicer.#parts.operations;
    partsOf = (servicer) => servicer.#parts;
    notReady = (servicer) => servicer.#health.drain();
    setServing = (servicer, isServing) => servicer.#health.setServing(isServing);
    assertProtected = (servicer, exposure, address) => {
      const why = whyNotProtected(exposure, servicer.#parts.options);
      if (why !== undefined) throw new TroupeError("invalid-argument", `${address} ${why}`);
    };
  }

  /** Throws `invalid-argument` for invalid options. */
  constructor(options: HostOptions = {}) {
    this.#parts = composeHost(options);
    const { shared } = this.#parts;
    this.#health = new HealthService(shared("healthWatches", limits.healthWatches));
    this.#parts.held.onLost = (isLost) => this.#health.setStored(!isLost);
    const streams = shared("reflectionStreams", limits.reflectionStreams);
    this.#reflection = options.reflection ? new ReflectionServices(streams) : undefined;
  }

  /** Opens a worker's data channel. Without `client-id` the worker is of generation 1, and the host makes an id for it. */
  openChannel(call: CallContext): ServerStreamReceiver {
    return this.#parts.lifecycle.openData(call);
  }

  /** Opens a worker's control channel. */
  openControlChannel(call: CallContext): ServerStreamReceiver {
    return this.#parts.lifecycle.openControl(call);
  }

  /** Opens a side stream: notices to a Troupe worker take it past what waits on the worker's data channel. */
  openSideStream(call: CallContext): ServerStreamReceiver {
    return this.#parts.lifecycle.beside.openSide(call);
  }

  /** Opens a stream of states: a Troupe worker keeps the states of its agents by it. */
  openStateStream(call: CallContext): ServerStreamReceiver {
    return this.#parts.lifecycle.beside.openStates(call);
  }

  async registerAgent({ agentType }: { readonly agentType: string }, call: CallContext): Promise<void> {
    requireClientId(call);
    const terms = readTerms(call.metadata);
    const admitted = this.#admitClient(call);
    const from = admitted instanceof Promise ? await admitted : admitted;
    const { registrations, access } = this.#parts;
    access?.assertMay(callerOf(from, call), { action: "register", resource: agentType });
    const elsewhere = registrations.forward(method.registerAgent, requestOf.registerType(agentType), from, call);
    return elsewhere ?? registrations.registerType(agentType, from, terms);
  }

  async addSubscription(subscription: WireSubscription, call: CallContext): Promise<void> {
    const admitted = this.#admitClient(call);
    const from = admitted instanceof Promise ? await admitted : admitted;
    const { registrations, access } = this.#parts;
    access?.assertMaySubscribe(callerOf(from, call), subscription.pattern);
    const elsewhere = registrations.forward(method.addSubscription, requestOf.subscribe(subscription), from, call);
    return elsewhere ?? registrations.subscribe(subscription, from, call.metadata[durableKey] === "1");
  }

  async removeSubscription({ id }: { readonly id: string }, call: CallContext): Promise<void> {
    const admitted = this.#admitClient(call);
    const from = admitted instanceof Promise ? await admitted : admitted;
    const { registrations } = this.#parts;
    const elsewhere = registrations.forward(method.removeSubscription, requestOf.unsubscribe(id), from, call);
    return elsewhere ?? registrations.unsubscribe(id, from, { call, isDurable: call.metadata[durableKey] === "1" });
  }

  /**
   * Returns all clients' subscriptions, in the order in which they came, under the ids that their clients gave. With principals it returns
   * those of the caller's own.
   */
  async getSubscriptions(call: CallContext): Promise<readonly WireSubscription[]> {
    const admitted = this.#admitClient(call);
    const { principal } = admitted instanceof Promise ? await admitted : admitted;
    return this.#parts.registry.subscriptions(principal);
  }

  async getState(agentId: WireAgentId, call: CallContext): Promise<GetStateAnswer> {
    const admitted = this.#parts.admission.admit(call);
    const principal = this.#enter(call, admitted instanceof PendingAdmission ? await admitted.outcome : admitted);
    this.#checkState(call, agentId, { principal, action: "read-state", bytes: 0 });
    return this.#parts.legacyState.get(agentId);
  }

  async saveState(state: StoredState, call: CallContext): Promise<SaveStateAnswer> {
    const admitted = this.#parts.admission.admit(call);
    const principal = this.#enter(call, admitted instanceof PendingAdmission ? await admitted.outcome : admitted);
    if (state.agentId !== undefined)
      this.#checkState(call, state.agentId, { principal, action: "write-state", bytes: bytesOf(state.data) });
    return this.#parts.legacyState.save(state, clientIdOf(call));
  }

  /** Forgets the state that a worker has saved for an agent. Resolves to false if there was none. Rejects as the state store does. */
  deleteState(agentId: WireAgentId): Promise<boolean> {
    return this.#parts.legacyState.delete(agentId);
  }

  /** This servicer as a listener takes it: `agents.AgentRpc`. */
  asLinkService(): LinkService {
    return createLinkService(this, (call) => this.#listSubscriptions(call));
  }

  /** The service that only Troupe's workers call, for the same listener. Without it a worker with too much to do loses notices. */
  asSideStreamService(): LinkService {
    return createSideStreamService(this);
  }

  /** The service that Troupe's workers keep the states of their agents by, for the same listener. Without it they can't. */
  asStateService(): LinkService {
    return createStateService(this);
  }

  /** Opens the state store, once. Without this call the first use opens it. Rejects as the store does. */
  async openStateStore(): Promise<void> {
    await this.#parts.held.open();
  }

  /** Whether the state store was opened. */
  get hasStateStore(): boolean {
    return this.#parts.held.hasOpened;
  }

  /** Closes the state store when all is written, also one that was never opened. You may call it twice; it never rejects. */
  closeStateStore(): Promise<void> {
    this.#parts.courier?.stop();
    return this.#parts.held.close();
  }

  /**
   * gRPC's health service, for the same listener: SERVING until the host drains, then NOT_SERVING. `authorize` is not asked, since
   * the programs that check a host's health have no credentials.
   */
  asHealthService(): LinkService {
    return this.#health;
  }

  /** gRPC's server reflection, for the same listener; empty without the option `reflection`. `authorize` is not asked. */
  asReflectionServices(): readonly LinkService[] {
    return this.#reflection?.services ?? [];
  }

  /**
   * Counts the bytes that clients make this host keep. Hand it to a listener of your own, `listen(address, services, { accountant })`,
   * so that `maxMemoryBytes` bounds that listener too.
   */
  get accountant(): MemoryAccountant {
    return this.#parts.accountant;
  }

  /** The quotas of peer addresses: pass them to `listen` as `addresses`. Undefined: the host has no quotas. */
  get addressBounds(): AddressBounds | undefined {
    return this.#parts.quotas;
  }

  /** Notes that a listener has read its TLS files again: pass it to `listen` as `onTlsFilesRead`. `error`: they can't be used. */
  noteTlsFiles(error: unknown): void {
    const { logger } = this.#parts.options;
    if (error === undefined) logger?.info("new connections get the renewed certificate");
    else logger?.error("the renewed certificate cannot be served; the old one stays", { error: errorText(error) });
  }

  /** Notes a client whose TLS handshake a listener refused: pass it to `listen` as `onRefusedHandshake`. The host's log names the client. */
  noteRefusedHandshake(refused: RefusedHandshake): void {
    this.#parts.noteRefusedHandshake(refused);
  }

  /** Returns what the host has counted so far, and its present numbers; a copy. */
  counters(): HostCounters {
    return this.#parts.readCounters();
  }

  /**
   * Returns the numbers of each worker that has a data channel now, at once. It takes about 1 µs for each; `inspect()` tells more, and
   * never holds messages up.
   */
  sessions(): readonly SessionReport[] {
    return this.#parts.sessions.all().map(reportOf);
  }

  /**
   * Lets a worker stop as an operator wants it. The host gives it no new agents of shared types, and moves those that it has to other
   * workers. Resolves when it has said that it stops, and holds no agent of a shared type any more, or after `graceMs`. Rejects with the reason of `signal`, or `invalid-argument`.
   */
  async drainWorker(workerId: string, options: DrainWorkerOptions = {}): Promise<DrainOutcome> {
    assertText(workerId, "The id of a worker");
    assertOptions(options, drainShape, "drainWorker");
    return this.#parts.drains.drainWorker(workerId, options);
  }

  /**
   * Shows the present of the host: workers, agent types and totals. The host gathers it over several turns of the event loop, so that
   * messages go on meanwhile. Rejects only with the reason of `signal`.
   */
  inspect(options?: InspectOptions): Promise<HostSnapshot> {
    return this.#parts.inspection.inspect(options);
  }

  /**
   * Tells Troupe's workers that the host leaves in `graceMs`, refuses everything new, and answers every pending call with an
   * error. Then it ends all channels with UNAVAILABLE once their queues are empty, or when `over` resolves, and closes the state
   * store. You may call it twice; it never rejects.
   */
  async drain(graceMs: number, over: Promise<void>): Promise<void> {
    const { lifecycle, drains, batches, rateLimited, others } = this.#parts;
    this.#health.drain();
    drains.close();
    await lifecycle.drain(graceMs, over);
    if (others.now.areThere) await Promise.race([others.now.close(), over]);
    this.#health.close();
    this.#reflection?.close();
    batches.close();
    await Promise.race([this.closeStateStore(), over]);
    rateLimited?.flush();
  }

  /** As `getSubscriptions`, encoded, over several turns of the event loop; of all hosts of a cluster. */
  async #listSubscriptions(call: CallContext): Promise<Uint8Array> {
    const admitted = this.#admitClient(call);
    const from = admitted instanceof Promise ? await admitted : admitted;
    return this.#parts.registrations.list(from, call);
  }

  /** Lets in a call of a client that names itself: at once, unless its admission takes time. */
  #admitClient(call: CallContext): Registering | Promise<Registering> {
    const clientId = requireClientId(call);
    const enter = (admitted: Admitted): Registering => {
      const principal = this.#enter(call, admitted);
      return { clientId, principal, account: call.account, isAnnounced: isAnnounced(call.metadata) };
    };
    const admitted = this.#parts.admission.admit(call);
    return admitted instanceof PendingAdmission ? admitted.outcome.then(enter) : enter(admitted);
  }

  /**
   * Lets an admitted call in; returns its principal. Throws `RpcError` when the host has begun to stop while the call waited, or
   * when the client id of the call is another principal's.
   */
  #enter(call: CallContext, principal: Admitted): Admitted {
    this.#parts.admission.assertOpen();
    this.#parts.clientIds.check(call, principal);
    return principal;
  }

  // protocol.md §2.1, §2.4
  /**
   * Takes a message from the quota. Throws `RpcError` unless a worker of the principal serves the agent whose state is read or written, and the
   * rules allow that.
   */
  #checkState(call: CallContext, { type }: WireAgentId, { principal, action, bytes }: StateAccess): void {
    const { quotas } = this.#parts;
    quotas?.assertMaySend({ principal, party: partyOfCall(call), clientId: clientIdOf(call) }, bytes);
    const caller = callerOf({ clientId: clientIdOf(call) ?? "", principal }, call);
    this.#parts.access?.assertMay(caller, { action, resource: type });
    if (this.#parts.registry.isOwn(type, principal)) return;
    const text = "No worker of this principal serves the agent. Register its type before you read or write its state.";
    throw this.#parts.admission.deny(call, new RpcError(StatusCode.permissionDenied, text), principal);
  }
}

interface StateAccess {
  readonly principal: Admitted;
  readonly action: "read-state" | "write-state";
  readonly bytes: number;
}

/** Bytes of a state; of a text its characters. */
function bytesOf(data: StoredState["data"]): number {
  switch (data?.kind) {
    case "binary":
      return data.bytes.length;
    case "proto":
      return data.any.length;
    case "text":
      return data.text.length;
    case undefined:
      return 0;
  }
}

function callerOf(
  { clientId, principal }: Pick<Registering, "clientId" | "principal">,
  { peer }: CallContext,
): AccessCaller {
  return { clientId, principal, address: peer };
}
