import type { SharingTerms } from "../core/internal.ts";
import type { HeartbeatFrame } from "../protocol/internal.ts";
import type { HostConnection } from "./connection/host-connection.ts";
import type { AckFrame, ConnectionServices } from "./connection/host-connection-options.ts";
import { askForSignOfLife } from "./connection/keep-alive.ts";
import type { UndeliverableReason } from "./connection/outbox.ts";
import { ControlChannel, type ControlServer } from "./control/control-channel.ts";
import { ChannelRegistry } from "./registry/channel-registry.ts";
import { ConnectionRegistry } from "./registry/connection-registry.ts";
import { FirstRoundTrip } from "./registry/first-round-trip.ts";
import { PacedRegistry } from "./registry/paced-registry.ts";
import { StatesRegistry } from "./registry/states-registry.ts";
import { UnaryRegistry } from "./registry/unary-registry.ts";
import type { WorkerSettings } from "./worker-options.ts";

/** A connection to a host with its registry and its control channel. */
export type WorkerConnection = HostConnection<HostServices>;

export interface HostServicesOptions {
  readonly settings: WorkerSettings;
  readonly controlServer: ControlServer;
  /** Returns the terms under which the worker shares a type; undefined: it does not. */
  readonly sharingOf: (agentType: string) => SharingTerms | undefined;
  /** Whether handlers of a type hear who calls. */
  readonly tellsPrincipal: (agentType: string) => boolean;
  /** Returns 1, 2, …; calls and generation 1's registrations share the sequence. */
  readonly nextRequestNumber: () => number;
  /** Whether the agents of a type keep a state at the host. */
  readonly isKeptAtHost: (agentType: string) => boolean;
}

/** The registry and the control channel of one connection. */
export class HostServices implements ConnectionServices {
  readonly registry: PacedRegistry;
  readonly control: ControlChannel;
  readonly #connection: HostConnection;
  readonly #legacy: ChannelRegistry;

  constructor(connection: HostConnection, options: HostServicesOptions) {
    const { settings, controlServer, nextRequestNumber, isKeptAtHost, sharingOf, tellsPrincipal } = options;
    const { registrationTimeoutMs: timeoutMs, clock, logger } = settings;
    const { outbox, calls, metadata, signal } = connection;
    this.#connection = connection;
    this.#legacy = new ChannelRegistry({ outbox, nextRequestNumber, timeoutMs, clock });
    const isHostAnnounced = () => outbox.host.isAnnounced;
    const ask = () => askForSignOfLife(calls, { metadata, timeoutMs, signal });
    const firstRoundTrip = new FirstRoundTrip({ ask, isHostAnnounced });
    const unary = new UnaryRegistry({
      ...{ link: calls, metadata, timeoutMs, signal, isHostAnnounced, firstRoundTrip, sharingOf, tellsPrincipal },
    });
    const registry = new ConnectionRegistry({ unary, legacy: this.#legacy, logger });
    const keepsStates = async () => {
      await outbox.host.came(clock);
      return connection.keepsStates;
    };
    const keepsMail = async () => {
      await outbox.host.came(clock);
      return connection.keepsMail;
    };
    this.registry = new PacedRegistry(new StatesRegistry({ registry, isKeptAtHost, keepsStates, keepsMail }));
    this.control = new ControlChannel({ connection, settings, server: controlServer });
  }

  get isHostAnnounced(): boolean {
    return this.#connection.outbox.host.isAnnounced;
  }

  get awaitsAck(): boolean {
    return this.#legacy.pendingCount > 0;
  }

  sayHeartbeat(heartbeat: HeartbeatFrame): void {
    this.control.sayHeartbeat(heartbeat);
  }

  onAck(ack: AckFrame): boolean {
    return this.#legacy.onAck(ack);
  }

  close(reason: UndeliverableReason): void {
    this.#legacy.close(reason);
    this.control.close(reason);
  }
}
