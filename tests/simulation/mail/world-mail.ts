import { type AgentName, isFullMail, type RuntimeLog, shardOf } from "../../../src/core/internal.ts";
import type { Dice, ProcessClock, SimulatedClock } from "../../../src/testing/index.ts";
import { HostMail } from "./host-mail.ts";
import { type MailFigures, MailLedger } from "./mail-ledger.ts";
import { type DeletionFault, SimulatedConnection } from "./simulated-connection.ts";
import { SimulatedServers } from "./simulated-servers.ts";

/** The mail of a world. */
export interface MailPlan {
  /** Mailboxes, and milliseconds between two messages, on average. */
  readonly mailboxes: number;
  readonly everyMs: number;
  /** Whether hosts that can't reach the coordination store can't reach the log either. */
  readonly isCutWithStore: boolean;
}

/** A host that sends mail, and reads it. */
export interface MailHost {
  readonly name: string;
  readonly isLive: boolean;
  readonly mail: HostMail | undefined;
}

/** The parts of a `WorldMail`. */
export interface WorldMailParts {
  readonly plan: MailPlan;
  readonly clock: SimulatedClock;
  readonly dice: Dice;
  readonly shards: number;
  readonly hosts: () => readonly MailHost[];
  readonly figures: MailFigures;
  readonly breach: (text: string) => void;
  readonly line: (text: () => string) => void;
}

/** Milliseconds after which a sender that has no answer asks another host. */
const patienceMs = 20_000;
const againMs = 700;
/** Of the messages, one in so many is followed by the deletion of its agent. */
const deletedOf = 60;
const longestAwayMs = 4_000;

const silent = (): void => undefined;
const log: RuntimeLog = { debug: silent, info: silent, warn: silent, error: silent };

/** The mail of all hosts of a world: who sends, at which servers, and with which faults. */
export class WorldMail {
  readonly ledger: MailLedger;
  readonly #parts: WorldMailParts;
  readonly #servers: SimulatedServers;
  readonly #mailboxes: readonly AgentName[];
  /** Mailboxes to which a message is on its way: each has one sender, which sends in order. */
  readonly #busy = new Set<AgentName>();
  #fault: DeletionFault | undefined;
  #count = 0;
  #isSending = true;

  constructor(parts: WorldMailParts) {
    this.#parts = parts;
    this.ledger = new MailLedger(parts);
    this.#servers = new SimulatedServers(parts.clock, {
      onKept: (message, stream) => this.ledger.kept(message, stream),
      onDeleted: (message) => this.ledger.deleted(message),
      onLost: (messages) => this.ledger.lost(messages),
    });
    this.#mailboxes = mailboxesIn(parts.shards, parts.plan.mailboxes);
  }

  /** The mail of a new host. */
  of(host: string, process: ProcessClock): HostMail {
    const { clock, figures } = this.#parts;
    const dice = this.#parts.dice.fork(`mail of ${host}`);
    const deletionFault = () => {
      if (this.#fault !== undefined) figures.deletionFaults += 1;
      return this.#fault;
    };
    const connection = new SimulatedConnection({ servers: this.#servers, clock, process, dice, deletionFault });
    return new HostMail({ host, clock: process, dice, ledger: this.ledger, connection, log });
  }

  begin(): void {
    this.#sendNext();
  }

  /** Deletions have a fault for some time. */
  breakDeletions(fault: DeletionFault, forMs: number): void {
    this.#fault = fault;
    this.#parts.clock.setTimer(forMs, () => {
      this.#fault = undefined;
    });
  }

  cut({ mail }: MailHost): void {
    if (this.#parts.plan.isCutWithStore) mail?.connection.cut();
  }

  join({ mail }: MailHost): void {
    mail?.connection.join();
  }

  cutAll(): void {
    for (const host of this.#parts.hosts()) this.cut(host);
  }

  joinAll(): void {
    for (const host of this.#parts.hosts()) this.join(host);
  }

  /** The servers lose all and come back; each client finds them again after a while of its own. */
  loseAll(): void {
    const { clock, dice, line } = this.#parts;
    line(() => "the servers of the log have lost all");
    const cut = this.#parts.hosts().flatMap(({ mail }) => mail?.connection ?? []);
    for (const connection of cut) connection.cut();
    this.#servers.empty();
    for (const connection of cut) clock.setTimer(dice.between(100, longestAwayMs), () => connection.join());
  }

  /** Nothing fails any more, and nothing more is sent. */
  heal(): void {
    this.#isSending = false;
    this.#fault = undefined;
    this.joinAll();
  }

  /** Whether all that was sent has been kept, handled and deleted. */
  get isAtRest(): boolean {
    return this.#busy.size === 0 && this.ledger.isAtRest;
  }

  #sendNext(): void {
    const { clock, dice, plan } = this.#parts;
    clock.setTimer(dice.between(1, 2 * plan.everyMs), () => {
      if (!this.#isSending) return;
      const free = this.#mailboxes.filter((mailbox) => !this.#busy.has(mailbox));
      if (free.length > 0) void this.#send(dice.pick(free));
      this.#sendNext();
    });
  }

  async #send(mailbox: AgentName): Promise<void> {
    const { clock, dice } = this.#parts;
    this.#busy.add(mailbox);
    this.#count += 1;
    const id = `m${this.#count}`;
    this.ledger.sending(mailbox, id);
    const message = { id, kind: "call", frame: new Uint8Array(8), sentAtMs: clock.wallNow() } as const;
    for (;;) {
      const host = this.#pickHost();
      if (host?.mail !== undefined && (await this.#isKept(host.mail.keep(mailbox, message)))) break;
      await new Promise<void>((resolve) => void clock.setTimer(againMs, resolve));
    }
    this.ledger.told(id);
    if (dice.chance(1 / deletedOf)) await this.#empty(mailbox);
    this.#busy.delete(mailbox);
  }

  /** Deletes what an agent has, and asks again as an outbox does. */
  async #empty(mailbox: AgentName): Promise<void> {
    const { clock, dice } = this.#parts;
    for (let tries = 0; tries < 5; tries += 1) {
      const host = this.#pickHost();
      const emptied = host?.mail?.empty(mailbox, dice.between(0, 2_000)).then(() => true);
      if (emptied !== undefined && (await this.#inTime(emptied, false))) return;
      await new Promise<void>((resolve) => void clock.setTimer(againMs, resolve));
    }
  }

  #pickHost(): MailHost | undefined {
    const live = this.#parts.hosts().filter(({ isLive }) => isLive);
    return live.length === 0 ? undefined : this.#parts.dice.pick(live);
  }

  #isKept(kept: ReturnType<HostMail["keep"]>): Promise<boolean> {
    return this.#inTime(
      kept.then((outcome) => !isFullMail(outcome)),
      false,
    );
  }

  /** What a host has answered; `otherwise`: it failed, or is killed or paused. */
  #inTime<T>(answer: Promise<T>, otherwise: T): Promise<T> {
    return new Promise<T>((resolve) => {
      const limit = this.#parts.clock.setTimer(patienceMs, () => resolve(otherwise));
      const end = (outcome: T) => {
        limit.cancel();
        resolve(outcome);
      };
      answer.then(end, () => end(otherwise));
    });
  }
}

/** Agents whose mail is in the first shards, which worlds have. */
function mailboxesIn(shards: number, count: number): readonly AgentName[] {
  const found: AgentName[] = [];
  for (let key = 0; found.length < count; key += 1) {
    const mailbox = { type: "writer", key: String(key) };
    if (shardOf(mailbox) < shards) found.push(mailbox);
  }
  return found;
}
