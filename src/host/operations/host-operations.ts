import type { Clock, StateStore } from "../../core/internal.ts";
import type { MemoryAccount, MemoryAccountant } from "../../transport/internal.ts";
import type { HeldStore } from "../held-store.ts";
import type { AgentOperations } from "./agent-operations.ts";

export interface HostOperationsParts {
  readonly agents: AgentOperations;
  readonly held: HeldStore;
  readonly accountant: MemoryAccountant;
  readonly clock: Clock;
}

/** What the operator of a host may ask and have done, beside what is public. The admin entry is made of it. */
export class HostOperations {
  readonly agents: AgentOperations;
  readonly clock: Clock;
  readonly #held: HeldStore;
  readonly #accountant: MemoryAccountant;

  constructor({ agents, held, accountant, clock }: HostOperationsParts) {
    this.agents = agents;
    this.clock = clock;
    this.#held = held;
    this.#accountant = accountant;
  }

  /** The state store that the host holds, for reading. */
  get store(): StateStore {
    return this.#held.readable;
  }

  /** The store for writing: refused as `fenced` when another host has taken it over. */
  openStore(): Promise<StateStore> {
    return this.#held.open();
  }

  /** Opens the account of one request of an operator. */
  openAccount(giveWay: () => void): MemoryAccount {
    return this.#accountant.openAccount({ party: "the host", name: "a request of the operator", giveWay });
  }
}
