import {
  type Agent,
  type AgentCatalog,
  type AgentFactory,
  type AgentId,
  assertAgentType,
  assertNotAborted,
  assertWord,
  followAbort,
  loggableText,
  type RegisterAgentInstanceOptions,
  type RegisterFactoryOptions,
  type Subscription,
  SubscriptionTable,
  TroupeError,
  TypePrefixSubscription,
  TypeSubscription,
  UndeliverableException,
  unfollowAbort,
  untilAborted,
  type WaitOptions,
} from "../../core/internal.ts";
import type { WirePattern, WireSubscription } from "../../protocol/internal.ts";
import { backOffMs } from "../connection/connect-with-retry.ts";
import { sleepMs } from "../connection/time-limits.ts";
import type { WorkerSettings } from "../worker-options.ts";
import type { HostRegistry } from "./host-registry.ts";
import { TypeTakenError } from "./refusal.ts";

export interface RegistrationOptions {
  readonly catalog: AgentCatalog;
  readonly subscriptions: SubscriptionTable;
  readonly settings: Pick<WorkerSettings, "clock" | "random" | "logger">;
  /** Resolves to the host's registry; to undefined before the start, when things are only recorded. Rejects when there is none. */
  readonly host: () => Promise<HostRegistry | undefined>;
  /** Returns a signal that aborts when the present run of the worker stops. */
  readonly run: () => AbortSignal;
}

/** Delays between two attempts to register a type that another worker serves, in milliseconds. */
const takenBackOff = { initialDelayMs: 100, maxDelayMs: 1_000, factor: 2, jitter: 0.5 };

/**
 * Registers agents and subscriptions here and at the host. The catalog's types and the table's subscriptions are the record,
 * which is replayed to each new host. A registration is made here first, then at the host; what the host refuses is undone here.
 */
// protocol.md W16, W17
export class Registration {
  readonly #catalog: AgentCatalog;
  readonly #subscriptions: SubscriptionTable;
  readonly #settings: RegistrationOptions["settings"];
  readonly #host: () => Promise<HostRegistry | undefined>;
  readonly #run: () => AbortSignal;
  /** Registrations at the host for types of instances: all instances of a type share the outcome. */
  readonly #told = new Map<string, Promise<void>>();
  /** Types that were registered before the start, and that wait there until another worker leaves them. */
  readonly #patient = new Map<string, Patient>();

  constructor({ catalog, subscriptions, settings, host, run }: RegistrationOptions) {
    this.#catalog = catalog;
    this.#subscriptions = subscriptions;
    this.#settings = settings;
    this.#host = host;
    this.#run = run;
  }

  /** Whether there is nothing to tell a host. */
  get isEmpty(): boolean {
    return this.#catalog.types().length === 0 && this.#subscriptions.subscriptions().length === 0;
  }

  /** When the host refuses the type or a subscription, or the signal aborts, all is taken back. */
  async addFactory<T extends Agent>(type: string, factory: AgentFactory<T>, options: RegisterFactoryOptions<T> = {}) {
    assertAgentType(type);
    assertWord("whenTaken", options.whenTaken, ["fail", "wait"]);
    const what = `The registration of agent type ${type}`;
    assertNotAborted(options, what);
    for (let attempt = 1; ; attempt += 1) {
      const taken = await this.#tryFactory(type, factory, { ...options, isWaiting: attempt > 1 });
      if (taken === undefined) return;
      assertNotAborted(options, what);
      if (options.whenTaken !== "wait") throw taken;
      await this.#waitWhileTaken(type, taken, { attempt, signal: options.signal, run: this.#run() });
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
    this.#assertAddable(subscriptions);
    const host = await untilAborted(this.#host(), options, what);
    if (host === undefined && options.isWaiting) throw stoppedWaiting(type);
    this.#catalog.addFactory(type, factory, options);
    try {
      await host?.registerType(type, signal);
      await this.#addAll(subscriptions, { existing: "refuse", signal });
    } catch (error) {
      this.#catalog.removeFactory(type);
      if (error instanceof TypeTakenError) return error;
      assertNotAborted(options, what);
      throw error;
    }
    if (host === undefined && options.whenTaken === "wait") this.#becomePatient(type, options);
    return undefined;
  }

  /** Notes that the start waits for the type. An abort before the host has the type takes the registration back. */
  #becomePatient(type: string, { signal, subscriptions = [] }: RegisterFactoryOptions<Agent>): void {
    const onAbort = () => {
      this.#patient.delete(type);
      this.#catalog.removeFactory(type);
      for (const { id } of subscriptions) if (this.#subscriptions.has(id)) this.#subscriptions.remove(id);
      this.#settings.logger.warn(
        `The signal of the registration of agent type ${type} has aborted. The type is removed.`,
      );
    };
    followAbort(signal, onAbort);
    this.#patient.set(type, { signal, settle: () => unfollowAbort(signal, onAbort) });
  }

  /** Says once what it waits for. Rejects when the signal aborts, and when the run ends: the wait does not reach into the next. */
  async #waitWhileTaken(type: string, { refusal }: TypeTakenError, { attempt, signal, run }: TakenWait): Promise<void> {
    const { clock, random, logger } = this.#settings;
    if (attempt === 1) {
      logger.info(`${loggableText(refusal)} This worker waits until agent type ${type} is free (whenTaken).`);
    }
    const sleep = new AbortController();
    const onStop = () => sleep.abort(stoppedWaiting(type));
    followAbort(run, onStop);
    if (run?.aborted === true) onStop();
    const slept = sleepMs(backOffMs(attempt - 1, takenBackOff, random), clock, sleep.signal);
    try {
      await untilAborted(slept, { signal }, `Waiting for agent type ${type}`);
    } finally {
      slept.catch(() => undefined);
      unfollowAbort(run, onStop);
      sleep.abort();
    }
  }

  /** Registers the type at the host with its first instance. Further instances wait for what the host says to the first. */
  async addInstance(agent: Agent, id: AgentId, options: RegisterAgentInstanceOptions = {}): Promise<void> {
    const catalog = this.#catalog;
    const what = `The registration of ${id}`;
    assertNotAborted(options, what);
    this.#assertAddable(options.subscriptions, "keep");
    const host = await untilAborted(this.#host(), options, what);
    // A stop has taken the type off the catalog: it is registered anew.
    if (!catalog.hasType(id.type)) this.#told.delete(id.type);
    const added = catalog.addInstance(agent, id);
    try {
      await untilAborted(added, options, what);
    } catch (error) {
      // It may still be on its way to be bound.
      void added.then(
        () => catalog.removeInstance(id),
        () => undefined,
      );
      throw error;
    }
    const told = this.#told.get(id.type) ?? host?.registerType(id.type) ?? Promise.resolve();
    this.#told.set(id.type, told);
    try {
      await untilAborted(told, options, what);
    } catch (error) {
      catalog.removeInstance(id);
      if (this.#told.get(id.type) === told && !catalog.hasType(id.type)) this.#told.delete(id.type);
      throw error;
    }
    try {
      await this.#addAll(options.subscriptions, { existing: "keep", signal: options.signal });
    } catch (error) {
      catalog.removeInstance(id);
      assertNotAborted(options, what);
      throw error;
    }
  }

  /** Throws what this worker refuses by itself. A host can't forget a type, so the worker finds it before it tells the host. */
  #assertAddable(subscriptions: readonly Subscription[] = [], existing: AddAllOptions["existing"] = "refuse"): void {
    const added = new SubscriptionTable();
    for (const subscription of subscriptions) {
      const isKnown = this.#subscriptions.hasEqual(subscription);
      if (isKnown && existing === "refuse") throw new TroupeError("already-exists", "Subscription already exists");
      toWireSubscription(subscription);
      if (!isKnown && (existing === "refuse" || !added.hasEqual(subscription))) added.add(subscription);
    }
  }

  /** Adds all of them or none. One that is there already is an error, or kept as it is. */
  async #addAll(subscriptions: readonly Subscription[] = [], { existing, signal }: AddAllOptions): Promise<void> {
    const added: string[] = [];
    try {
      for (const subscription of subscriptions) {
        if (existing === "keep" && this.#subscriptions.hasEqual(subscription)) continue;
        await this.addSubscription(subscription, { signal });
        added.push(subscription.id);
      }
    } catch (error) {
      await Promise.allSettled(added.map((id) => this.removeSubscription(id)));
      throw error;
    }
  }

  /** A subscription that the host has added although the signal aborted stays there until the connection ends. */
  async addSubscription(subscription: Subscription, options: WaitOptions = {}): Promise<void> {
    const what = "Adding the subscription";
    assertNotAborted(options, what);
    const wire = toWireSubscription(subscription);
    const host = await untilAborted(this.#host(), options, what);
    this.#subscriptions.add(subscription);
    try {
      await host?.addSubscription(wire, options.signal);
    } catch (error) {
      this.#subscriptions.remove(subscription.id);
      assertNotAborted(options, what);
      throw error;
    }
  }

  async removeSubscription(id: string, options: WaitOptions = {}): Promise<void> {
    const what = "Removing the subscription";
    assertNotAborted(options, what);
    const subscriptions = this.#subscriptions;
    const subscription = subscriptions.withId(id);
    if (subscription === undefined) throw new TroupeError("not-found", "Subscription does not exist");
    const host = await untilAborted(this.#host(), options, what);
    try {
      await host?.removeSubscription(toWireSubscription(subscription), options.signal);
    } catch (error) {
      assertNotAborted(options, what);
      throw error;
    }
    if (subscriptions.has(id)) subscriptions.remove(id);
  }

  /** Announces everything to a host that knows nothing of it yet: types, then subscriptions. Rejects with the first refusal. */
  async replay(host: HostRegistry, signal: AbortSignal): Promise<void> {
    await all(this.#catalog.types().map((type) => this.#announce(type, host, signal)));
    await all(this.#subscriptions.subscriptions().map((known) => host.addSubscription(toWireSubscription(known))));
  }

  async #announce(type: string, host: HostRegistry, signal: AbortSignal): Promise<void> {
    const own = this.#patient.get(type);
    for (let attempt = 1; ; attempt += 1) {
      try {
        await host.registerType(type);
        assertNotAborted({ signal: own?.signal }, `The registration of agent type ${type}`);
        own?.settle();
        this.#patient.delete(type);
        return;
      } catch (error) {
        if (own === undefined || !(error instanceof TypeTakenError)) throw error;
        const either = own.signal === undefined ? signal : AbortSignal.any([signal, own.signal]);
        await this.#waitWhileTaken(type, error, { attempt, signal: either });
      }
    }
  }
}

interface Patient extends WaitOptions {
  /** Ends the wait for the signal. */
  readonly settle: () => void;
}

interface TakenWait extends WaitOptions {
  /** From 1. */
  readonly attempt: number;
  /** Aborts when the run stops. Undefined: `signal` does that too. */
  readonly run?: AbortSignal;
}

interface AddAllOptions extends WaitOptions {
  readonly existing: "refuse" | "keep";
}

function stoppedWaiting(type: string): Error {
  const text = `The worker has stopped while it waited for agent type ${type}.`;
  return new UndeliverableException(text, { code: "shutting-down" });
}

/** Waits for all of them, so that none is under way after a failed start. */
async function all(calls: readonly Promise<void>[]): Promise<void> {
  for (const end of await Promise.allSettled(calls)) if (end.status === "rejected") throw end.reason;
}

/** Encodes a subscription. Throws `invalid-argument` for a kind that the protocol does not have. */
function toWireSubscription(subscription: Subscription): WireSubscription {
  return { id: subscription.id, pattern: toPattern(subscription) };
}

function toPattern(subscription: Subscription): WirePattern {
  if (subscription instanceof TypeSubscription) {
    return { kind: "type", topicType: subscription.topicType, agentType: subscription.agentType };
  }
  if (subscription instanceof TypePrefixSubscription) {
    return { kind: "prefix", topicTypePrefix: subscription.topicTypePrefix, agentType: subscription.agentType };
  }
  throw new TroupeError(
    "invalid-argument",
    "Only TypeSubscription and TypePrefixSubscription can be told to a host; this subscription is of another kind.",
  );
}
