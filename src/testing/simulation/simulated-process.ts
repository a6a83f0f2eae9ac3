import type { Clock, MakeId, Timer } from "../../core/internal.ts";
import type { Dialer, Link } from "../../transport/internal.ts";

/** Name of a simulated process, and the clock, ids and dialer that it uses. */
export interface SimulatedProcessParts {
  readonly name: string;
  readonly clock: Clock;
  readonly makeId: MakeId;
  readonly dialer: Dialer;
}

/**
 * Clock, ids and network of one process in a simulation. Killing it, as SIGKILL would, stops its timers, cuts its
 * connections and prevents new ones.
 */
export class SimulatedProcess {
  readonly name: string;
  readonly clock: Clock;
  readonly makeId: MakeId;
  readonly dialer: Dialer;
  /** Resolves when the process is killed. */
  readonly killed: Promise<void>;
  readonly #timers = new Set<Timer>();
  readonly #links = new Set<Link>();
  #isAlive = true;
  #markKilled!: () => void;

  constructor({ name, clock, makeId, dialer }: SimulatedProcessParts) {
    this.name = name;
    this.makeId = makeId;
    this.killed = new Promise((resolve) => {
      this.#markKilled = resolve;
    });
    this.clock = {
      now: () => clock.now(),
      wallNow: () => clock.wallNow(),
      setTimer: (delayMs, callback) => this.#setTimer(clock, delayMs, callback),
    };
    this.dialer = { dial: (address) => this.#dial(dialer, address) };
  }

  get isAlive(): boolean {
    return this.#isAlive;
  }

  /** Number of timers that have neither run nor been cancelled. */
  get pendingTimers(): number {
    return this.#timers.size;
  }

  kill(): void {
    this.#isAlive = false;
    for (const timer of [...this.#timers]) timer.cancel();
    for (const link of this.#links) void link.close();
    this.#markKilled();
  }

  #dial(dialer: Dialer, address: string): Link {
    if (!this.#isAlive) return deadLink;
    const link = dialer.dial(address);
    this.#links.add(link);
    void link.closed.then(() => this.#links.delete(link));
    return link;
  }

  #setTimer(clock: Clock, delayMs: number, callback: () => void): Timer {
    if (!this.#isAlive) return { cancel: () => undefined };
    const inner = clock.setTimer(delayMs, () => {
      this.#timers.delete(timer);
      callback();
    });
    const timer: Timer = {
      cancel: () => {
        this.#timers.delete(timer);
        inner.cancel();
      },
    };
    this.#timers.add(timer);
    return timer;
  }
}

const never = new Promise<never>(() => undefined);

/** Link of a killed process: it never does anything. */
const deadLink: Link = {
  ready: () => never,
  unary: () => never,
  openStream: () => ({
    send: () => false,
    maxSendBytes: 0,
    queuedBytes: 0,
    queuedFrames: 0,
    unsentFrames: 0,
    unconfirmedFrames: 0,
    beforeAsking: () => () => undefined,
    unreadFrames: 0,
    receivedBytes: 0,
    pause: () => undefined,
    resume: () => undefined,
    end: () => undefined,
    cancel: () => undefined,
    flushed: () => Promise.resolve(),
  }),
  close: async () => undefined,
  leaving: never,
  closed: never,
};
