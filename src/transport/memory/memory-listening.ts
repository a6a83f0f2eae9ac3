import type { Clock } from "../../core/internal.ts";
import type { MemoryAccountant } from "../accounting/memory-account.ts";
import { startDeadline } from "../calls/long-timer.ts";
import type { LinkService, Listening } from "../link.ts";
import { createListenerCounters, type ListenerCounters } from "../listener-counters.ts";
import type { MemoryConnection } from "./memory-connection.ts";

export interface MemoryListeningParts {
  readonly address: string;
  readonly services: readonly LinkService[];
  readonly accountant: MemoryAccountant;
  /** Called when the address is free again. */
  readonly onStopped: () => void;
  readonly clock: Clock | undefined;
}

/** A server in a memory network. */
export class MemoryListening implements Listening {
  readonly address: string;
  readonly services: ReadonlyMap<string, LinkService>;
  readonly closed: Promise<void>;
  readonly accountant: MemoryAccountant;
  readonly #connections = new Set<MemoryConnection>();
  readonly #onStopped: () => void;
  readonly #clock: Clock | undefined;
  #isClosing = false;
  #joined = 0;
  #resolveClosed: () => void = () => undefined;

  constructor({ address, services, accountant, onStopped, clock }: MemoryListeningParts) {
    this.address = address;
    this.accountant = accountant;
    this.services = new Map(services.map((service) => [service.serviceName, service]));
    this.#onStopped = onStopped;
    this.#clock = clock;
    this.closed = new Promise((resolve) => {
      this.#resolveClosed = resolve;
    });
  }

  /** Counts connections only: below the calls there is no protocol to violate. */
  counters(): ListenerCounters {
    return { ...createListenerCounters(), connections: this.#connections.size, acceptedConnections: this.#joined };
  }

  join(connection: MemoryConnection): void {
    this.#joined += 1;
    this.#connections.add(connection);
  }

  forget(connection: MemoryConnection): void {
    this.#connections.delete(connection);
    this.#settleClosed();
  }

  async close(graceMs = 0): Promise<void> {
    if (!this.#isClosing) {
      this.#isClosing = true;
      this.#onStopped();
      for (const connection of this.#connections) connection.goAway();
      this.#settleClosed();
    }
    const stop = startDeadline(graceMs, () => this.cut("This host was stopped."), this.#clock);
    await this.closed;
    stop();
  }

  /** Cuts every connection; the server continues to listen. */
  cut(reason: string): void {
    for (const connection of this.#connections) connection.cut(reason);
  }

  #settleClosed(): void {
    if (this.#isClosing && this.#connections.size === 0) this.#resolveClosed();
  }
}
