import { setTimeout as pause } from "node:timers/promises";
import { AgentId, type AgentRuntime, type SendOptions, TroupeError, UndeliverableException } from "troupe";
import { Add } from "../programs/account-messages.ts";

export interface AccountCallsOptions {
  readonly runtime: AgentRuntime;
  /** For the names of its entries; no other load has it. */
  readonly name: string;
  /** Called in turn, until it goes on with others. */
  readonly accounts: readonly string[];
  /** Calls in flight at any time. */
  readonly concurrency: number;
  /** Whether a call without a key that failed with this error has certainly changed nothing. */
  readonly hasChangedNothing: (error: TroupeError) => boolean;
  /** For the calls without a key. */
  readonly call?: SendOptions;
  /** Whether every second call has a key, and is made again until it is answered. Default: true. */
  readonly isKeyed?: boolean;
  /** Milliseconds after the outcome of a call until the next one. Default: 0. */
  readonly gapMs?: number;
}

/** What the callers of an account know of its entries. */
export interface AccountBook {
  /** Answered, with the place that the answer has named. */
  readonly answered: Map<string, number>;
  /** Certainly not there, with the error that says so. */
  readonly refused: Map<string, string>;
  /** Of unknown outcome. */
  readonly undecided: Set<string>;
  /** All that were to be told, whatever their outcome. */
  readonly told: Set<string>;
  /** All that set a reminder, whatever their outcome. */
  readonly reminded: Set<string>;
}

interface Failures {
  readonly count: number;
  /** The text of the first one. */
  readonly text: string;
}

/** Codes of calls that may be made again with their key. */
const passingCodes = new Set<string>([
  ...["undeliverable", "disconnected", "shutting-down", "overloaded", "timed-out"],
  ...["state-conflict", "state-unavailable", "state-unknown"],
]);
/** Codes of calls that failed because the store did. */
const storeCodes = new Set<string>(["state-unavailable", "state-unknown"]);

/**
 * Steady calls that add entries to accounts, and what became of each. A call with a key is made again until it is answered; each of the others is
 * made once.
 */
export class AccountCalls {
  /** Of all accounts that it has called. */
  readonly books = new Map<string, AccountBook>();
  /** The calls without a key that failed, by error code; and one text of each. */
  readonly failed = new Map<string, Failures>();
  /** The same of those with a key. */
  readonly again = new Map<string, Failures>();
  readonly #options: AccountCallsOptions;
  readonly #loops: Promise<unknown>;
  #accounts: readonly string[];
  readonly #waiting = new Set<() => void>();
  /** After a failure of the store calls are made one after the other: all of them would fail as fast as they can. */
  #inTurn: Promise<unknown> = Promise.resolve();
  /** The calls that each loop has begun. */
  readonly #turns: number[] = [];
  #entries = 0;
  #answered = 0;
  #isOver = false;
  #isAbandoned = false;

  constructor(options: AccountCallsOptions) {
    this.#options = options;
    this.#accounts = options.accounts;
    this.#keepBooks();
    this.#loops = Promise.all(Array.from({ length: options.concurrency }, (_, at) => this.#addEntries(at)));
    // Whoever waits for the load gets its error.
    this.#loops.catch(() => undefined);
  }

  /** Makes no call again, whatever has become of those under way. */
  abandon(): void {
    this.#isAbandoned = true;
  }

  /** For people. */
  get totals(): string {
    const listed = (failures: ReadonlyMap<string, Failures>) =>
      [...failures].map(([code, { count, text }]) => `${count} ${code} (${text})`).join(", ") || "none";
    return `${this.#answered} answered; failed without a key: ${listed(this.failed)}; with a key: ${listed(this.again)}`;
  }

  get answered(): number {
    return this.#answered;
  }

  failures(code: string): number {
    return this.failed.get(code)?.count ?? 0;
  }

  /** Waits until so many more calls were answered. */
  async untilAnswered(more: number): Promise<void> {
    const enough = this.#answered + more;
    await this.until(() => this.#answered >= enough);
  }

  /** Calls these accounts from now on. Resolves when all calls of other accounts have their outcome. */
  async goOnWith(accounts: readonly string[]): Promise<void> {
    this.#accounts = accounts;
    this.#keepBooks();
    const before = [...this.#turns];
    await this.until(() => this.#turns.every((turns, at) => turns > (before[at] ?? 0)));
  }

  /** Waits until each account that is called has answered a call that is made from now on. */
  async untilAllAnswered(): Promise<void> {
    await this.#whileCalling(Promise.all(this.#accounts.map((account) => this.#addWithKey(account))));
  }

  /** Waits until something holds, seen after each outcome. */
  async until(holds: () => boolean): Promise<void> {
    const seen = async () => {
      while (!holds()) await new Promise<void>((wake) => this.#waiting.add(wake));
    };
    await this.#whileCalling(seen());
  }

  /** Makes no more calls, and resolves when each has its outcome. */
  async stop(): Promise<void> {
    this.#isOver = true;
    await this.#loops;
  }

  #keepBooks(): void {
    for (const account of this.#accounts) {
      const book = { answered: new Map(), refused: new Map(), undecided: new Set<string>() };
      if (!this.books.has(account)) this.books.set(account, { ...book, told: new Set(), reminded: new Set() });
    }
  }

  /** Rejects if a call had an outcome that no call may have. */
  async #whileCalling(work: Promise<unknown>): Promise<void> {
    await Promise.race([work, this.#loops.then(() => work)]);
  }

  async #addEntries(first: number): Promise<void> {
    const { concurrency, isKeyed = true, gapMs = 0 } = this.#options;
    for (let turn = first; !this.#isOver; turn += concurrency) {
      this.#turns[first] = (this.#turns[first] ?? 0) + 1;
      this.#wake();
      const account = this.#accounts[turn % this.#accounts.length] ?? "";
      if (isKeyed && Math.floor(turn / concurrency) % 2 === 0) await this.#addWithKey(account);
      else await this.#addOnce(account);
      if (gapMs > 0) await pause(gapMs);
    }
  }

  async #addWithKey(account: string): Promise<void> {
    const entry = this.#newEntry(account);
    const error = await this.#attempt(account, entry, keyOptions(entry));
    if (error === undefined) return;
    note(this.again, error);
    if (storeCodes.has(error.code)) await this.#oneAfterTheOther(() => this.#addAgain(account, entry));
    else await this.#addAgain(account, entry);
  }

  async #addAgain(account: string, entry: string): Promise<void> {
    for (;;) {
      const error = await this.#attempt(account, entry, keyOptions(entry));
      if (error === undefined) return;
      note(this.again, error);
    }
  }

  async #addOnce(account: string): Promise<void> {
    const { hasChangedNothing, isKeyed = true, call = { timeoutMs: 60_000 } } = this.#options;
    const entry = this.#newEntry(account);
    const error = await this.#attempt(account, entry, call);
    if (error === undefined) return;
    const { code, message } = error;
    note(this.failed, error);
    if (hasChangedNothing(error)) this.#bookOf(account).refused.set(entry, `${code}: ${message}`);
    else this.#bookOf(account).undecided.add(entry);
    this.#wake();
    if (isKeyed && storeCodes.has(code)) {
      await this.#oneAfterTheOther(() => this.#addAgain(account, this.#newEntry(account)));
    }
  }

  /** Resolves to the error of the call, if it has one. Rejects if that would not pass. */
  async #attempt(account: string, entry: string, options: SendOptions): Promise<TroupeError | undefined> {
    if (this.#isAbandoned) throw new Error("The test is over.");
    const book = this.#bookOf(account);
    const message = Add({ entry, tells: book.told.has(entry), remindsAfterMs: book.reminded.has(entry) ? 50 : 0 });
    try {
      const id = new AgentId("account", account);
      const { place } = await this.#options.runtime.sendMessage(message, id, options);
      book.answered.set(entry, place);
      this.#answered += 1;
      this.#wake();
      return undefined;
    } catch (error) {
      if (error instanceof TroupeError && passingCodes.has(error.code)) return error;
      throw error;
    }
  }

  async #oneAfterTheOther(work: () => Promise<void>): Promise<void> {
    const done = this.#inTurn.then(work);
    this.#inTurn = done.catch(() => undefined);
    await done;
  }

  #newEntry(account: string): string {
    this.#entries += 1;
    const entry = `${this.#options.name}${this.#entries}`;
    const { told, reminded } = this.#bookOf(account);
    told.add(entry);
    if (this.#entries % 10 === 0) reminded.add(entry);
    return entry;
  }

  #bookOf(account: string): AccountBook {
    const book = this.books.get(account);
    if (book === undefined) throw new Error(`It has no account ${account}.`);
    return book;
  }

  #wake(): void {
    for (const wake of this.#waiting) wake();
    this.#waiting.clear();
  }
}

/** Codes of errors that say that nothing has changed. */
const unchangedCodes = new Set<string>(["undeliverable", "overloaded", "state-unavailable", "state-conflict"]);

/** Whether the guide says of such an error that the call has changed nothing, whatever has become of the host. */
export function saysUnchanged(error: TroupeError): boolean {
  return unchangedCodes.has(error.code) || (error instanceof UndeliverableException && error.notHandled === true);
}

function note(failures: Map<string, Failures>, { code, message }: TroupeError): void {
  const { count = 0, text = message } = failures.get(code) ?? {};
  failures.set(code, { count: count + 1, text });
}

function keyOptions(idempotencyKey: string): SendOptions {
  return { idempotencyKey, waitForTarget: 60_000, timeoutMs: 60_000 };
}
