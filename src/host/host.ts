import { type Clock, systemClock, TroupeError } from "../core/internal.ts";
import { createListenerCounters, type Listener, type ListenerCounters, type Listening } from "../transport/internal.ts";
import type { HostCounters } from "./counters.ts";
import type { HostOptions } from "./options.ts";
import { HostServicer } from "./servicer.ts";
import type { SessionReport } from "./sessions/session-report.ts";
import { ShutdownDeadline } from "./shutdown-deadline.ts";

export interface HostParts {
  readonly listener: Listener;
  /** `host:port`; port 0 takes a free one. */
  readonly address: string;
  /** What is served. Default: a new `HostServicer` with the given options. */
  readonly servicer?: HostServicer;
}

/** What a host has done, and what its listener has seen beneath the calls; the latter all 0 before the start. */
export interface RunningHostCounters extends HostCounters {
  readonly transport: ListenerCounters;
}

type HostState =
  | { readonly at: "new" }
  | { readonly at: "starting"; readonly done: Promise<Listening> }
  | { readonly at: "serving"; readonly listening: Listening }
  | { readonly at: "ending"; readonly grace: ShutdownDeadline; readonly done: Promise<void> };

const defaultGraceMs = 5_000;
/** Of the grace so much, and no more than a quarter, is left for connections to close when the channels have ended. */
const goodbyeMs = 1_000;

/** A servicer on a listener: what workers connect to. It starts once; disposing it stops it with the default grace of 5 s. */
export class Host implements AsyncDisposable {
  readonly servicer: HostServicer;
  readonly #listener: Listener;
  readonly #clock: Clock;
  /** Resolves when the host has stopped; never rejects. */
  readonly closed: Promise<void>;
  #markClosed: () => void = () => {};
  #address: string;
  #state: HostState = { at: "new" };
  /** Kept after the end, for what it has counted. */
  #listening: Listening | undefined;

  constructor({ listener, address, servicer }: HostParts, options: HostOptions = {}) {
    this.#listener = listener;
    this.#address = address;
    this.#clock = options.clock ?? systemClock;
    this.closed = new Promise((resolve) => {
      this.#markClosed = resolve;
    });
    this.servicer = servicer ?? new HostServicer(options);
  }

  /** The address that workers dial, with the real port once the host has started. */
  get address(): string {
    return this.#address;
  }

  /** Resolves when workers can connect. Throws `wrong-state` the second time; rejects when the address can't be had. */
  async start(): Promise<void> {
    if (this.#state.at === "ending") throw new TroupeError("wrong-state", "Host runtime is stopped; make a new one.");
    if (this.#state.at !== "new") throw new TroupeError("wrong-state", "Host runtime is already started.");
    const services = [this.servicer.asLinkService(), this.servicer.asSignalService()];
    const done = this.#listener.listen(this.#address, services);
    this.#state = { at: "starting", done };
    try {
      const listening = await done;
      this.#listening = listening;
      this.#address = listening.address;
      if (this.#isStarting()) this.#state = { at: "serving", listening };
    } catch (error) {
      if (this.#isStarting()) this.#state = { at: "new" };
      throw error;
    }
  }

  /**
   * Tells Troupe's workers that it goes, refuses new calls, answers the pending ones with an error, and ends all streams
   * within `graceMs`: what a worker has not taken by then is lost. A second call may shorten the grace. Never rejects.
   */
  async stop(graceMs: number = defaultGraceMs): Promise<void> {
    const state = this.#state;
    switch (state.at) {
      case "new":
        return;
      case "ending":
        state.grace.shorten(graceMs);
        return state.done;
      case "starting":
        return this.#endWithin(graceMs, state.done);
      case "serving":
        return this.#endWithin(graceMs, Promise.resolve(state.listening));
    }
  }

  /** What is going on with each worker that has a channel now. */
  sessions(): readonly SessionReport[] {
    return this.servicer.sessions();
  }

  counters(): RunningHostCounters {
    const transport = this.#listening?.counters() ?? createListenerCounters();
    return { ...this.servicer.counters(), transport };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  #isStarting(): boolean {
    return this.#state.at === "starting";
  }

  #endWithin(graceMs: number, starting: Promise<Listening>): Promise<void> {
    const grace = new ShutdownDeadline(this.#clock, graceMs);
    const done = this.#end(starting, grace, Math.min(goodbyeMs, graceMs / 4));
    this.#state = { at: "ending", grace, done };
    return done;
  }

  async #end(starting: Promise<Listening>, grace: ShutdownDeadline, reserveMs: number): Promise<void> {
    const listening = await starting.catch(() => undefined);
    if (listening !== undefined) {
      await this.#drain(grace, reserveMs);
      void grace.over.then(() => listening.close(0));
      await listening.close(Math.max(0, grace.leftMs - reserveMs));
    }
    grace.done();
    this.#markClosed();
  }

  /** Leaves time for the connections to close. */
  async #drain(grace: ShutdownDeadline, reserveMs: number): Promise<void> {
    const ofSessions = new ShutdownDeadline(this.#clock, Math.max(0, grace.leftMs - 2 * reserveMs));
    await this.servicer.drain(ofSessions.leftMs, Promise.race([ofSessions.over, grace.over]));
    ofSessions.done();
  }
}
