// One file, since a registration, its undoing and the replay must agree on what a host has confirmed.
import {
  type Agent,
  type AgentCatalog,
  type AgentFactory,
  type AgentId,
  assertAgentType,
  assertNotAborted,
  assertNotReserved,
  noSubscription,
  type RegisterAgentInstanceOptions,
  type RegisterFactoryOptions,
  type Subscription,
  SubscriptionTable,
  subscriptionExists,
  untilAborted,
  type WaitOptions,
} from "../../core/internal.ts";
import type { WorkerSettings } from "../worker-options.ts";
import { type HostRegistry, stoppedError, stoppedWaiting, type UsedRegistry } from "./host-registry.ts";
import { settleAll } from "./paced-registry.ts";
import { PatientTypes } from "./patient-types.ts";
import { TypeTakenError } from "./refusal.ts";
import { waitWhileTaken } from "./taken-wait.ts";
import { toWireSubscription } from "./wire-subscription.ts";

export interface RegistrationOptions {
  readonly catalog: AgentCatalog;
  readonly subscriptions: SubscriptionTable;
  readonly settings: Pick<WorkerSettings, "clock" | "random" | "logger">;
  /** Resolves to the host's registry; to undefined before the start, when things are only recorded. Rejects when there is none. */
  readonly host: () => Promise<UsedRegistry | undefined>;
  /** Returns a signal that aborts when the present run of the worker stops. */
  readonly run: () => AbortSignal;
}

/**
 * Registers agents and subscriptions here and at the host. The catalog's types and the table's subscriptions are the record,
 * which is replayed to each new host. A registration is made here first, then at the host; what the host refuses is undone here.
 * A replay leaves out what the host of a registration under way has not confirmed: that registration fails with its host.
 */
// protocol.md W16, W17
export class Registration {
  readonly #catalog: AgentCatalog;
  readonly #subscriptions: SubscriptionTable;
  readonly #settings: RegistrationOptions["settings"];
  readonly #host: () => Promise<UsedRegistry | undefined>;
  readonly #run: () => AbortSignal;
  /** Registrations at the host for types of instances: all instances of a type share the outcome. */
  readonly #told = new Map<string, Told>();
  /** Types, and ids of subscriptions, that a host has not confirmed yet. */
  readonly #unconfirmed = { types: new Set<string>(), subscriptions: new Set<string>() };
  readonly #patient: PatientTypes;

  constructor({ catalog, subscriptions, settings, host, run }: RegistrationOptions) {
    this.#catalog = catalog;
    this.#subscriptions = subscriptions;
    this.#settings = settings;
    this.#host = host;
    this.#run = run;
    this.#patient = new PatientTypes(settings, (type, added) => this.#takeBackType(type, added));
  }

  /** Whether there is nothing to tell a host. */
  get isEmpty(): boolean {
    return this.#confirmedTypes().length === 0 && this.#confirmedSubscriptions().length === 0;
  }

  /** Whether no host has been told anything, or is being told now. */
  get isUntold(): boolean {
    const { types, subscriptions } = this.#unconfirmed;
    return this.isEmpty && types.size === 0 && subscriptions.size === 0;
  }

  /** When the host refuses the type or a subscription, or the signal aborts, all is taken back. */
  async addFactory<T extends Agent>(type: string, factory: AgentFactory<T>, options: RegisterFactoryOptions<T> = {}) {
    assertAgentType(type);
    assertNotReserved("agent type", type);
    const what = `The registration of agent type ${type}`;
    assertNotAborted(options, what);
    for (let attempt = 1; ; attempt += 1) {
      const taken = await this.#tryFactory(type, factory, { ...options, isWaiting: attempt > 1 });
      if (taken === undefined) return;
      assertNotAborted(options, what);
      if (options.whenTaken !== "wait") throw taken;
      await waitWhileTaken(type, taken, { ...this.#settings, attempt, signal: options.signal, run: this.#run() });
    }
  }

  /** Returns the refusal when another worker serves the type. Then, and when it rejects, nothing is left behind. */
  async #tryFactory<T extends Agent>(
    type: string,
    factory: AgentFactory<T>,
    options: RegisterFactoryOptions<T> & { readonly isWaiting: boolean },
  ): Promise<TypeTakenError | undefined> {
    const what = `The registration of agent type ${type}`;
    const { signal, subscriptions } = options;
    // The type comes first: the subscriptions of one that is registered twice exist, too.
    this.#catalog.assertFree(type);
    this.#assertAddable(subscriptions);
    return this.#atHost(options, what, async (host) => {
      if (host === undefined && options.isWaiting) throw stoppedWaiting(type);
      this.#catalog.addFactory(type, factory, options);
      if (host !== undefined) this.#unconfirmed.types.add(type);
      try {
        await host?.registry.registerType(type, signal);
        await this.#addAll(subscriptions, { existing: "refuse", signal, host, type });
      } catch (error) {
        this.#catalog.removeFactory(type);
        this.#unconfirmed.types.delete(type);
        if (error instanceof TypeTakenError) return error;
        assertNotAborted(options, what);
        throw error;
      }
      if (host === undefined && options.whenTaken === "wait") this.#patient.add(type, options);
      return undefined;
    });
  }

  /** Registers the type at the host with its first instance. Further instances wait for what the host says to the first. */
  async addInstance(agent: Agent, id: AgentId, options: RegisterAgentInstanceOptions = {}): Promise<void> {
    const catalog = this.#catalog;
    const what = `The registration of ${id}`;
    assertNotAborted(options, what);
    this.#assertAddable(options.subscriptions, "keep");
    await this.#atHost(options, what, async (host) => {
      // A stop has taken the type off the catalog: it is registered anew.
      if (!catalog.hasType(id.type)) {
        this.#told.delete(id.type);
        if (host !== undefined) this.#unconfirmed.types.add(id.type);
      }
      const added = catalog.addInstance(agent, id, options);
      try {
        await untilAborted(added, options, what);
      } catch (error) {
        // It may still be on its way to be bound.
        void added.then(
          () => this.#takeBack(id, agent),
          () => this.#forgetIfGone(id.type),
        );
        throw error;
      }
      try {
        await untilAborted(this.#tell(id.type, host), options, what);
        const { subscriptions, signal } = options;
        await this.#addAll(subscriptions, { existing: "keep", signal, host, type: id.type });
      } catch (error) {
        this.#takeBack(id, agent);
        assertNotAborted(options, what);
        throw error;
      }
    });
  }

  /** Registers a type of instances, unless the host knows it or is being told. */
  #tell(type: string, host: UsedRegistry | undefined): Promise<void> {
    const registry = host?.registry;
    const told = this.#told.get(type);
    if (told !== undefined && (told.registry === registry || !this.#unconfirmed.types.has(type))) return told.outcome;
    const outcome = registry?.registerType(type) ?? Promise.resolve();
    this.#told.set(type, { registry, outcome });
    return outcome;
  }

  /** Removes a type that no host has, and what was registered with it. */
  #takeBackType(type: string, subscriptions: readonly Subscription[]): void {
    this.#catalog.removeFactory(type);
    for (const { id } of subscriptions) if (this.#subscriptions.has(id)) this.#subscriptions.remove(id);
  }

  /** Removes an instance that could not be registered. */
  #takeBack(id: AgentId, agent: Agent): void {
    this.#catalog.removeInstance(id, agent);
    this.#forgetIfGone(id.type);
  }

  #forgetIfGone(type: string): void {
    if (this.#catalog.hasType(type)) return;
    this.#told.delete(type);
    this.#unconfirmed.types.delete(type);
  }

  /**
   * Calls `body` with the registry of the host. The worker does not leave that connection meanwhile, so that an orderly end of a
   * link (GOAWAY) does not end the registration.
   */
  async #atHost<T>(
    options: WaitOptions,
    what: string,
    body: (host: UsedRegistry | undefined) => Promise<T>,
  ): Promise<T> {
    const used = this.#host();
    let host: UsedRegistry | undefined;
    try {
      host = await untilAborted(used, options, what);
    } catch (error) {
      used.then((late) => late?.release()).catch(() => undefined);
      throw error;
    }
    try {
      return await body(host);
    } catch (error) {
      throw host?.hasStopped() === true ? stoppedError(what, error) : error;
    } finally {
      host?.release();
    }
  }

  /** Adds all of them or none, and confirms them with their type. One that is there already is an error, or kept as it is. */
  async #addAll(
    subscriptions: readonly Subscription[] = [],
    { existing, signal, host, type }: AddAllOptions,
  ): Promise<void> {
    const added: Subscription[] = [];
    try {
      for (const subscription of subscriptions) {
        if (existing === "keep" && this.#subscriptions.hasEqual(subscription)) continue;
        await this.#addAt(host, subscription, { signal });
        added.push(subscription);
      }
      // Nothing may come between this check and the confirmation.
      host?.assertOpen();
      this.#unconfirmed.types.delete(type);
      for (const { id } of added) this.#unconfirmed.subscriptions.delete(id);
    } catch (error) {
      // A durable one that the host has kept since an earlier run stays there.
      const removed = added.map((one) => ({ ...toWireSubscription(one), isDurable: false }));
      await Promise.allSettled(removed.map((one) => host?.registry.removeSubscription(one)));
      for (const { id } of added) this.#forget(id);
      throw error;
    }
  }

  /** Throws what this worker refuses by itself. A host can't forget a type, so the worker finds it before it tells the host. */
  #assertAddable(subscriptions: readonly Subscription[] = [], existing: AddAllOptions["existing"] = "refuse"): void {
    const added = new SubscriptionTable();
    for (const subscription of subscriptions) {
      const isKnown = this.#subscriptions.hasEqual(subscription);
      if (isKnown && existing === "refuse") throw subscriptionExists(subscription);
      toWireSubscription(subscription);
      if (!isKnown && (existing === "refuse" || !added.hasEqual(subscription))) added.add(subscription);
    }
  }

  /** Adds a subscription here and at the host. It stays unconfirmed. When this rejects, nothing is left behind here. */
  async #addAt(host: UsedRegistry | undefined, subscription: Subscription, { signal }: WaitOptions): Promise<void> {
    const what = "Adding the subscription";
    const wire = toWireSubscription(subscription);
    host?.assertOpen();
    this.#subscriptions.add(subscription);
    if (host === undefined) return;
    this.#unconfirmed.subscriptions.add(subscription.id);
    try {
      await host.registry.addSubscription(wire, signal);
    } catch (error) {
      this.#forget(subscription.id);
      assertNotAborted({ signal }, what);
      throw error;
    }
  }

  #forget(subscriptionId: string): void {
    this.#unconfirmed.subscriptions.delete(subscriptionId);
    if (this.#subscriptions.has(subscriptionId)) this.#subscriptions.remove(subscriptionId);
  }

  /** A subscription that the host has added although the signal aborted stays there until the connection ends. */
  async addSubscription(subscription: Subscription, options: WaitOptions = {}): Promise<void> {
    const what = "Adding the subscription";
    assertNotAborted(options, what);
    toWireSubscription(subscription);
    await this.#atHost(options, what, async (host) => {
      await this.#addAt(host, subscription, options);
      try {
        host?.assertOpen();
        this.#unconfirmed.subscriptions.delete(subscription.id);
      } catch (error) {
        this.#forget(subscription.id);
        throw error;
      }
    });
  }

  async removeSubscription(id: string, options: WaitOptions = {}): Promise<void> {
    const what = "Removing the subscription";
    assertNotAborted(options, what);
    const subscriptions = this.#subscriptions;
    const subscription = subscriptions.withId(id);
    if (subscription === undefined) throw noSubscription(id);
    await this.#atHost(options, what, async (host) => {
      try {
        await host?.registry.removeSubscription(toWireSubscription(subscription), options.signal);
        host?.assertOpen();
      } catch (error) {
        assertNotAborted(options, what);
        throw error;
      }
      if (subscriptions.has(id)) subscriptions.remove(id);
    });
  }

  /**
   * Announces everything to a host that knows nothing of it yet: types, then subscriptions. Leaves out what no host has
   * confirmed since the start. Rejects with the first refusal, when no call is under way any more. `onFailure` learns at once of each
   * failure, so that it can end the calls that wait for their turn.
   */
  async replay(host: HostRegistry, signal: AbortSignal, onFailure: (error: unknown) => void): Promise<void> {
    const subscriptions = this.#confirmedSubscriptions();
    const types = this.#confirmedTypes().map((type) => this.#patient.announce(type, host, signal));
    await settleAll(types, onFailure);
    signal.throwIfAborted();
    const added = subscriptions.map((known) => host.addSubscription(toWireSubscription(known)));
    await settleAll(added, onFailure);
  }

  #confirmedTypes(): string[] {
    const { types } = this.#unconfirmed;
    return this.#catalog.types().filter((type) => !types.has(type));
  }

  #confirmedSubscriptions(): Subscription[] {
    const { subscriptions } = this.#unconfirmed;
    return this.#subscriptions.subscriptions().filter(({ id }) => !subscriptions.has(id));
  }
}

interface AddAllOptions extends WaitOptions {
  readonly existing: "refuse" | "keep";
  readonly host: UsedRegistry | undefined;
  /** The type that the subscriptions belong to. */
  readonly type: string;
}

/** The registration of a type of instances. */
interface Told {
  /** The registry that was told; undefined before the start. */
  readonly registry: HostRegistry | undefined;
  readonly outcome: Promise<void>;
}
