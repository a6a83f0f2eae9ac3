import {
  type Agent,
  type AgentCatalog,
  type AgentId,
  type AgentMetadata,
  type AgentState,
  agentNotFound,
  type ClassOf,
  type Clock,
  NotAccessibleError,
  TroupeError,
  type WaitOptions,
  waitFor,
} from "../../core/internal.ts";
import type { Claims } from "../claims/claims.ts";
import type { ControlChannel } from "../control/control-channel.ts";
import type { HostRegistry } from "../registry/host-registry.ts";
import { RemoteAgents } from "./remote-agents.ts";

/** The parts of a connection that reach agents on other workers. */
export interface HostAccess {
  readonly registry: HostRegistry;
  readonly control: ControlChannel;
  readonly isHostAnnounced: boolean;
}

export interface AgentAccessOptions {
  readonly catalog: AgentCatalog;
  readonly claims: Claims;
  /** Returns undefined when there is no connection now. */
  readonly services: () => HostAccess | undefined;
  readonly clock: Clock;
  /** Whether the present host places the agents of shared types, each with one worker. */
  readonly placesAgents: () => boolean;
}

/** A question to an agent, wherever it is. */
interface PlacedAsk<T> {
  readonly here: () => Promise<T>;
  readonly elsewhere: (agents: RemoteAgents) => Promise<T>;
  /** Whether it only reads the agent. Default: false. */
  readonly reads?: boolean;
}

/** Finds agents by their id: own agents in the catalog, agents on other workers over the control channel. */
// protocol.md W19
export class AgentAccess {
  readonly #options: AgentAccessOptions;
  readonly #catalog: AgentCatalog;

  constructor(options: AgentAccessOptions) {
    this.#options = options;
    this.#catalog = options.catalog;
  }

  ensureMade(id: AgentId, options: WaitOptions): Promise<unknown> {
    return waitFor(`Getting ${id}`, options, async () => {
      if (!this.#catalog.hasType(id.type)) throw await this.#notHere(id, options);
      return this.#at<unknown>(id, options, {
        here: () => this.#catalog.made(id),
        elsewhere: (agents) => agents.metadata(id),
      });
    });
  }

  instance<T extends Agent>(id: AgentId, agentClass: ClassOf<T> | undefined, options: WaitOptions): Promise<T> {
    return waitFor(`Getting ${id}`, options, async () => {
      if (!this.#catalog.hasType(id.type)) throw await this.#notHere(id, options);
      // Its host decides where it is.
      if (!this.#isHere(id)) await this.#remote(id, options).metadata(id);
      if (!this.#isHere(id)) throw elsewhere(id);
      return this.#catalog.instance(id, agentClass);
    });
  }

  metadata(id: AgentId, options: WaitOptions): Promise<AgentMetadata> {
    return waitFor(`Describing ${id}`, options, () =>
      this.#at(id, options, {
        here: () => this.#catalog.metadata(id),
        elsewhere: (agents) => agents.metadata(id),
        reads: true,
      }),
    );
  }

  saveState(id: AgentId, options: WaitOptions): Promise<AgentState> {
    return waitFor(`Saving the state of ${id}`, options, () =>
      this.#at(id, options, {
        here: () => this.#catalog.saveState(id),
        elsewhere: (agents) => agents.saveState(id),
        reads: true,
      }),
    );
  }

  loadState(id: AgentId, state: AgentState, options: WaitOptions): Promise<void> {
    return waitFor(`Loading the state of ${id}`, options, () =>
      this.#at(id, options, {
        here: () => this.#catalog.loadState(id, state),
        elsewhere: (agents) => agents.loadState(id, state),
      }),
    );
  }

  deactivate(id: AgentId, how: "deactivate" | "destroy", options: WaitOptions): Promise<void> {
    return waitFor(how === "destroy" ? `Destroying ${id}` : `Deactivating ${id}`, options, async () => {
      if (this.#isHere(id)) return this.#catalog.deactivate(id, how === "destroy" ? "destroyed" : "asked");
      const remote = this.#remote(id, options);
      // protocol.md §1.8: no other host passes these requests on.
      if (this.#options.services()?.isHostAnnounced === true) return remote.deactivate(id, how);
      throw new NotAccessibleError(
        `${id} does not live on this worker, and only a Troupe host can ask another worker to ${how} it. Ask the worker that serves ${id.type}.`,
      );
    });
  }

  // protocol.md §11.17
  /** Asks the agent here. If it leaves this worker meanwhile, asks at its next place: nothing has happened here. */
  async #at<T>(id: AgentId, options: WaitOptions, { here, elsewhere, reads = false }: PlacedAsk<T>): Promise<T> {
    // A turn of an agent that leaves may read the agent, which goes only after this turn.
    if (this.#isHere(id) || (reads && this.#options.claims.has(id) && this.#catalog.isLive(id))) {
      try {
        return await here();
      } catch (error) {
        const hasLeft = error instanceof TroupeError && error.code === "shutting-down" && !this.#isHere(id);
        if (!hasLeft || this.#options.services() === undefined) throw error;
      }
    }
    return elsewhere(this.#remote(id, options));
  }

  // protocol.md §11.14
  /** Whether this worker has the agent, or may make it. An agent of a shared type is where its host has placed it. */
  #isHere(id: AgentId): boolean {
    const { catalog, claims, placesAgents } = this.#options;
    if (!catalog.hasType(id.type)) return false;
    return catalog.sharingOf(id.type) === undefined || claims.isHeld(id) || !placesAgents();
  }

  #remote(id: AgentId, { signal }: WaitOptions): RemoteAgents {
    const services = this.#options.services();
    if (services !== undefined)
      return new RemoteAgents({ control: services.control, clock: this.#options.clock, signal });
    throw new NotAccessibleError(`${id} does not live on this worker, and there is no host to reach others through.`);
  }

  /** Returns the error for an agent that lives on another worker or does not exist. */
  async #notHere(id: AgentId, options: WaitOptions): Promise<Error> {
    return (await this.#isElsewhere(id, options)) ? elsewhere(id) : agentNotFound(id);
  }

  /**
   * Returns whether another worker serves the type. At a stock host it first reads the subscriptions, which name nearly every
   * type, and then asks the agent's worker. A Troupe host may hold very many subscriptions, and answers for workers without a
   * control channel; there it asks the worker first.
   */
  async #isElsewhere(id: AgentId, { signal }: WaitOptions): Promise<boolean> {
    const services = this.#options.services();
    if (services === undefined) return false;
    const remote = new RemoteAgents({ control: services.control, clock: this.#options.clock, signal });
    if (services.isHostAnnounced) return (await remote.isServed(id)) || isListed(id, services, signal);
    return (await isListed(id, services, signal)) || remote.isServed(id);
  }
}

async function isListed(id: AgentId, { registry }: HostAccess, signal: AbortSignal | undefined): Promise<boolean> {
  const listed = await registry.subscriptions(signal).catch(() => undefined);
  return listed?.some(({ pattern }) => pattern?.agentType === id.type) === true;
}

function elsewhere(id: AgentId): NotAccessibleError {
  return new NotAccessibleError(
    `${id} lives on another worker: send it messages, or save and load its state by its id.`,
  );
}
