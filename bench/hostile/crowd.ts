import { AttackConnection, type AttackConnectionOptions } from "./attack-connection.ts";

/** Where the attackers attack, and from where. */
export interface Site {
  readonly address: string;
  /** Local addresses that the connections take in turn. */
  readonly from: readonly string[];
}

/** Counts of a flood. */
export interface FloodReport {
  /** Connections opened, those that the host ended, items sent (as the flood counts them), and answers. */
  readonly opened: number;
  readonly ended: number;
  readonly sent: number;
  readonly answers: number;
}

/** The connections of one flood. One that the host ends comes back at once. */
export class Crowd {
  readonly site: Site;
  isOver = false;
  readonly #connections = new Set<AttackConnection>();
  /** Resolves when one of the kept connections has done all that it does. */
  readonly passed: Promise<void>;
  #pass: () => void = () => {};
  /** Resolves when the flood has sent something. */
  readonly begun: Promise<void>;
  #begin: () => void = () => {};
  #sent = 0;
  #opened = 0;
  #ended = 0;
  #answers = 0;

  constructor(site: Site) {
    this.site = site;
    this.passed = new Promise((resolve) => {
      this.#pass = resolve;
    });
    this.begun = new Promise((resolve) => {
      this.#begin = resolve;
    });
  }

  /** Counts what a flood has sent. */
  noteSent(items: number): void {
    this.#sent += items;
    this.#begin();
  }

  /** The local address of the next connection. */
  nextFrom(): string {
    const { from } = this.site;
    this.#opened += 1;
    return from[this.#opened % from.length] ?? "127.0.0.1";
  }

  /** Opens a connection that takes all that comes unless told otherwise; resolves when HTTP/2 is open, or it is gone. */
  async open(
    options: Pick<AttackConnectionOptions, "takesAll" | "onAnswer" | "onClosed"> = {},
  ): Promise<AttackConnection> {
    const connection: AttackConnection = new AttackConnection({
      address: this.site.address,
      from: this.nextFrom(),
      takesAll: true,
      ...options,
      onAnswer: () => {
        this.#answers += 1;
        options.onAnswer?.();
      },
      onClosed: () => {
        this.#connections.delete(connection);
        if (!this.isOver) this.#ended += 1;
        options.onClosed?.();
      },
    });
    this.#connections.add(connection);
    await connection.opened;
    return connection;
  }

  /** Keeps `count` connections: `attack` runs on each as soon as it is open, and again on the one after it. */
  keep(
    count: number,
    attack: (connection: AttackConnection, number: number) => Promise<void> | void,
    options: { readonly takesAll?: boolean } = {},
  ): void {
    const live = async (number: number): Promise<void> => {
      while (!this.isOver) {
        let closed = () => {};
        const gone = new Promise<void>((resolve) => {
          closed = resolve;
        });
        const connection = await this.open({ ...options, onClosed: closed });
        if (!connection.isGone) {
          await attack(connection, number);
          this.#pass();
        }
        await gone;
      }
    };
    for (let number = 0; number < count; number += 1) void live(number);
  }

  report(): FloodReport {
    return { opened: this.#opened, ended: this.#ended, sent: this.#sent, answers: this.#answers };
  }

  /** Ends the flood and hangs up on the host. */
  stop(): FloodReport {
    this.isOver = true;
    for (const connection of this.#connections) connection.destroy();
    return this.report();
  }
}
