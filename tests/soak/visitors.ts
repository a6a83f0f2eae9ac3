import { setTimeout as pause } from "node:timers/promises";
import type { Clock, Logger } from "troupe";
import type { FaultProxy } from "troupe/testing";
import type { EventBooks } from "./event-books.ts";
import type { CountedWorker } from "./lost-events.ts";
import { SoakWorker } from "./soak-worker.ts";

export interface VisitorsOptions {
  readonly address: string;
  /** Leads to the same host; every fourth visitor comes by it and has its connection reset in the middle of things. */
  readonly rudeProxy: FaultProxy;
  readonly residents: readonly [SoakWorker, ...SoakWorker[]];
  readonly books: EventBooks;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly everyMs: number;
}

/** The topic type that visitors write to and residents read. */
export const guestbook = "guestbook";

/** Workers that come, talk to the residents and leave, at a steady pace. */
export class Visitors {
  readonly #options: VisitorsOptions;
  readonly #loop: Promise<void>;
  readonly #staying = new Set<Promise<void>>();
  readonly calls = { started: 0, answered: 0, failed: 0 };
  readonly problems: string[] = [];
  /** Those that have lost events, and how many. */
  readonly losers: CountedWorker[] = [];
  count: number;
  #isStopped = false;

  /** `first`: the number of the first one; no name is used twice. */
  constructor(options: VisitorsOptions, first: number) {
    this.#options = options;
    this.count = first;
    this.#loop = this.#keepComing();
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#loop;
    await Promise.all(this.#staying);
  }

  async #keepComing(): Promise<void> {
    while (!this.#isStopped) {
      await pause(this.#options.everyMs);
      const number = this.count++;
      const stay = (number % 4 === 3 ? this.#rudeVisit(number) : this.#visit(number))
        .catch((error: unknown) => {
          this.problems.push(`visitor ${number}: ${String(error)}`);
        })
        .finally(() => this.#staying.delete(stay));
      this.#staying.add(stay);
    }
  }

  /** All of its calls are answered, all events in both directions arrive, and it leaves in order. */
  async #visit(number: number): Promise<void> {
    const { address, residents, books, logger, clock } = this.#options;
    const host = residents[number % residents.length] ?? residents[0];
    const visitor = await SoakWorker.start({ name: `visitor${number}`, address, books, logger, clock });
    const calls = [
      ...Array.from({ length: 10 }, () => visitor.sureCalls.call(visitor.runtime, host.echo)),
      ...Array.from({ length: 5 }, () => host.sureCalls.call(host.runtime, visitor.echo)),
    ];
    for (let event = 0; event < 10; event++) {
      await host.publish(visitor.name);
      await visitor.publish(guestbook);
    }
    await Promise.all(calls);
    await books.until(() => books.hasLast(host.name, `${visitor.name}/default`, `${visitor.name}/default`));
    // Not all of its own events may have arrived yet: `stop` sends what is queued.
    await visitor.stop();
    const hasAll = (reader: SoakWorker) =>
      books.hasLast(visitor.name, `${guestbook}/default`, `${reader.name}/default`);
    await books.until(() => residents.every(hasAll));
    books.removePublisher(visitor.name, `${guestbook}/default`);
    this.#book(visitor);
  }

  /** It loses its connection in the middle of its calls; each of them has an outcome. */
  async #rudeVisit(number: number): Promise<void> {
    const { rudeProxy, residents, books, logger, clock } = this.#options;
    const { address } = rudeProxy;
    const visitor = await SoakWorker.start({ name: `visitor${number}`, address, books, logger, clock });
    const [host] = residents;
    const calls = Array.from({ length: 20 }, () => visitor.riskyCalls.call(visitor.runtime, host.echo));
    rudeProxy.apply({ kind: "reset" });
    await Promise.all(calls);
    await visitor.stop();
    this.#book(visitor);
  }

  #book(visitor: SoakWorker): void {
    const { name, runtime } = visitor;
    if (runtime.counters().lostEvents + runtime.counters().unconfirmedEvents > 0)
      this.losers.push({ name, counts: { ...runtime.counters() } });
    for (const ledger of [visitor.sureCalls, visitor.riskyCalls]) {
      const { started, answered, wrong } = ledger.report();
      this.calls.started += started;
      this.calls.answered += answered;
      this.calls.failed += ledger.failures;
      this.problems.push(...wrong);
    }
    if (visitor.sureCalls.failures > 0) this.problems.push(`a call of ${visitor.name} failed`);
  }
}
