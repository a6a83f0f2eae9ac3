import type { Clock } from "../core/internal.ts";
import type { ConnectionSupervisor } from "./connection/connection-supervisor.ts";
import type { Outbox } from "./connection/outbox.ts";
import type { StateStream } from "./connection/state-stream.ts";
import type { HostServices } from "./host-services.ts";

/** The host to which a worker is connected now, and what it keeps, as far as it is known. Its parts are undefined without a connection. */
export class PresentHost {
  readonly #supervisor: ConnectionSupervisor<HostServices>;
  readonly #clock: Clock;

  constructor(supervisor: ConnectionSupervisor<HostServices>, clock: Clock) {
    this.#supervisor = supervisor;
    this.#clock = clock;
  }

  /** The way out of the connection. */
  get outbox(): Outbox | undefined {
    return this.#supervisor.current?.outbox;
  }

  /** The way to the states of agents at the host. */
  get states(): StateStream | undefined {
    return this.#supervisor.current?.states;
  }

  /** Registry and control channel of the connection. */
  get services(): HostServices | undefined {
    return this.#supervisor.current?.services;
  }

  /** Whether the host keeps no states of agents. */
  get isStateless(): boolean {
    const connection = this.#supervisor.current;
    return connection !== undefined && !connection.keepsStates && !connection.outbox.awaitsHeaders;
  }

  /** Whether the host keeps no mail. */
  get isMailless(): boolean {
    const connection = this.#supervisor.current;
    return connection !== undefined && !connection.keepsMail && !connection.outbox.awaitsHeaders;
  }

  /** Resolves to whether the host keeps mail, when it has told so. Undefined: there is no connection. */
  async keepsMail(): Promise<boolean | undefined> {
    const connection = this.#supervisor.current;
    if (connection?.outbox.awaitsHeaders === true) await connection.outbox.headersCame(this.#clock);
    return connection?.isOpen === true ? connection.keepsMail : undefined;
  }
}
