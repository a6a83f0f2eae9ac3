import { errorText, TroupeError } from "../../core/internal.ts";
import type { Background, ConnectionState } from "./connection-state.ts";
import type { HostConnection } from "./host-connection.ts";
import type { ConnectionServices } from "./host-connection-options.ts";
import { RenewalPace, RetiringConnections, renewConnection } from "./link-renewal.ts";
import type { ConnectionSupervisorOptions } from "./supervisor-options.ts";

export interface ConnectionHandoverOptions<Services extends ConnectionServices>
  extends Pick<ConnectionSupervisorOptions<Services>, "settings" | "open" | "register" | "whenIdle" | "onCurrent"> {
  readonly state: () => ConnectionState<Services>;
  readonly become: (state: ConnectionState<Services>) => void;
  /** Takes a connection that was opened beside the current one. */
  readonly watch: (connection: HostConnection<Services>) => void;
  /** Handles that the host has accepted the data channel of the current connection. */
  readonly onAccepted: (connection: HostConnection<Services>) => void;
}

/** Moves a connected worker from a connection whose link takes no new calls to a new one, and its registrations after that. */
export class ConnectionHandover<Services extends ConnectionServices> {
  readonly #options: ConnectionHandoverOptions<Services>;
  readonly #pace = new RenewalPace();
  readonly #retiring: RetiringConnections<Services>;

  constructor(options: ConnectionHandoverOptions<Services>) {
    this.#options = options;
    this.#retiring = new RetiringConnections(
      (connection, isRegistrar) => this.#whenIdle(connection, isRegistrar),
      (connection) => this.#leave(connection),
    );
  }

  /** Opens a new connection beside one whose link takes no new calls. */
  renew(connection: HostConnection<Services>): void {
    if (!connection.isLinkLeaving) return;
    const { settings, open, watch, become } = this.#options;
    const state = this.#options.state();
    if (state.at !== "connected" || state.connection !== connection || state.renewal !== undefined) return;
    if (!connection.isOpen) return;
    const failedRounds = this.#pace.next(settings.clock.now() - state.sinceMs, settings.reconnect.maxDelayMs);
    const renewal: Background = { abort: new AbortController(), done: Promise.resolve() };
    become({ ...state, renewal });
    renewal.done = renewConnection(connection, {
      ...{ settings, signal: renewal.abort.signal, failedRounds },
      open: async (address, signal) => {
        const renewed = await open(address, signal);
        watch(renewed);
        return renewed;
      },
      hold: (isHeld) => {
        const now = this.#options.state();
        if (now.at === "connected" && now.renewal === renewal) become({ ...now, isHeld });
      },
      onRenewed: (renewed) => this.#onRenewed(connection, renewed),
      discard: (renewed) => this.#discard(renewed),
    });
  }

  /** Resolves when the renewal that a connection waits for has ended. Never rejects. */
  async renewed(connection: HostConnection): Promise<void> {
    const state = this.#options.state();
    if (state.at !== "connected" || (state.connection !== connection && state.registrar !== connection)) return;
    // The link may have begun to leave a moment ago.
    this.renew(state.connection);
    const now = this.#options.state();
    if (now.at === "connected") await now.renewal?.done;
  }

  /**
   * Registers on the current connection. The host forgets the registrations together with the connection that made them, the
   * former registrar. The worker leaves it first, if it has not ended.
   */
  takeOver(former?: HostConnection<Services>): void {
    const state = this.#options.state();
    if (state.at !== "connected") return;
    state.handover?.abort.abort();
    const handover: Background = { abort: new AbortController(), done: Promise.resolve() };
    this.#options.become({ ...state, registrar: state.connection, handover });
    handover.done = this.#registerAnew(handover, former);
  }

  /** Registers under the client id of the registrar, as often as links leave (GOAWAY) meanwhile. Never rejects. */
  async #registerAnew(handover: Background, former: HostConnection<Services> | undefined): Promise<void> {
    const { register, settings, become } = this.#options;
    const { signal } = handover.abort;
    if (former !== undefined) {
      former.handOver();
      void former.leave();
      await former.closed;
    }
    for (let isFirstLoss = true; ; ) {
      const state = this.#options.state();
      if (state.at !== "connected" || state.handover !== handover) return;
      if (state.renewal !== undefined) {
        await state.renewal.done;
        continue;
      }
      const { connection, registrar } = state;
      try {
        await register(registrar, { kind: "return", signal, onWaiting: () => {} });
        const now = this.#options.state();
        if (now.at === "connected" && now.handover === handover) become({ ...now, handover: undefined });
        return;
      } catch (error) {
        const now = this.#options.state();
        if (now.at !== "connected" || now.handover !== handover) return;
        if (now.renewal !== undefined || now.connection !== connection) continue;
        // The worker may hear a moment later that the link is leaving.
        const isLoss = error instanceof TroupeError && error.code === "disconnected";
        if (isLoss && isFirstLoss && registrar.isOpen) {
          isFirstLoss = false;
          continue;
        }
        settings.logger.error(`The worker could not register on its new connection: ${errorText(error)}`);
        registrar.cut(errorText(error));
        await registrar.closed;
        return;
      }
    }
  }

  #onRenewed(old: HostConnection<Services>, connection: HostConnection<Services>): void {
    const { settings, become, onAccepted, onCurrent } = this.#options;
    const state = this.#options.state();
    if (state.at !== "connected" || state.connection !== old) return this.#discard(connection);
    const { clock, logger } = settings;
    const registrar = state.registrar.isOpen ? state.registrar : connection;
    old.callOver(connection);
    registrar.callOver(connection);
    become({ ...state, connection, registrar, sinceMs: clock.now(), renewal: undefined, isHeld: false });
    onCurrent(connection);
    if (connection.isAccepted) onAccepted(connection);
    logger.info(`New calls to the host at ${connection.address} go over a new connection.`);
    void this.#retiring.retire(old, registrar === old);
    if (registrar === connection) this.takeOver();
    if (connection.isLinkLeaving) this.renew(connection);
  }

  // protocol.md §11.14
  /**
   * Leaves a new connection that the worker does not take. Since it is the newest one, the host may have sent messages for agents of shared
   * types there. The worker answers those that it has, and takes no more.
   */
  #discard(connection: HostConnection<Services>): void {
    const state = this.#options.state();
    // protocol.md §11.19 E11: a goodbye on the newest channel would end the worker at its cluster.
    if (connection.outbox.host.knowsLease) return connection.cut("the worker could not take it in time.");
    if (state.at === "connected") connection.outbox.continueIn(state.connection.outbox);
    connection.handOver();
    if (connection.isOpen) void this.#retiring.retire(connection, false);
    else void connection.leave();
  }

  /** Resolves when nothing uses the connection, or when it has ended. */
  async #whenIdle(connection: HostConnection<Services>, isRegistrar: boolean): Promise<void> {
    for (;;) {
      await this.#options.whenIdle(connection, isRegistrar);
      const pending = this.#pendingAt(connection);
      if (pending === undefined) return;
      await pending;
    }
  }

  /** A registrar stays until the host knows the registrations by it, and until there is a link to register them anew. */
  #pendingAt(connection: HostConnection<Services>): Promise<void> | undefined {
    const state = this.#options.state();
    if (state.at !== "connected" || state.registrar !== connection || !connection.isOpen) return undefined;
    return (state.handover ?? state.renewal)?.done;
  }

  /**
   * Leaves an old connection, unless something uses it. A worker that stops leaves all connections at the end of its stop.
   * Returns false when the connection is in use.
   */
  #leave(connection: HostConnection<Services>): boolean {
    const state = this.#options.state();
    if (state.at === "draining" || !connection.isOpen) return true;
    if (connection.usersCount > 0 || this.#pendingAt(connection) !== undefined) return false;
    if (state.at === "connected" && state.registrar === connection) this.takeOver(connection);
    else {
      connection.handOver();
      void connection.leave();
    }
    return true;
  }
}
