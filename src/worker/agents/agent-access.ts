import type { AgentCatalog } from "../../core/internal.ts";
import {
  type Agent,
  type AgentId,
  type AgentMetadata,
  type AgentState,
  type ClassOf,
  NotAccessibleError,
  TroupeError,
} from "../../core/internal.ts";
import type { ControlChannel } from "../control/control-channel.ts";
import type { HostRegistry } from "../registry/host-registry.ts";
import { RemoteAgents } from "./remote-agents.ts";

/** The parts of a connection that reach agents on other workers. */
export interface HostAccess {
  readonly registry: HostRegistry;
  readonly control: ControlChannel;
  readonly isHostAnnounced: boolean;
}

/** Finds agents by their id: own agents in the catalog, agents on other workers over the control channel. */
// protocol.md W19
export class AgentAccess {
  readonly #catalog: AgentCatalog;
  /** Returns undefined when there is no connection now. */
  readonly #services: () => HostAccess | undefined;

  constructor(catalog: AgentCatalog, services: () => HostAccess | undefined) {
    this.#catalog = catalog;
    this.#services = services;
  }

  async ensureMade(id: AgentId): Promise<void> {
    if (!this.#catalog.hasType(id.type)) throw await this.#notHere(id);
    await this.#catalog.agentFor(id);
  }

  async instance<T extends Agent>(id: AgentId, agentClass: ClassOf<T> | undefined): Promise<T> {
    if (!this.#catalog.hasType(id.type)) throw await this.#notHere(id);
    return this.#catalog.instance(id, agentClass);
  }

  async metadata(id: AgentId): Promise<AgentMetadata> {
    return this.#catalog.hasType(id.type) ? this.#catalog.metadata(id) : this.#remote(id).metadata(id);
  }

  async saveState(id: AgentId): Promise<AgentState> {
    return this.#catalog.hasType(id.type) ? this.#catalog.saveState(id) : this.#remote(id).saveState(id);
  }

  async loadState(id: AgentId, state: AgentState): Promise<void> {
    return this.#catalog.hasType(id.type) ? this.#catalog.loadState(id, state) : this.#remote(id).loadState(id, state);
  }

  #remote(id: AgentId): RemoteAgents {
    const services = this.#services();
    if (services !== undefined) return new RemoteAgents(services.control);
    throw new NotAccessibleError(`${id} does not live on this worker, and there is no host to reach others through.`);
  }

  /** Returns the error for an agent that lives on another worker or does not exist. */
  async #notHere(id: AgentId): Promise<Error> {
    return (await this.#isElsewhere(id))
      ? new NotAccessibleError(`${id} lives on another worker: send it messages, or save and load its state by its id.`)
      : new TroupeError("not-found", `Agent with name ${id.type} not found.`);
  }

  /**
   * Returns whether another worker serves the type. At a stock host it first reads the subscriptions, which name nearly every
   * type, and then asks the agent's worker. A Troupe host may hold very many subscriptions, and answers for workers without a
   * control channel; there it asks the worker first.
   */
  async #isElsewhere(id: AgentId): Promise<boolean> {
    const services = this.#services();
    if (services === undefined) return false;
    const remote = new RemoteAgents(services.control);
    if (services.isHostAnnounced) return (await remote.isServed(id)) || isListed(id, services);
    return (await isListed(id, services)) || remote.isServed(id);
  }
}

async function isListed(id: AgentId, { registry }: HostAccess): Promise<boolean> {
  const listed = await registry.subscriptions().catch(() => undefined);
  return listed?.some(({ pattern }) => pattern?.agentType === id.type) === true;
}
