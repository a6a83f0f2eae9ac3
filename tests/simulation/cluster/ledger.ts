import { type AgentName, compareEpochs, type Epoch, formatEpoch } from "../../../src/core/internal.ts";
import type { MailFigures } from "../mail/mail-ledger.ts";

/** What complains when a promise is broken. */
export const clusterCheckers = [
  ...(["activation", "claims", "fencing", "leases", "settled", "leaks", "shards", "balance", "calls", "mail"] as const),
  "crash",
] as const;

/** A promise that was broken. */
export interface ClusterBreach {
  readonly checker: (typeof clusterCheckers)[number];
  readonly text: string;
}

/** A call of the world to an agent. */
export interface ClusterCall {
  readonly number: number;
  readonly agent: AgentName;
  readonly turnMs: number;
  settle(outcome: "answered" | "undeliverable" | "not-taken"): void;
}

interface Holder {
  readonly epoch: Epoch;
  readonly workerId: string;
}

/** After a store has forgotten writes, hosts may not know that for so long: the length of a lease, and time for a renewal. */
const forgottenMs = 25_000;

/** Numbers of what has happened in a world. */
export interface ClusterFigures extends MailFigures {
  calls: number;
  answered: number;
  turns: number;
  sends: number;
  overlaps: number;
  refusedSaves: number;
  claims: number;
  moves: number;
  burials: number;
  deaths: number;
  joins: number;
  rejoins: number;
  isolations: number;
  regressions: number;
  lives: number;
  shardsTaken: number;
  shardsHandedOver: number;
  /** Workers that their host asked to go to another one. */
  balanced: number;
  /** Shards that were taken with lost readers before. */
  lostReaders: number;
}

export function noFigures(): ClusterFigures {
  return {
    ...{ calls: 0, answered: 0, turns: 0, sends: 0, overlaps: 0, refusedSaves: 0, claims: 0, moves: 0, burials: 0 },
    ...{ deaths: 0, joins: 0, rejoins: 0, isolations: 0, regressions: 0, lives: 0 },
    ...{ shardsTaken: 0, shardsHandedOver: 0, balanced: 0, lostReaders: 0 },
    ...{ mailKept: 0, mailHandled: 0, mailDeleted: 0, mailLost: 0, deletionFaults: 0 },
  };
}

/** The story of a world, and which promises were broken. */
export class ClusterLedger {
  readonly breaches: ClusterBreach[] = [];
  readonly lines: string[] = [];
  readonly figures = noFigures();
  readonly #now: () => number;
  readonly #keepsLines: boolean;
  readonly #isFencing: boolean;
  readonly #starts = new Map<string, Holder>();
  readonly #saves = new Map<string, Holder>();
  readonly #running = new Map<string, Set<Holder>>();
  #forgotUntilMs = 0;

  constructor(now: () => number, keepsLines: boolean, isFencing: boolean) {
    this.#now = now;
    this.#keepsLines = keepsLines;
    this.#isFencing = isFencing;
  }

  /** Whether hosts may not have noticed yet that the store has forgotten writes. */
  get mayBeForgotten(): boolean {
    return this.#now() < this.#forgotUntilMs;
  }

  line(text: () => string): void {
    if (this.#keepsLines) this.lines.push(`${this.#now().toFixed(1).padStart(9)} ${text()}`);
  }

  breach(checker: ClusterBreach["checker"], text: string): void {
    this.line(() => `BREACH [${checker}] ${text}`);
    if (this.breaches.length < 20) this.breaches.push({ checker, text: `at ${this.#now().toFixed(1)}: ${text}` });
  }

  forgot(): void {
    this.#forgotUntilMs = this.#now() + forgottenMs;
  }

  /** A handler starts. For a stock worker: a message is sent to it. */
  started(agent: AgentName, workerId: string, epoch: Epoch, what: "turn" | "send"): Holder {
    this.figures[what === "turn" ? "turns" : "sends"] += 1;
    const name = `${agent.type}/${agent.key}`;
    this.line(() => `${what} of ${name} at ${workerId.slice(0, 8)} under ${formatEpoch(epoch)}`);
    const holder = { epoch, workerId };
    this.#compare("activation", this.#starts, name, holder, `a ${what}`);
    const running = this.#running.get(name) ?? new Set();
    if ([...running].some((other) => other.workerId !== workerId)) this.figures.overlaps += 1;
    running.add(holder);
    this.#running.set(name, running);
    return holder;
  }

  /** A turn ends, and saves the state of its agent. */
  saved(agent: AgentName, holder: Holder): void {
    const name = `${agent.type}/${agent.key}`;
    this.#running.get(name)?.delete(holder);
    const before = this.#saves.get(name);
    if (before !== undefined && this.#isFencing && compareEpochs(holder.epoch, before.epoch) < 0) {
      this.figures.refusedSaves += 1;
      return;
    }
    if (before !== undefined && compareEpochs(holder.epoch, before.epoch) < 0)
      this.breach("fencing", `${name} was saved under ${formatEpoch(holder.epoch)} after ${formatEpoch(before.epoch)}`);
    this.#saves.set(name, holder);
  }

  #compare(checker: "activation", map: Map<string, Holder>, name: string, holder: Holder, what: string): void {
    const before = map.get(name);
    // What happens before all hosts know of a loss counts for nothing.
    if (this.mayBeForgotten) {
      map.delete(name);
      return;
    }
    map.set(name, holder);
    if (before === undefined) return;
    const order = compareEpochs(holder.epoch, before.epoch);
    const of = ({ epoch, workerId }: Holder) => `${formatEpoch(epoch)} of ${workerId.slice(0, 8)}`;
    if (order < 0) this.breach(checker, `${what} of ${name} under ${of(holder)} after one under ${of(before)}`);
    if (order === 0 && holder.workerId !== before.workerId)
      this.breach(checker, `${what} of ${name} under ${of(holder)}, which was an epoch of ${of(before)}`);
  }
}
