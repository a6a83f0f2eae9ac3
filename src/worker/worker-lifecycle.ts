import { errorText, TroupeError, UndeliverableException } from "../core/index.ts";
import { createControlServer } from "./control-server.ts";
import { HostConnection } from "./host-connection.ts";
import type { HostRegistry } from "./host-registry.ts";
import { Inbox } from "./inbox.ts";
import type { OutgoingCalls } from "./outgoing-calls.ts";
import { Registration } from "./registration.ts";
import type { WorkerParts } from "./worker-parts.ts";

/** Why a worker's run ended: `stop` was called, or the host was lost. */
export type WorkerClosed = { readonly by: "stopped" } | { readonly by: "lost"; readonly reason: string };

type WorkerState =
  /** Never started, or its start failed. */
  | { readonly at: "idle" }
  /** With a connection, what was registered is being announced; the first messages may come already. */
  | { readonly at: "starting"; readonly opening: Promise<void>; readonly connection: HostConnection | undefined }
  | { readonly at: "running"; readonly connection: HostConnection }
  /** The host is gone; `stop` is still due. */
  | { readonly at: "lost"; readonly reason: string }
  /** Handlers may finish; nothing new is taken. */
  | { readonly at: "stopping"; readonly connection: HostConnection | undefined; readonly stopped: Promise<void> }
  | { readonly at: "stopped" };

/** A worker's way from start to stop, and the connection it has meanwhile. Here a lost connection will be replaced (W1). */
export class WorkerLifecycle {
  readonly registration: Registration;
  readonly #parts: WorkerParts;
  readonly #calls: OutgoingCalls;
  readonly #inbox: Inbox;
  #state: WorkerState = { at: "idle" };
  #closed = openClosed();

  constructor(parts: WorkerParts, calls: OutgoingCalls) {
    this.#parts = parts;
    this.#calls = calls;
    this.#inbox = new Inbox(parts, calls);
    this.registration = new Registration(parts, () => this.#hostRegistry());
  }

  get isRunning(): boolean {
    return this.#state.at === "running";
  }

  get isIdle(): boolean {
    return this.#state.at === "idle" || this.#state.at === "stopped";
  }

  /** Resolves when the present run ends, or the next one if there is none; never rejects. */
  get closed(): Promise<WorkerClosed> {
    return this.#closed.promise;
  }

  /** Rejects when the host can't be reached or refuses what was registered before; it can be started again then. */
  async start(): Promise<void> {
    if (!this.isIdle) throw new TroupeError("wrong-state", "Runtime is already running.");
    if (this.#state.at === "stopped") this.#closed = openClosed();
    this.#inbox.isRefusing = false;
    const opening = this.#open();
    this.#state = { at: "starting", opening, connection: undefined };
    try {
      await opening;
    } catch (error) {
      this.#state = { at: "idle" };
      throw error;
    }
  }

  /** Throws `wrong-state` when it was never started; stopping twice is fine. Never throws for a dead peer (W14). */
  async stop(): Promise<void> {
    if (this.#state.at === "starting") await this.#state.opening.catch(() => undefined);
    const state = this.#state;
    switch (state.at) {
      case "idle":
      case "starting":
        throw new TroupeError("wrong-state", "Runtime is not running.");
      case "stopped":
        return;
      case "stopping":
        return state.stopped;
      case "running":
      case "lost": {
        const connection = state.at === "running" ? state.connection : undefined;
        const stopped = this.#drain(connection);
        this.#state = { at: "stopping", connection, stopped };
        return stopped;
      }
    }
  }

  /** The connection there is at the moment, if any. */
  get currentConnection(): HostConnection | undefined {
    return "connection" in this.#state ? this.#state.connection : undefined;
  }

  /** The connection to send on; throws `wrong-state` or `UndeliverableException` when there is none. `doing` is for the text. */
  connection(doing: string): HostConnection {
    const state = this.#state;
    switch (state.at) {
      case "running":
        return state.connection;
      case "stopping":
        if (state.connection !== undefined) return state.connection;
        throw new UndeliverableException("The worker is shutting down.", { code: "shutting-down" });
      case "lost":
        throw new UndeliverableException(`${state.reason} Stop the worker and start it again.`, {
          code: "disconnected",
        });
      case "starting":
        if (state.connection !== undefined) return state.connection;
        throw notRunning(doing);
      case "idle":
        throw notRunning(doing);
      case "stopped":
        throw new UndeliverableException(`Runtime must be running when ${doing}. It has been stopped.`, {
          code: "shutting-down",
        });
    }
  }

  async #open(): Promise<void> {
    const { settings, counts, nextRequestId, shelf } = this.#parts;
    const connection = await HostConnection.open({
      settings,
      counts,
      nextRequestId,
      onFrame: (frame, from) => this.#inbox.take(frame, from),
      controlServer: createControlServer(shelf, settings.logger),
    });
    if (this.#state.at === "starting") this.#state = { ...this.#state, connection };
    try {
      if (settings.opensControlAtStart) connection.control.open();
      await this.registration.replay(connection.registry);
      if (!connection.isOpen) {
        const end = await connection.closed;
        throw new UndeliverableException(end.by === "lost" ? end.reason : "The worker left.", { code: "disconnected" });
      }
      this.#state = { at: "running", connection };
      void connection.closed.then((end) => this.#onConnectionEnd(connection, end));
    } catch (error) {
      this.#calls.rejectAll({ code: "disconnected", text: `The worker could not start: ${errorText(error)}` });
      await connection.leave();
      throw error;
    }
  }

  /** Undefined before the start. Whoever registers during the start waits for its end, so that nothing is told twice or never. */
  async #hostRegistry(): Promise<HostRegistry | undefined> {
    if (this.#state.at === "starting") await this.#state.opening.catch(() => undefined);
    if (this.isIdle) return undefined;
    return this.connection("registering").registry;
  }

  #onConnectionEnd(connection: HostConnection, end: Awaited<HostConnection["closed"]>): void {
    this.#inbox.connectionEnded(connection);
    if (end.by === "left") return;
    const reason = { code: "disconnected", text: end.reason } as const;
    this.#calls.rejectAll(reason);
    if (this.#state.at !== "running" || this.#state.connection !== connection) return;
    this.#parts.settings.logger.error(end.reason);
    this.#state = { at: "lost", reason: end.reason };
    this.#closed.resolve({ by: "lost", reason: end.reason });
  }

  /** W14: handlers may finish while answers still come in; the rest is answered for; then goodbye, and agents are closed. */
  async #drain(connection: HostConnection | undefined): Promise<void> {
    const { settings, work, shelf } = this.#parts;
    this.#inbox.isRefusing = true;
    await work.idle(settings.drainTimeoutMs, settings.clock);
    work.abandon(new UndeliverableException("The worker is shutting down.", { code: "shutting-down" }));
    this.#calls.rejectAll({ code: "shutting-down", text: "The worker has stopped." });
    await connection?.leave();
    this.#state = { at: "stopped" };
    this.#closed.resolve({ by: "stopped" });
    try {
      await shelf.close();
    } catch (error) {
      settings.logger.error(`An agent failed to close: ${errorText(error)}`, { error });
    }
  }
}

function notRunning(doing: string): TroupeError {
  return new TroupeError("wrong-state", `Runtime must be running when ${doing}.`);
}

function openClosed() {
  let resolve!: (closed: WorkerClosed) => void;
  const promise = new Promise<WorkerClosed>((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}
