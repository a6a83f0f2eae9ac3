import type { Clock } from "../../../src/core/internal.ts";
import type { Dice } from "../../../src/testing/index.ts";

/** One end of a channel. */
export interface ChannelEnd<In> {
  readonly clock: Clock;
  onMessage(message: In): void;
  /** The channel is gone. Called once. */
  onLost(): void;
}

/** Options of a `Channel`. */
export interface ChannelOptions<ToHost, ToWorker> {
  readonly clock: Clock;
  readonly dice: Dice;
  readonly host: ChannelEnd<ToHost>;
  readonly worker: ChannelEnd<ToWorker>;
}

/** After this silence an end notices that its channel is cut. */
const mostSilenceMs = 10_000;

interface Direction {
  lastMs: number;
  isCut: boolean;
}

/** A connection between a worker and a host. Messages of one direction keep their order. */
export class Channel<ToHost, ToWorker> {
  readonly #options: ChannelOptions<ToHost, ToWorker>;
  readonly #up: Direction = { lastMs: 0, isCut: false };
  readonly #down: Direction = { lastMs: 0, isCut: false };
  #isHostOpen = true;
  #isWorkerOpen = true;

  constructor(options: ChannelOptions<ToHost, ToWorker>) {
    this.#options = options;
  }

  get isHostOpen(): boolean {
    return this.#isHostOpen;
  }

  /** Whether what the host sends may still reach the worker: it neither has left nor was killed. */
  get reachesWorker(): boolean {
    return this.#isHostOpen && this.#isWorkerOpen && !this.#down.isCut;
  }

  toHost(message: ToHost): void {
    const { host } = this.#options;
    if (!this.#isWorkerOpen) return;
    this.#deliver(this.#up, host.clock, () => {
      if (this.#isHostOpen) host.onMessage(message);
    });
  }

  toWorker(message: ToWorker): void {
    const { worker } = this.#options;
    if (!this.#isHostOpen) return;
    this.#deliver(this.#down, worker.clock, () => {
      if (this.#isWorkerOpen) worker.onMessage(message);
    });
  }

  /** Cuts the line. Each end learns of it at its own time: soon, or only by the silence. */
  cut(isSilent: boolean): void {
    const { clock, dice } = this.#options;
    this.#up.isCut = true;
    this.#down.isCut = true;
    const noticeMs = () => (isSilent ? dice.between(1_000, mostSilenceMs) : dice.between(0, 50));
    clock.setTimer(noticeMs(), () => this.#endHost());
    clock.setTimer(noticeMs(), () => this.#endWorker());
  }

  /** The host ends the channel; the worker learns of it behind what was sent. */
  endByHost(): void {
    if (!this.#isHostOpen) return;
    this.#isHostOpen = false;
    this.#deliver(this.#down, this.#options.worker.clock, () => this.#endWorker());
  }

  endByWorker(): void {
    if (!this.#isWorkerOpen) return;
    this.#isWorkerOpen = false;
    this.#deliver(this.#up, this.#options.host.clock, () => this.#endHost());
  }

  #endHost(): void {
    const { host } = this.#options;
    host.clock.setTimer(0, () => {
      if (!this.#isHostOpen) return;
      this.#isHostOpen = false;
      host.onLost();
    });
  }

  #endWorker(): void {
    const { worker } = this.#options;
    worker.clock.setTimer(0, () => {
      if (!this.#isWorkerOpen) return;
      this.#isWorkerOpen = false;
      worker.onLost();
    });
  }

  #deliver(direction: Direction, receiver: Clock, arrive: () => void): void {
    if (direction.isCut) return;
    const { clock, dice } = this.#options;
    const draw = dice.next();
    const latencyMs = draw < 0.97 ? dice.between(0, 3) : dice.between(4, 400);
    // Two at the same moment would run in any order.
    direction.lastMs = Math.max(direction.lastMs + 0.001, clock.now() + latencyMs);
    clock.setTimer(direction.lastMs - clock.now(), () => {
      if (!direction.isCut) receiver.setTimer(0, arrive);
    });
  }
}
