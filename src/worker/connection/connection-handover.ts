import { errorText } from "../../core/internal.ts";
import type { Background, ConnectionState } from "./connection-state.ts";
import type { ConnectionServices, HostConnection } from "./host-connection.ts";
import { RenewalPace, RetiringConnections, renewConnection } from "./link-renewal.ts";
import type { ConnectionSupervisorOptions } from "./supervisor-options.ts";

export interface ConnectionHandoverOptions<Services extends ConnectionServices>
  extends Pick<ConnectionSupervisorOptions<Services>, "settings" | "queue" | "open" | "register" | "whenIdle"> {
  readonly state: () => ConnectionState<Services>;
  readonly become: (state: ConnectionState<Services>) => void;
  /** Makes the send queue follow the state again. */
  readonly follow: () => void;
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
    this.#retiring = new RetiringConnections(options.whenIdle, () => options.state().at !== "draining");
  }

  /** Opens a new connection beside one whose link takes no new calls. */
  renew(connection: HostConnection<Services>): void {
    if (!connection.isLinkLeaving) return;
    const { settings, open, queue, watch, become, follow } = this.#options;
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
      hold: () => queue.follow(undefined),
      onRenewed: (renewed) => this.#onRenewed(connection, renewed),
      onFailed: follow,
    });
  }

  /** Registers on the current connection. The host has forgotten the registrations together with the connection that made them. */
  takeOver(): void {
    const { register, settings, become } = this.#options;
    const state = this.#options.state();
    if (state.at !== "connected") return;
    const { connection } = state;
    const abort = new AbortController();
    const handover: Background = { abort, done: Promise.resolve() };
    become({ ...state, registrar: connection, handover });
    const { signal } = abort;
    handover.done = register(connection, { kind: "return", signal, onWaiting: () => {} }).then(
      () => {
        const now = this.#options.state();
        if (now.at === "connected" && now.handover === handover) become({ ...now, handover: undefined });
      },
      (error) => {
        if (signal.aborted) return;
        settings.logger.error(`The worker could not register on its new connection: ${errorText(error)}`);
        connection.cut(errorText(error));
      },
    );
  }

  #onRenewed(old: HostConnection<Services>, connection: HostConnection<Services>): void {
    const { settings, become, onAccepted } = this.#options;
    const state = this.#options.state();
    if (state.at !== "connected" || state.connection !== old) return void connection.leave();
    const { clock, logger } = settings;
    const registrar = state.registrar.isOpen ? state.registrar : connection;
    old.callOver(connection);
    registrar.callOver(connection);
    become({ ...state, connection, registrar, sinceMs: clock.now(), renewal: undefined });
    if (connection.isAccepted) onAccepted(connection);
    logger.info(`New calls to the host at ${connection.address} go over a new connection.`);
    void this.#retiring.retire(old, registrar === old);
    if (registrar === connection) this.takeOver();
    if (connection.isLinkLeaving) this.renew(connection);
  }
}
