import type { Clock } from "../core/internal.ts";
import type { ConnectionSupervisor } from "./connection/connection-supervisor.ts";
import type { HostConnection } from "./connection/host-connection.ts";
import type { Outbox } from "./connection/outbox.ts";
import type { StateStream } from "./connection/streams/state-stream.ts";
import type { HostServices } from "./host-services.ts";

/** The host to which a worker is connected now, and what it keeps, as far as it is known. Its parts are undefined without a connection. */
export class PresentHost {
  readonly #supervisor: ConnectionSupervisor<HostServices>;
  readonly #clock: Clock;
  /** Whether the host that has sent headers last places agents. */
  #placesAgents = false;
  #wasAnnounced = false;

  constructor(supervisor: ConnectionSupervisor<HostServices>, clock: Clock) {
    this.#supervisor = supervisor;
    this.#clock = clock;
  }

  /** The way out of the connection. */
  get outbox(): Outbox | undefined {
    return this.#supervisor.present?.outbox;
  }

  /** The way to the states of agents at the host. */
  get states(): StateStream | undefined {
    return this.#supervisor.present?.states;
  }

  /** Registry and control channel of the connection. */
  get services(): HostServices | undefined {
    return this.#supervisor.present?.services;
  }

  // protocol.md §11.14
  /**
   * Whether the host places the agents of shared types, each with one worker. Until the headers of a new connection have come, those of the
   * one before count. Else this worker would make agents that another one has.
   */
  get placesAgents(): boolean {
    const { outbox } = this;
    return outbox !== undefined && (outbox.host.isAwaited ? this.#placesAgents : outbox.host.knowsClaims);
  }

  /** Whether the host that has sent headers last is one of Troupe's. Those of its next connection will come, too. */
  get wasAnnounced(): boolean {
    return this.#wasAnnounced;
  }

  /** The headers of the host have come on this connection. */
  told({ outbox }: HostConnection): void {
    this.#placesAgents = outbox.host.knowsClaims;
    this.#wasAnnounced = outbox.host.isAnnounced;
  }

  /** Whether the host keeps no states of agents. */
  get isStateless(): boolean {
    const connection = this.#supervisor.current;
    return connection !== undefined && !connection.keepsStates && !connection.outbox.host.isAwaited;
  }

  /** Whether the host keeps no mail. */
  get isMailless(): boolean {
    const connection = this.#supervisor.current;
    return connection !== undefined && !connection.keepsMail && !connection.outbox.host.isAwaited;
  }

  // protocol.md §11.24
  /** Whether the host keeps runs. Undefined: it has not told so yet, or there is no connection. */
  get keepsRuns(): boolean | undefined {
    const connection = this.#supervisor.current;
    return connection === undefined || connection.outbox.host.isAwaited ? undefined : connection.outbox.host.knowsRuns;
  }

  /** Resolves to whether the host keeps mail, when it has told so. Undefined: there is no connection. */
  async keepsMail(): Promise<boolean | undefined> {
    const connection = this.#supervisor.current;
    if (connection?.outbox.host.isAwaited === true) await connection.outbox.host.came(this.#clock);
    return connection?.isOpen === true ? connection.keepsMail : undefined;
  }
}
