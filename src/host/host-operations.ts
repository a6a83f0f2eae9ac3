import type { Clock, DurableLog, StateStore } from "../core/internal.ts";
import type { MemoryAccount, MemoryAccountant } from "../transport/internal.ts";
import type { HeldStore } from "./held-store.ts";
import type { HostSnapshot, Inspection, InspectOptions } from "./inspection.ts";
import type { AgentOperations } from "./operations/agent-operations.ts";
import type { DrainOutcome, DrainWorkerOptions, WorkerDrains } from "./placement/worker-drains.ts";

export interface HostOperationsParts {
  readonly agents: AgentOperations;
  readonly held: HeldStore;
  /** Undefined: the host keeps no mail. */
  readonly log: DurableLog | undefined;
  readonly accountant: MemoryAccountant;
  readonly clock: Clock;
  readonly inspection: Inspection;
  readonly drains: WorkerDrains;
  readonly forgottenLetters: () => number;
}

/** The part of a host that only its operator uses. The admin entry is made of it. */
export class HostOperations {
  readonly agents: AgentOperations;
  readonly clock: Clock;
  /** The mail of the host, or of its cluster. Undefined: it keeps none. */
  readonly log: DurableLog | undefined;
  readonly #held: HeldStore;
  readonly #accountant: MemoryAccountant;
  readonly #inspection: Inspection;
  readonly #drains: WorkerDrains;
  readonly #forgottenLetters: () => number;

  constructor({ agents, held, log, accountant, clock, inspection, drains, forgottenLetters }: HostOperationsParts) {
    this.agents = agents;
    this.#inspection = inspection;
    this.#drains = drains;
    this.clock = clock;
    this.log = log;
    this.#held = held;
    this.#accountant = accountant;
    this.#forgottenLetters = forgottenLetters;
  }

  /** Shows the present of the host. */
  inspect(options: InspectOptions): Promise<HostSnapshot> {
    return this.#inspection.inspect(options);
  }

  /** Dead letters that the host has deleted since its start, because all had too many bytes. */
  get forgottenLetters(): number {
    return this.#forgottenLetters();
  }

  /** Has a worker let its agents go and stop. */
  drainWorker(workerId: string, options: DrainWorkerOptions): Promise<DrainOutcome> {
    return this.#drains.drainWorker(workerId, options);
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
    return this.#accountant.openAccount({ party: "the host", name: "request of the operator", giveWay });
  }
}
