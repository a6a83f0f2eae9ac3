import { type Clock, systemClock, TroupeError } from "../core/index.ts";
import { createListenerTally, type Listener, type ListenerCounters, type Listening } from "../transport/index.ts";
import type { HostCounters } from "./counters.ts";
import type { HostOptions } from "./options.ts";
import { HostServicer } from "./servicer.ts";

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
  | { readonly at: "ending"; readonly done: Promise<void> };

const defaultGraceMs = 5_000;

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
    const done = this.#listener.listen(this.#address, [this.servicer.asLinkService()]);
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

  /** Refuses new calls, answers the pending ones with an error and ends all streams within `graceMs`. Twice is fine; never rejects. */
  async stop(graceMs: number = defaultGraceMs): Promise<void> {
    const state = this.#state;
    switch (state.at) {
      case "new":
        return;
      case "ending":
        return state.done;
      case "starting":
        this.#state = { at: "ending", done: this.#endAfter(state.done, graceMs) };
        return this.#state.done;
      case "serving":
        this.#state = { at: "ending", done: this.#end(state.listening, graceMs) };
        return this.#state.done;
    }
  }

  counters(): RunningHostCounters {
    const transport = this.#listening?.counters() ?? createListenerTally();
    return { ...this.servicer.counters(), transport };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  #isStarting(): boolean {
    return this.#state.at === "starting";
  }

  async #endAfter(starting: Promise<Listening>, graceMs: number): Promise<void> {
    const listening = await starting.catch(() => undefined);
    if (listening === undefined) this.#markClosed();
    else await this.#end(listening, graceMs);
  }

  async #end(listening: Listening, graceMs: number): Promise<void> {
    const deadline = this.#clock.now() + graceMs;
    await this.servicer.drain(graceMs);
    await listening.close(Math.max(0, deadline - this.#clock.now()));
    this.#markClosed();
  }
}
