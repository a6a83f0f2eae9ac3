import { type Clock, type DurableLog, systemClock } from "../../src/core/internal.ts";
import { openNatsLogWith } from "../../src/nats/open-nats-log.ts";
import type { DurableLogAdapter, TestedLogOptions } from "../../src/testing/index.ts";
import type { NatsServer } from "./nats-server.ts";

/** Logs on NATS servers that outlive them. Each new log is that of another cluster. */
export class NatsLogs {
  readonly #servers: () => readonly NatsServer[];
  readonly #names = new Map<DurableLog, string>();
  #count = 0;

  constructor(servers: () => readonly NatsServer[]) {
    this.#servers = servers;
  }

  newName(): string {
    this.#count += 1;
    return `logs-${process.pid}-${this.#count}`;
  }

  /** Opens a log. `wallClock` says the time of its messages; timers are the system's. */
  async open(
    clusterName = this.newName(),
    wallClock: Pick<Clock, "wallNow"> = systemClock,
    forgetsSoon = false,
  ): Promise<DurableLog & AsyncDisposable> {
    const clock: Clock = {
      now: () => systemClock.now(),
      wallNow: () => wallClock.wallNow(),
      setTimer: (...given) => systemClock.setTimer(...given),
    };
    const urls = this.#servers().map(({ url }) => url);
    const limits = forgetsSoon ? { mailIdMs: 500, deadLetterMs: 500 } : {};
    const log = await openNatsLogWith(urls, { clusterName, clock, maxMailBytes: 64 * 1024 * 1024 }, { limits });
    this.#names.set(log, clusterName);
    return log;
  }

  /** The adapter as the contract suite takes it. */
  adapter(): DurableLogAdapter {
    const again = (log: DurableLog, { clock, forgetsSoon }: TestedLogOptions) =>
      this.open(this.#names.get(log), clock, forgetsSoon);
    return {
      create: ({ clock, forgetsSoon }) => this.open(this.newName(), clock, forgetsSoon),
      reopen: again,
      another: again,
      close: async (log) => {
        // The logs that `open` makes.
        await (log as DurableLog & AsyncDisposable)[Symbol.asyncDispose]();
      },
      restart: async () => {
        await Promise.all(this.#servers().map((server) => server.kill()));
        await Promise.all(this.#servers().map((server) => server.restart()));
      },
      hasOwnClock: true,
    };
  }
}
