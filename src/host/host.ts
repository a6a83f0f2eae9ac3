import {
  anyTime,
  assertArgument,
  assertObject,
  assertOptions,
  assertText,
  type Clock,
  followAbort,
  number,
  optionShape,
  StoreError,
  signal as signalKind,
  systemClock,
  TroupeError,
  text,
  unfollowAbort,
  withMethods,
} from "../core/internal.ts";
import {
  createListenerCounters,
  type Exposure,
  type LinkService,
  type Listener,
  type ListenerCounters,
  type Listening,
} from "../transport/internal.ts";
import type { ClusterHostCounters } from "./cluster/cluster-counters.ts";
import { HostCluster } from "./cluster/host-cluster.ts";
import type { HostCounters } from "./counters.ts";
import type { HostHealth } from "./host-health.ts";
import type { HostSnapshot, InspectOptions, SessionReport } from "./operations/inspection.ts";
import type { HostOptions } from "./options.ts";
import type { DrainOutcome, DrainWorkerOptions } from "./placement/worker-drains.ts";
import { assertProtected, HostServicer, notReady, partsOf } from "./servicer.ts";
import { assertQueueFits } from "./sessions/queue-bound.ts";
import { ShutdownDeadline } from "./shutdown-deadline.ts";
import { startError } from "./start-error.ts";

/** The listener that a host runs on, its address, and the servicer that it runs. */
export interface HostParts {
  readonly listener: Listener;
  /** `host:port` to listen on; port 0 takes a free one. */
  readonly address: string;
  /** The servicer that the listener serves, with the options that it was made with. Default: a new `HostServicer` with the given options. */
  readonly servicer?: HostServicer | undefined;
}

/** The counters of a host, and those of its listener beneath the calls; the latter are all 0 before the start. */
export interface RunningHostCounters extends HostCounters {
  readonly transport: ListenerCounters;
  /** Those of the host in its cluster. Undefined: the host is alone. */
  readonly cluster?: ClusterHostCounters | undefined;
}

/** Options of `Host.start`. */
export interface HostStartOptions {
  /** Calls the start off: it rejects with the reason, and the host stops. */
  readonly signal?: AbortSignal | undefined;
}

/** Options of `Host.stop`. */
export interface HostStopOptions {
  /** Milliseconds that the stop may take: what a worker has not read by then is lost. Default 5 000. */
  readonly graceMs?: number | undefined;
  /** Ends the grace at once. */
  readonly signal?: AbortSignal | undefined;
}

type HostState =
  | { readonly at: "new" }
  | { readonly at: "starting"; readonly done: Promise<Listening> }
  | { readonly at: "serving"; readonly listening: Listening }
  /** `patience`: how long a start that was under way may still take. */
  | {
      readonly at: "ending";
      readonly grace: ShutdownDeadline;
      readonly patience: ShutdownDeadline;
      readonly done: Promise<void>;
    };

const startShape = optionShape<HostStartOptions>({ signal: signalKind });
const stopShape = optionShape<HostStopOptions>({ graceMs: number(anyTime), signal: signalKind });
const listenerKind = withMethods("a listener, such as grpcListener(),", "listen");
const partsShape = optionShape<HostParts>({
  listener: listenerKind,
  address: text,
  servicer: withMethods("a HostServicer", "asLinkService", "drain"),
});

const notListening = new Error("the host does not listen");
const defaultGraceMs = 5_000;
/** Milliseconds of the grace, but no more than a quarter of it, in which connections close after the channels have ended. */
const goodbyeMs = 1_000;

/** The part of the grace in which workers go to other hosts of a cluster. */
const handOverShare = 0.6;

/**
 * A servicer on a listener: what workers connect to. It starts once; disposing it stops it with the default grace of 5 s.
 *
 * @example
 * ```ts
 * await using host = new Host({ listener: grpcListener(), address: "127.0.0.1:0" });
 * await host.start();
 * console.log(host.address);
 * ```
 */
export class Host implements AsyncDisposable {
  readonly servicer: HostServicer;
  readonly #listener: Listener;
  readonly #clock: Clock;
  /** Undefined: the host is alone. */
  readonly #cluster: HostCluster | undefined;
  /** Resolves when the host has stopped; never rejects. */
  readonly closed: Promise<void>;
  #markClosed: () => void = () => {};
  #address: string;
  #state: HostState = { at: "new" };
  #hasEnded = false;
  /** Kept after the end, for what it has counted. */
  #listening: Listening | undefined;
  readonly #endMeasuring: (() => void) | undefined;

  /**
   * Throws `invalid-argument` for missing parts, unknown options and values of a wrong kind. It also throws for options other than `clock`
   * beside a servicer, which has its own.
   */
  constructor(parts: HostParts, options: HostOptions = {}) {
    assertObject(parts, "The parts of a host, { listener, address },");
    assertOptions(parts, partsShape, "Host");
    const { listener, address, servicer } = parts;
    assertArgument(listener, "The listener of a host", listenerKind);
    assertText(address, "The address of a host, such as 127.0.0.1:50051,");
    if (servicer !== undefined) assertNoOptions(options);
    const ownServicer = servicer ?? new HostServicer(options);
    if (servicer === undefined) assertQueueFits(options, listener.maxHeldBytes);
    this.#listener = listener;
    this.#address = address;
    this.#clock = options.clock ?? systemClock;
    this.closed = new Promise((resolve) => {
      this.#markClosed = resolve;
    });
    this.servicer = ownServicer;
    const { options: settings, operations } = partsOf(ownServicer);
    const { cluster, metrics } = settings;
    this.#cluster = cluster && new HostCluster(ownServicer, cluster, (graceMs) => void this.stop({ graceMs }));
    operations.running = { counters: () => this.counters(), health: () => this.health };
    this.#endMeasuring = metrics && operations.measure(metrics);
  }

  /** The address that workers dial, with the real port once the host has started. */
  get address(): string {
    return this.#address;
  }

  /**
   * Resolves when workers can connect. Rejects with the reason of `signal`, or with `wrong-state` the second time. An address in use
   * is `already-exists`. An address of another machine, or a text that is not an address, is `invalid-argument`. A state store that
   * can't be opened is its `StoreError`. A start that you have stopped, and that has not ended in time, is `shutting-down`. A host of a cluster
   * joins it first. Peers that are not safe, and other time limits than those of the other hosts, are `invalid-argument`.
   */
  async start(options: HostStartOptions = {}): Promise<void> {
    assertOptions(options, startShape, "start");
    const { signal } = options;
    if (this.#state.at === "ending") throw new TroupeError("wrong-state", "Host runtime is stopped; make a new one.");
    if (this.#state.at !== "new") throw new TroupeError("wrong-state", "Host runtime is already started.");
    signal?.throwIfAborted();
    const { servicer } = this;
    this.#assertProtected();
    const services = [servicer.asLinkService(), servicer.asSideStreamService(), servicer.asStateService()];
    services.push(servicer.asHealthService(), ...servicer.asReflectionServices());
    const done = this.#open(services);
    this.#state = { at: "starting", done };
    const giveUp = (): void => void this.stop({ graceMs: 0 });
    followAbort(signal, giveUp);
    try {
      const listening = await Promise.race([done, this.closed.then(() => undefined)]);
      if (listening !== undefined) this.#opened(listening);
      else if (!signal?.aborted) throw startStopped();
    } catch (error) {
      if (this.#isStarting()) this.#state = { at: "new" };
      throw error instanceof StoreError ? error : startError(this.#address, error);
    } finally {
      unfollowAbort(signal, giveUp);
    }
    if (!signal?.aborted) return;
    await this.stop({ graceMs: 0 });
    throw signal.reason;
  }

  /**
   * Tells Troupe's workers that the host leaves, refuses new calls, and answers the pending ones with an error. Then it ends all
   * streams within `graceMs`: what a worker has not read by then is lost. A start that is under way has `graceMs` to end, and at least
   * 5 s. A second call may shorten both, to its own `graceMs`. Rejects only with `invalid-argument`, for an invalid grace.
   */
  async stop(options: HostStopOptions = {}): Promise<void> {
    assertOptions(options, stopShape, "stop");
    const { graceMs = defaultGraceMs, signal } = options;
    const hurry = (): void => this.#shorten(0);
    followAbort(signal, hurry);
    try {
      await this.#stopWithin(signal?.aborted ? 0 : graceMs);
    } finally {
      unfollowAbort(signal, hurry);
    }
  }

  /** The state of the host for probes; it takes workers and keeps its promises only while it is `serving`. */
  get health(): HostHealth {
    switch (this.#state.at) {
      case "new":
      case "starting":
        return "starting";
      case "ending":
        return this.#hasEnded ? "stopped" : "draining";
      case "serving": {
        const { others, held } = partsOf(this.servicer);
        if (!others.now.isServing) return "isolated";
        return held.isLost ? "store-lost" : "serving";
      }
    }
  }

  /** Returns the numbers of each worker that has a data channel now, at once. See `inspect()` for more. */
  sessions(): readonly SessionReport[] {
    return this.servicer.sessions();
  }

  /**
   * Shows the present of the host: workers with address, principal, types and queues, agent types with their owners, and totals. The
   * host gathers it over several turns of the event loop, so that messages go on meanwhile. Rejects with the reason of `signal`, or
   * `invalid-argument`.
   */
  inspect(options?: InspectOptions): Promise<HostSnapshot> {
    return this.servicer.inspect(options);
  }

  /**
   * Lets a worker stop as an operator wants it. The host tells it to, and gives it no new agents of shared types. Those that it has move to
   * other workers, and calls to them wait. Resolves when the worker has said that it stops, and holds no agent of a shared
   * type any more. What it still has after `graceMs` is taken from it. Rejects with the reason of `signal`, or `invalid-argument`.
   */
  drainWorker(workerId: string, options?: DrainWorkerOptions): Promise<DrainOutcome> {
    return this.servicer.drainWorker(workerId, options);
  }

  /** Returns what the host has counted so far, and its present numbers; a copy. */
  counters(): RunningHostCounters {
    const transport = this.#listening?.counters() ?? createListenerCounters();
    const cluster = this.#cluster === undefined ? {} : { cluster: this.#cluster.counters() };
    return { ...this.servicer.counters(), transport, ...cluster };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  /** An address that can't be read is left to the listener, which says so. */
  #assertProtected(): void {
    let exposure: Exposure;
    try {
      exposure = this.#listener.exposureOf?.(this.#address) ?? "local";
    } catch {
      return;
    }
    assertProtected(this.servicer, exposure, this.#address);
  }

  /** The store first: a host that can't keep states must not take workers from one that can. */
  async #open(services: readonly LinkService[]): Promise<Listening> {
    const { servicer } = this;
    await servicer.openStateStore();
    await this.#cluster?.start();
    return this.#listener.listen(this.#address, services, {
      accountant: servicer.accountant,
      onRefusedHandshake: (refused) => servicer.noteRefusedHandshake(refused),
      onTlsFilesRead: (error) => servicer.noteTlsFiles(error),
      addresses: servicer.addressBounds,
    });
  }

  #opened(listening: Listening): void {
    this.#listening = listening;
    this.#address = listening.address;
    this.#cluster?.takesWorkersAt(listening.address);
    if (this.#isStarting()) this.#state = { at: "serving", listening };
  }

  #shorten(graceMs: number): void {
    if (this.#state.at !== "ending") return;
    this.#state.grace.shorten(graceMs);
    this.#state.patience.shorten(graceMs);
  }

  #stopWithin(graceMs: number): Promise<void> {
    const state = this.#state;
    switch (state.at) {
      case "new":
        // A start that failed may have left the state store open.
        return this.servicer.hasStateStore ? this.#endWithin(0, Promise.reject(notListening)) : Promise.resolve();
      case "ending":
        this.#shorten(graceMs);
        return state.done;
      case "starting":
        return this.#endWithin(graceMs, state.done);
      case "serving":
        return this.#endWithin(graceMs, Promise.resolve(state.listening));
    }
  }

  #isStarting(): boolean {
    return this.#state.at === "starting";
  }

  #endWithin(graceMs: number, starting: Promise<Listening>): Promise<void> {
    // A start may wait for the cluster.
    if (this.#isStarting()) this.#cluster?.abandon();
    const grace = new ShutdownDeadline(this.#clock, graceMs);
    const patience = new ShutdownDeadline(this.#clock, Math.max(graceMs, defaultGraceMs));
    const started = this.#started(starting, patience);
    const done = this.#end(started, grace, Math.min(goodbyeMs, graceMs / 4));
    this.#state = { at: "ending", grace, patience, done };
    return done;
  }

  async #end(started: Promise<Listening | undefined>, grace: ShutdownDeadline, reserveMs: number): Promise<void> {
    const listening = await started;
    if (listening !== undefined) {
      await this.#handOver(grace);
      await this.#drain(grace, reserveMs);
      void grace.over.then(() => listening.close(0));
      await listening.close(grace.leftMs);
    }
    if (this.#cluster !== undefined) await Promise.race([this.#cluster.leave(), grace.over]);
    this.#cluster?.abandon();
    await Promise.race([this.servicer.closeStateStore(), grace.over]);
    grace.done();
    this.#hasEnded = true;
    this.#endMeasuring?.();
    this.#markClosed();
  }

  /** A start that is under way may never end. What it opens too late is closed at once. */
  async #started(starting: Promise<Listening>, patience: ShutdownDeadline): Promise<Listening | undefined> {
    const opening = starting.catch(() => undefined);
    const listening = await Promise.race([opening, patience.over.then(() => undefined)]);
    patience.done();
    if (listening === undefined) void opening.then((late) => late?.close(0));
    return listening;
  }

  /** In a cluster Troupe's workers go to other hosts first, so that no call is lost. */
  async #handOver(grace: ShutdownDeadline): Promise<void> {
    if (this.#cluster === undefined || grace.leftMs === 0) return;
    notReady(this.servicer);
    const ofWorkers = new ShutdownDeadline(this.#clock, grace.leftMs * handOverShare);
    await this.#cluster.handOver(ofWorkers.leftMs, Promise.race([ofWorkers.over, grace.over]));
    ofWorkers.done();
  }

  /** Leaves time for the connections to close. */
  async #drain(grace: ShutdownDeadline, reserveMs: number): Promise<void> {
    const ofSessions = new ShutdownDeadline(this.#clock, Math.max(0, grace.leftMs - 2 * reserveMs));
    await this.servicer.drain(ofSessions.leftMs, Promise.race([ofSessions.over, grace.over]));
    ofSessions.done();
  }
}

/** A host uses nothing but the clock itself; all other options are the servicer's. */
function assertNoOptions(options: HostOptions): void {
  const given = Object.entries(options).filter(([name, value]) => value !== undefined && name !== "clock");
  if (given.length === 0) return;
  const names = given.map(([name]) => name).join(", ");
  const text = `The options (${names}) would change nothing: a host beside a servicer takes those of the servicer. Write new HostServicer(options).`;
  throw new TroupeError("invalid-argument", text);
}

function startStopped(): TroupeError {
  return new TroupeError(
    "shutting-down",
    "The host was stopped, and its start has not ended. Look at its state store.",
  );
}
