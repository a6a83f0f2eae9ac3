import { followAbort, type Timer, unfollowAbort, type WaitOptions } from "../core/internal.ts";
import type { Leaving } from "./claims/leaving.ts";
import type { ConnectionSupervisor } from "./connection/connection-supervisor.ts";
import { mostGraceMs, type Outbox } from "./connection/outbox.ts";
import { MovableLimit } from "./connection/time-limits.ts";
import type { HostServices, WorkerConnection } from "./host-services.ts";
import { isStartingIn, nothingToStop } from "./run-state.ts";
import { drainWorker, endAgents, type WorkerDrainOptions } from "./worker-drain.ts";

/**
 * The reason for the end of a worker's run. `stopped`: you stopped the worker. `drained`: an operator drained it at the host, and it has
 * stopped by itself. `lost`: it lost its host and does not reconnect any more.
 */
export type WorkerClosed =
  | { readonly by: "stopped" }
  | { readonly by: "drained" }
  | { readonly by: "lost"; readonly reason: string };

export interface WorkerStopOptions extends Omit<WorkerDrainOptions, "hurry" | "isSeeking" | "outOfReach" | "leave"> {
  readonly leaving: Leaving;
  readonly supervisor: ConnectionSupervisor<HostServices>;
  /** Whether the present host does not know all that is registered here. */
  readonly isUntold: () => boolean;
}

/**
 * Stops a worker: it gives its agents of shared types to other workers, then its types, finishes what it has, and leaves its host. The
 * connection supervisor holds the state.
 */
export class WorkerStop {
  readonly #options: WorkerStopOptions;
  readonly #supervisor: ConnectionSupervisor<HostServices>;
  #closed = openClosed();
  #hurry = new AbortController();
  /** The time that an operator gives the agents of shared types. Undefined: no operator has asked the worker to stop. */
  #drainedMs: number | undefined;
  /** The time in which the agents of shared types leave. Undefined: they do not leave now. */
  #handingOver: MovableLimit | undefined;
  /** An operator wants the worker to stop, which still starts. The timer ends its time. */
  #afterStart: { readonly dueMs: number; readonly timer: Timer } | undefined;
  /** Aborts when the stop of the present run begins. */
  #run = new AbortController();

  constructor(options: WorkerStopOptions) {
    this.#options = options;
    this.#supervisor = options.supervisor;
  }

  /** Resolves when the run ends. */
  get closed(): Promise<WorkerClosed> {
    return this.#closed.promise;
  }

  /** Aborts when the stop of the present run begins. */
  get run(): AbortSignal {
    return this.#run.signal;
  }

  /** Aborts when a stop may not wait any more. */
  get hurrySignal(): AbortSignal {
    return this.#hurry.signal;
  }

  /** Whether the worker stops, or has stopped, because an operator drained it at its host. */
  get isDrained(): boolean {
    return this.#drainedMs !== undefined;
  }

  /** A run begins. `hasStopped`: the one before has ended by a stop. */
  newRun({ hasStopped }: { readonly hasStopped: boolean }): void {
    if (hasStopped) this.#closed = openClosed();
    this.#hurry = new AbortController();
    this.#run = new AbortController();
    this.#drainedMs = undefined;
  }

  /** The start has ended, or an operator waits no longer for its end. */
  startEnded(): void {
    const { clock } = this.#options.settings;
    const after = this.#afterStart;
    after?.timer.cancel();
    this.#afterStart = undefined;
    // A start that has failed leaves nothing to stop.
    if (after !== undefined && this.#supervisor.state.at !== "closed")
      this.#stopDrained(Math.max(0, after.dueMs - clock.now()));
  }

  /** The run has ended without a stop. */
  ended(closed: WorkerClosed): void {
    this.#closed.resolve(closed);
  }

  /**
   * Drains and leaves the host; stopping twice is fine. An aborted signal acts as `hurry`. After a failed start it ends the agents. Throws
   * `wrong-state` when the worker was never started. Never throws for a dead peer.
   */
  async stop(options: WaitOptions = {}): Promise<void> {
    const { signal } = options;
    const onAbort = () => this.hurry();
    followAbort(signal, onAbort);
    if (signal?.aborted === true) onAbort();
    try {
      await this.#stop();
    } finally {
      unfollowAbort(signal, onAbort);
    }
  }

  #stop(): Promise<void> {
    const { state } = this.#supervisor;
    switch (state.at) {
      case "idle":
        throw nothingToStop();
      case "draining":
        return state.done;
      case "closed":
        if (state.by === "stopped") return Promise.resolve();
        // The first messages may have made agents before the start failed.
        if (state.by === "start-failed") return endAgents(this.#options);
        return this.#beginStop();
      case "connecting":
      case "registering":
      case "connected":
        return this.#beginStop();
    }
  }

  #beginStop(): Promise<void> {
    const closed = this.#closed;
    const { settings } = this.#options;
    const endMs = settings.clock.now() + settings.drainTimeoutMs;
    this.#run.abort();
    const registrar = this.#registrar();
    const handedOver = this.#handOver();
    if (handedOver === undefined) this.#leaveTypes(registrar);
    const done = this.#supervisor.drain(async () => {
      if (handedOver !== undefined) {
        await handedOver;
        this.#leaveTypes(registrar);
      }
      await this.#drain(Math.max(0, endMs - settings.clock.now()));
    });
    const by = this.#drainedMs === undefined ? "stopped" : "drained";
    const ended = () => closed.resolve({ by });
    done.then(ended, ended);
    return done;
  }

  // protocol.md §11.17 L9
  /**
   * Gives the agents of shared types to other workers. Undefined: there are none, or the host can't take them. Resolves when the host has all,
   * or the time is up. Agents of other types go on meanwhile.
   */
  #handOver(): Promise<void> | undefined {
    const { settings, catalog, leaving } = this.#options;
    const { clock, drainTimeoutMs } = settings;
    const ms = this.#drainedMs ?? drainTimeoutMs;
    const outbox = catalog.hasShared && ms > 0 ? this.#claimsWay() : undefined;
    if (outbox === undefined) return undefined;
    const handedOver = leaving.handOver();
    if (!outbox.sayClaims({ kind: "leaving-worker", graceMs: Math.min(Math.ceil(ms), mostGraceMs) })) return undefined;
    const limit = new MovableLimit(ms, clock);
    this.#handingOver = limit;
    return limit.atMost(handedOver, this.#hurry.signal).finally(() => {
      this.#handingOver = undefined;
    });
  }

  /**
   * A way to the host that has placed agents here. The host asks for the agents of the worker, whichever of its connections says that it stops. On
   * a new connection its headers may not have come yet; then an older one is the way.
   */
  #claimsWay(): Outbox | undefined {
    const { state } = this.#supervisor;
    if (state.at !== "connected") return undefined;
    return [state.connection.outbox, state.registrar.outbox].find(
      ({ host, isClosed }) => host.knowsClaims && !isClosed,
    );
  }

  /** From now on the worker takes only calls of its own agents. */
  #leaveTypes(registrar: WorkerConnection | undefined): void {
    this.#options.inbox.intake = "own";
    if (registrar?.isOpen === true) registrar.sayLeaving(this.#options.settings.drainTimeoutMs);
  }

  // protocol.md §11.17 L11
  /**
   * An operator wants the worker to stop. It stops by itself, and finishes its start first. If it stops already, its agents have this time from
   * now on.
   */
  drained(graceMs: number): void {
    const { state } = this.#supervisor;
    const { clock, logger } = this.#options.settings;
    if (isStartingIn(state)) {
      logger.info("An operator drains the worker at its host. The worker stops when it has started.");
      this.#afterStart?.timer.cancel();
      const timer = clock.setTimer(graceMs, () => this.startEnded());
      this.#afterStart = { dueMs: clock.now() + graceMs, timer };
      return;
    }
    if (state.at !== "draining") logger.info("An operator drains the worker at its host. The worker stops.");
    this.#stopDrained(graceMs);
  }

  #stopDrained(graceMs: number): void {
    if (this.#supervisor.state.at === "draining") {
      this.#handingOver?.set(graceMs);
      return;
    }
    this.#drainedMs = graceMs;
    // A stop rejects for nothing that an operator could mend: `closed` tells the end.
    this.stop().catch(() => undefined);
  }

  /**
   * The connection on which the worker gives up its agent types, so that another worker may register them while this one drains. Undefined while an
   * older connection lives. The host knows the types by that one, and the calls of this worker's handlers leave by the other.
   */
  // protocol.md §11.2
  #registrar(): WorkerConnection | undefined {
    const { state } = this.#supervisor;
    if (state.at !== "connected" || state.registrar !== state.connection || this.#options.isUntold()) return undefined;
    return state.connection;
  }

  /** Makes a stop that runs end without waiting: it gives up handlers, and drops and counts queued messages. */
  hurry(): void {
    this.#hurry.abort();
  }

  #drain(drainTimeoutMs: number): Promise<void> {
    const { settings } = this.#options;
    return drainWorker({
      ...this.#options,
      settings: { ...settings, drainTimeoutMs },
      hurry: this.#hurry.signal,
      isSeeking: () => {
        const { state } = this.#supervisor;
        return state.at === "draining" && state.search !== undefined;
      },
      outOfReach: () => this.#supervisor.outOfReach(),
      leave: (signal) => this.#supervisor.leave(signal),
    });
  }
}

function openClosed() {
  let resolve!: (closed: WorkerClosed) => void;
  const promise = new Promise<WorkerClosed>((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}
