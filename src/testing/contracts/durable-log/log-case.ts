import type { AgentName, Clock, DurableLog } from "../../../core/internal.ts";
import { ManualClock } from "../../manual-clock.ts";

type MaybePromise<T> = T | Promise<T>;

/** Options of a log that the suite tests. */
export interface TestedLogOptions {
  /** The clock that the log must take wall times from. The suite moves it. */
  readonly clock: Clock;
  /** Whether a log with a clock of its own must forget ids and dead letters within a second, not after 10 minutes and 30 days. */
  readonly forgetsSoon: boolean;
}

/** A log under test. */
export interface DurableLogAdapter {
  /** Makes a new, empty log. */
  create(options: TestedLogOptions): MaybePromise<DurableLog>;
  /** Closes a log that `create`, `reopen` or `another` has made. */
  close(log: DurableLog): MaybePromise<void>;
  /** Makes another log over the data of one that is closed, as another process would. */
  reopen(log: DurableLog, options: TestedLogOptions): MaybePromise<DurableLog>;
  /** The same while the other one is open. Default: the log has one process at a time, and cases of several do not run. */
  readonly another?: ((log: DurableLog, options: TestedLogOptions) => MaybePromise<DurableLog>) | undefined;
  /** Kills the servers of the log and starts them again. Default: it has none, and these cases do not run. */
  readonly restart?: ((log: DurableLog) => MaybePromise<void>) | undefined;
  /** Whether the log goes by a clock of its own. Default: false. */
  readonly hasOwnClock?: boolean | undefined;
}

/** Tools of one case; it closes afterwards whatever they made. */
export class LogLab {
  readonly clock = new ManualClock(Date.UTC(2030, 0, 1));
  readonly adapter: DurableLogAdapter;
  readonly #open = new Set<DurableLog>();
  #forgetsSoon = false;

  constructor(adapter: DurableLogAdapter) {
    this.adapter = adapter;
  }

  get hasOwnClock(): boolean {
    return this.adapter.hasOwnClock === true;
  }

  /** A new, empty log. */
  async open({ forgetsSoon = false }: { readonly forgetsSoon?: boolean } = {}): Promise<DurableLog> {
    this.#forgetsSoon = forgetsSoon;
    return this.#add(await this.adapter.create(this.#options));
  }

  /** Closes a log. */
  async close(log: DurableLog): Promise<void> {
    if (this.#open.delete(log)) await this.adapter.close(log);
  }

  /** Opens the data of a closed log again, as another process. */
  async openAgain(log: DurableLog): Promise<DurableLog> {
    return this.#add(await this.adapter.reopen(log, this.#options));
  }

  /** Closes a log, and opens its data again. */
  async reopen(log: DurableLog): Promise<DurableLog> {
    await this.close(log);
    return await this.openAgain(log);
  }

  /** Opens the data of a log for another process, beside it. */
  async another(log: DurableLog): Promise<DurableLog> {
    const { another } = this.adapter;
    if (another === undefined) throw new Error("This log has one process at a time.");
    return this.#add(await another(log, this.#options));
  }

  async closeAll(): Promise<void> {
    for (const log of [...this.#open].reverse()) await this.close(log);
  }

  #add(log: DurableLog): DurableLog {
    this.#open.add(log);
    return log;
  }

  get #options(): TestedLogOptions {
    return { clock: this.clock, forgetsSoon: this.#forgetsSoon };
  }
}

/** One promise of the port, and the function that tests it. */
export interface LogCase {
  readonly promise: string;
  readonly tryIt: (lab: LogLab) => Promise<void>;
}

/** The agent of most cases. */
export const agent: AgentName = { type: "counter", key: "k" };
/** Another agent. */
export const other: AgentName = { type: "b", key: "k" };
export const minuteMs = 60_000;
