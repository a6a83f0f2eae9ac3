import { startHost } from "../../peers/start-host.ts";
import type { Contender, Round } from "../../support/contender.ts";
import { ProcessGroup, roundOf } from "../../support/process-group.ts";
import { programCommand } from "../../support/project.ts";
import { KeptCallContender } from "../calls/contenders.ts";
import { type Keeping, type KeptStore, makeStore } from "../calls/kept.ts";
import { usualLoad } from "../calls/loads.ts";

/** One round of reminders, as the benchmark commands it. */
export interface ReminderRound extends ReminderLoad {
  readonly type: "plain" | "kept";
}

export interface ReminderLoad {
  readonly text: string;
  /** Agents, each with one reminder. */
  readonly count: number;
  /** Milliseconds between the first and the last due time. */
  readonly spreadMs: number;
}

const mostTries = 4;

/** A host with a store, and a worker whose agents are reminded. */
export class ReminderContender implements Contender<ReminderLoad> {
  readonly name: string;
  readonly #type: "plain" | "kept";
  readonly #keeping: Keeping;
  readonly #group: ProcessGroup;
  #store: KeptStore | undefined;

  constructor(name: string, type: "plain" | "kept", keeping: Keeping) {
    this.name = name;
    this.#type = type;
    this.#keeping = keeping;
    this.#group = new ProcessGroup(name);
  }

  async start(): Promise<void> {
    this.#store = await makeStore(this.#keeping);
    const address = await startHost(this.#group, "troupe", this.#store.flags);
    await this.#group.start("worker", programCommand(import.meta, "worker", address)).next("ready");
  }

  /**
   * The processor time counts setting the reminders, too. A round that fired before all were set does not count, and is repeated.
   * `warmUpSeconds`: not 0 for a warm-up, which has a tenth of the reminders.
   */
  async measure({ count, ...load }: ReminderLoad, warmUpSeconds: number): Promise<Round> {
    const worker = this.#group.get("worker");
    const round = { ...load, count: warmUpSeconds > 0 ? count / 10 : count, type: this.#type };
    for (let tries = 0; tries < mostTries; tries += 1) {
      const { late, ...measured } = await this.#group.withProcessorTime(async () => {
        worker.send(round);
        return roundOf(await worker.next("round"));
      });
      if (late === 0) return measured;
    }
    throw new Error(
      `${this.name}: ${mostTries} times reminders were due before all were set. Measure on a calmer machine.`,
    );
  }

  async stop(): Promise<void> {
    await this.#group.stop();
    await this.#store?.remove();
  }
}

/** Calls without a state beside the reminders: 64 in flight. */
export class PlainCalls implements Contender<ReminderLoad> {
  readonly name = "calls without state, 64 in flight";
  readonly #calls = new KeptCallContender(this.name, "plain", "memory");

  start(): Promise<void> {
    return this.#calls.start();
  }

  async measure(): Promise<Round> {
    return this.#calls.measure(usualLoad, 1);
  }

  stop(): Promise<void> {
    return this.#calls.stop();
  }
}
