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
import type { HostConnection } from "../connection/host-connection.ts";
import { RemoteAgents } from "./remote-agents.ts";

/** Agents by their id, wherever they live: here from the catalog, elsewhere over the control channel (W19). */
export class AgentAccess {
  readonly #catalog: AgentCatalog;
  /** Undefined when there is none at the moment. */
  readonly #connection: () => HostConnection | undefined;

  constructor(catalog: AgentCatalog, connection: () => HostConnection | undefined) {
    this.#catalog = catalog;
    this.#connection = connection;
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
    const connection = this.#connection();
    if (connection !== undefined) return new RemoteAgents(connection.control);
    throw new NotAccessibleError(`${id} does not live on this worker, and there is no host to reach others through.`);
  }

  /** An agent elsewhere, or none at all? */
  async #notHere(id: AgentId): Promise<Error> {
    return (await this.#isElsewhere(id))
      ? new NotAccessibleError(`${id} lives on another worker: send it messages, or save and load its state by its id.`)
      : new TroupeError("not-found", `Agent with name ${id.type} not found.`);
  }

  /**
   * The host's subscriptions name nearly every type there is; for the rest its worker is asked, where it can be. A host of
   * Troupe's may hold very many and answers for workers that can't be asked, so there it is the other way round.
   */
  async #isElsewhere(id: AgentId): Promise<boolean> {
    const connection = this.#connection();
    if (connection === undefined) return false;
    const remote = new RemoteAgents(connection.control);
    if (connection.outbox.isHostAnnounced) return (await remote.isServed(id)) || isListed(id, connection);
    return (await isListed(id, connection)) || remote.isServed(id);
  }
}

async function isListed(id: AgentId, { registry }: HostConnection): Promise<boolean> {
  const listed = await registry.subscriptions().catch(() => undefined);
  return listed?.some(({ pattern }) => pattern?.agentType === id.type) === true;
}
