import { errorText, TroupeError, UndeliverableException } from "../core/internal.ts";
import { ConnectionSupervisor, type Search } from "./connection/connection-supervisor.ts";
import { HostConnection } from "./connection/host-connection.ts";
import type { UndeliverableReason } from "./connection/outbox.ts";
import { atMost } from "./connection/time-limits.ts";
import { createControlServer } from "./control/control-server.ts";
import { Inbox } from "./inbound/inbox.ts";
import type { OutgoingCalls } from "./outbound/outgoing-calls.ts";
import type { HostRegistry } from "./registry/host-registry.ts";
import { ReRegistration } from "./registry/re-registration.ts";
import { Registration } from "./registry/registration.ts";
import type { WorkerParts } from "./worker-parts.ts";

/** Why a worker's run ended: `stop` was called, or the host was lost and is not come back to. */
export type WorkerClosed = { readonly by: "stopped" } | { readonly by: "lost"; readonly reason: string };

type WorkerState =
  /** Never started, or its start failed. */
  | { readonly at: "idle" }
  /** With a connection, what was registered is being announced; the first messages may come already. */
  | { readonly at: "starting"; readonly opening: Promise<void>; readonly connection: HostConnection | undefined }
  /** Whether there is a host at the moment, or any more, its attachment knows. `stop` is due in any case. */
  | { readonly at: "running" }
  /** Handlers may finish; nothing new is taken. */
  | { readonly at: "stopping"; readonly stopped: Promise<void> }
  | { readonly at: "stopped" };

/** What waits while the network takes nothing gets at least so long when the worker stops. */
const flushTimeoutMs = 5_000;
/** Agents get at least so long to be closed. */
const closeTimeoutMs = 5_000;
/** Client ids that are remembered: connections that are lost one after the other may all be there still. */
const clientIdsKept = 16;

/** A worker's way from start to stop. */
export class WorkerLifecycle {
  readonly registration: Registration;
  readonly #parts: WorkerParts;
  readonly #calls: OutgoingCalls;
  readonly #inbox: Inbox;
  readonly #attachment: ConnectionSupervisor;
  /** Agent types that were refused on a return since another worker has them. */
  readonly #elsewhere = new Set<string>();
  /** The last few client ids of this worker, by which a host may still know it. */
  readonly #clientIds: string[] = [];
  #state: WorkerState = { at: "idle" };
  #closed = openClosed();
  #hurry = new AbortController();

  constructor(parts: WorkerParts, calls: OutgoingCalls) {
    this.#parts = parts;
    this.#calls = calls;
    this.#attachment = new ConnectionSupervisor({
      parts,
      open: (address, search) => this.#open(address, search),
      onLost: (connection, reason) => this.#onLost(connection, reason),
      onGivenUp: (reason) => this.#onGivenUp(reason),
    });
    this.#inbox = new Inbox({
      ...parts,
      calls,
      elsewhere: this.#elsewhere,
      onHostLeaving: (connection, graceMs) => this.#attachment.onHostLeaving(connection, graceMs),
    });
    this.registration = new Registration(parts, () => this.#hostRegistry());
  }

  /** From the start to the stop, or until the host is given up; whether there is a host at the moment, `status` tells. */
  get isRunning(): boolean {
    return this.#state.at === "running" && this.#attachment.givenUpBecause === undefined;
  }

  get isIdle(): boolean {
    return this.#state.at === "idle" || this.#state.at === "stopped";
  }

  /** Resolves when the present run ends, or the next one if there is none; never rejects. */
  get closed(): Promise<WorkerClosed> {
    return this.#closed.promise;
  }

  /** The connection there is at the moment, if any. */
  get currentConnection(): HostConnection | undefined {
    return this.#state.at === "starting" ? this.#state.connection : this.#attachment.current;
  }

  /** Rejects when the host can't be reached or refuses what was registered before; it can be started again then. */
  async start(): Promise<void> {
    if (!this.isIdle) throw new TroupeError("wrong-state", "Runtime is already running.");
    if (this.#state.at === "stopped") this.#closed = openClosed();
    this.#hurry = new AbortController();
    this.#inbox.isRefusing = false;
    this.#parts.sendQueue.reopen();
    const opening = this.#attachment.attach();
    this.#state = { at: "starting", opening, connection: undefined };
    try {
      await opening;
      if (this.#isOpening(opening)) this.#state = { at: "running" };
    } catch (error) {
      // A stop may have ended this start, and another have begun since.
      if (this.#isOpening(opening)) {
        const reason: UndeliverableReason = {
          code: "disconnected",
          text: `The worker could not start: ${errorText(error)}`,
        };
        const lost = this.#parts.sendQueue.close(reason);
        if (lost > 0) this.#parts.settings.logger.error(`The worker could not start${lostText(lost)}.`);
        this.#calls.rejectAll(reason);
        this.#state = { at: "idle" };
        this.#parts.status.set({ at: "closed", reason: errorText(error) });
      }
      throw error;
    }
  }

  /** Throws `wrong-state` when it was never started; stopping twice is fine. Never throws for a dead peer (W14). */
  async stop(): Promise<void> {
    const state = this.#state;
    switch (state.at) {
      case "idle":
        throw new TroupeError("wrong-state", "Runtime is not running.");
      case "stopped":
        return;
      case "stopping":
        return state.stopped;
      case "starting":
      case "running": {
        const stopped = this.#drain();
        this.#state = { at: "stopping", stopped };
        return stopped;
      }
    }
  }

  /** A stop that is under way waits for nothing any more: handlers are given up, queues dropped and counted. */
  hurry(): void {
    this.#hurry.abort();
  }

  /** Throws unless something may be sent, now or later: `wrong-state` or `UndeliverableException`. `doing` is for the text. */
  assertSending(doing: string): void {
    const state = this.#state;
    switch (state.at) {
      case "running": {
        const reason = this.#attachment.givenUpBecause;
        if (reason === undefined) return;
        throw new UndeliverableException(`${reason} Stop the worker and start it again.`, { code: "disconnected" });
      }
      case "stopping":
        return;
      case "starting":
        if (state.connection !== undefined) return;
        throw notRunning(doing);
      case "idle":
        throw notRunning(doing);
      case "stopped":
        throw new UndeliverableException(`Runtime must be running when ${doing}. It has been stopped.`, {
          code: "shutting-down",
        });
    }
  }

  /** More or less work is waiting. */
  reviewReading(): void {
    this.#attachment.review();
  }

  async #open(address: string, { kind, signal }: Search): Promise<HostConnection> {
    const { settings, nextRequestNumber, catalog, slots, sendQueue } = this.#parts;
    const connection = await HostConnection.open({
      ...{ settings, address, signal, nextRequestNumber },
      onFrame: (frame, from) => this.#inbox.take(frame, from),
      onUnreadable: (error, head, from) => this.#inbox.passOver(error, head, from),
      onDrain: (from) => from === this.currentConnection && sendQueue.drained(),
      isCrowded: () => slots.isCrowded,
      controlServer: createControlServer(catalog, settings.logger),
    });
    this.#attachment.keep(connection);
    if (kind === "farewell") return connection;
    if (this.#state.at === "starting") {
      this.#state = { ...this.#state, connection };
      sendQueue.attach(connection.outbox);
    }
    try {
      if (settings.opensControlAtStart) connection.control.open();
      await this.registration.replay(this.#registryOf(connection, { kind, signal }));
      signal.throwIfAborted();
      if (connection.isOpen) return connection;
      const end = await connection.closed;
      throw new UndeliverableException(end.by === "lost" ? end.reason : "The worker left.", { code: "disconnected" });
    } catch (error) {
      if (this.#state.at === "starting") sendQueue.detach();
      await connection.leave(this.#hurry.signal);
      throw error;
    }
  }

  /** What the host of a new connection is told by: one that is come back to may still have us, or another in our place (W1). */
  #registryOf({ registry, clientId }: HostConnection, { kind, signal }: Search): HostRegistry {
    const { settings, status } = this.#parts;
    const oldIds = new Set(this.#clientIds);
    this.#clientIds.push(clientId);
    if (this.#clientIds.length > clientIdsKept) this.#clientIds.shift();
    if (kind === "start") {
      this.#elsewhere.clear();
      return registry;
    }
    return new ReRegistration({
      ...{ registry, settings, signal, elsewhere: this.#elsewhere },
      isOldClientId: (id) => oldIds.has(id),
      onWaiting: (waiting) => status.set(waiting),
    });
  }

  /** Undefined before the start. Whoever registers during the start waits for its end, so that nothing is told twice or never. */
  async #hostRegistry(): Promise<HostRegistry | undefined> {
    if (this.#state.at === "starting") await this.#state.opening.catch(() => undefined);
    if (this.isIdle) return undefined;
    this.assertSending("registering");
    return (await this.#attachment.connected(this.#parts.settings.registrationTimeoutMs)).registry;
  }

  #onLost(connection: HostConnection, reason: string): void {
    const { counts, settings } = this.#parts;
    const { unsentEvents, unconfirmedEvents, unreadFrames } = connection.outbox;
    counts.lostEvents += unsentEvents;
    counts.unconfirmedEvents += unconfirmedEvents;
    counts.unreadFrames += unreadFrames;
    if (unsentEvents > 0) settings.logger.warn(`${unsentEvents} events had not left when the connection ended.`);
    this.#inbox.connectionEnded(connection);
    this.#calls.connectionEnded(connection.outbox, reason);
  }

  #onGivenUp(reason: string): void {
    const { sendQueue, settings, status } = this.#parts;
    const lost = sendQueue.close({ code: "disconnected", text: reason });
    settings.logger.error(`The host is given up${lostText(lost)}. ${reason}`);
    status.set({ at: "closed", reason });
    this.#closed.resolve({ by: "lost", reason });
  }

  /** W14: handlers may finish while answers still come in; the rest is answered for; then goodbye, and agents are closed. */
  async #drain(): Promise<void> {
    const { settings, work, catalog, sendQueue, status } = this.#parts;
    const { clock, drainTimeoutMs, logger } = settings;
    const { signal } = this.#hurry;
    const endMs = clock.now() + drainTimeoutMs;
    status.set({ at: "draining" });
    this.#inbox.isRefusing = true;
    this.#attachment.beginFarewell();
    await work.idle(drainTimeoutMs, clock, signal);
    const leftMs = Math.max(endMs - clock.now(), this.#attachment.isSeeking ? 0 : flushTimeoutMs);
    await atMost(sendQueue.emptied(), leftMs, clock, signal);
    work.abandon(new UndeliverableException("The worker is shutting down.", { code: "shutting-down" }));
    const lost = sendQueue.close({ code: "shutting-down", text: "The worker has stopped." });
    if (lost > 0) logger.error(`The worker stops${lostText(lost)}.`);
    this.#calls.rejectAll({ code: "shutting-down", text: "The worker has stopped." });
    await this.#attachment.leave(signal);
    const closing = catalog.close().then(
      () => true,
      (error) => {
        logger.error(`An agent failed to close: ${errorText(error)}`, { error });
        return true;
      },
    );
    // Nobody can end a factory or a `close` that hangs; the stop does not wait for it.
    const areClosed = await atMost(closing, Math.max(endMs - clock.now(), closeTimeoutMs), clock, signal);
    if (areClosed !== true)
      logger.error("Agents that were being made or closed had not ended when the worker stopped.");
    this.#state = { at: "stopped" };
    status.set({ at: "closed", reason: "The worker was stopped." });
    this.#closed.resolve({ by: "stopped" });
  }

  #isOpening(opening: Promise<unknown>): boolean {
    return this.#state.at === "starting" && this.#state.opening === opening;
  }
}

function lostText(events: number): string {
  return events === 0 ? "" : ` and ${events} queued events with it`;
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
