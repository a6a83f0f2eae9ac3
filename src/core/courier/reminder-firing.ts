// Over 400 lines: reading the store, firing and settling share what has changed meanwhile.
import { type Clock, longestTimerMs, type Timer } from "../clock.ts";
import { ChurnedMap } from "../collections/churned-map.ts";
import { loggableError, loggableText } from "../delivery/loggable.ts";
import { TroupeError } from "../errors.ts";
import type { RuntimeLog } from "../limited-log.ts";
import { type AgentName, textOfName } from "../state/agent-name.ts";
import type { DeadReason, KeptMessage } from "../state/durable-log.ts";
import type { Commit, ReminderTick, StateStore, StoredReminder } from "../state/state-store.ts";
import { StoreError } from "../state/store-error.ts";
import type { CourierDelivery, Deliver } from "./courier-call.ts";
import type { CourierSlots, SlotUse } from "./courier-slots.ts";
import type { CronTurns } from "./cron-turns.ts";
import { DueCursor } from "./due-cursor.ts";
import { type KnownReminder, KnownReminders } from "./known-reminders.ts";
import {
  afterFiring,
  afterGivingUp,
  decideTick,
  decidingTick,
  formatRule,
  parseRule,
  type ReminderRule,
} from "./reminder-rule.ts";
import { ReminderSlots } from "./reminder-slots.ts";
import { decideRetry, type RetrySettings } from "./retry-policy.ts";
import { keyOf, letterOf, shown, tickOf } from "./stored-reminders.ts";
import { storeRetryMs, TickSettling } from "./tick-settling.ts";
import { type CronPatterns, dueAfter } from "./when.ts";

/** The parts of `ReminderFiring`. */
export interface ReminderFiringParts {
  readonly store: StateStore;
  readonly clock: Clock;
  readonly cron: CronPatterns | undefined;
  readonly cronTurns: CronTurns;
  readonly logger: RuntimeLog;
  readonly settings: RetrySettings;
  readonly random: () => number;
  readonly slots: CourierSlots;
  /** Returns what a message of this length takes of the slots. */
  readonly useOf: (agent: AgentName, bytes: number) => SlotUse;
  readonly deliver: Deliver;
  /** Makes a dead letter. Undefined: the store keeps none. */
  readonly bury: ((message: KeptMessage, why: DeadReason) => Promise<void>) | undefined;
  /** The store belongs to another process now, or is closed. */
  readonly onLost: (error: StoreError) => void;
}

/** A reminder that is being fired. */
interface UnderWay {
  readonly key: string;
  readonly bytes: number;
  delivery: CourierDelivery | undefined;
  /** It was changed while its times were searched. */
  isWithdrawn: boolean;
}

/** Reminders that are due so soon are read into memory. */
const windowMs = 60_000;
/** The longest sleep: the wall clock may be set meanwhile. */
const longestSleepMs = 30_000;
/** Reminders of one reading. */
const mostRead = 1_000;
/** With so many in memory for so many milliseconds, those of busy agents are postponed before more are read. */
const mostKnown = 2 * mostRead;
const crowdedMs = 1_000;
/** Reminders that are set or settled within so many milliseconds are read together. */
const gatherMs = 100;
/** A reminder of a busy agent that is in the way of others waits so long in the store. */
const postponeMs = 10_000;
/** A reminder that can't be read waits so long for a program that can. */
const unreadableMs = 60 * 60_000;

/**
 * Fires the reminders of a store, each at its time or later, never earlier. It reads those that are due within a minute, and goes by the
 * wall clock. One reminder of an agent is under way at a time. A tick is written as fired when its handler has ended.
 */
export class ReminderFiring {
  readonly #parts: ReminderFiringParts;
  readonly #known = new KnownReminders();
  readonly #underWay = new ChurnedMap<string, UnderWay>();
  readonly #slots: ReminderSlots;
  readonly #settling: TickSettling;
  #bytesUnderWay = 0;
  #openedMs = 0;
  #scanAtMs = 0;
  /** Set while the store is read: reminders that commits have changed meanwhile. */
  #changed: Set<string> | undefined;
  /** Whether the last reading has left out reminders that are due within the window. */
  #hasMore = false;
  /** Since when there are too many in memory for another reading. Undefined: there are not. */
  #crowdedSinceMs: number | undefined;
  readonly #cursor = new DueCursor();
  #timer: Timer | undefined;
  /** The time of the timer, by the clock that always advances. */
  #wakeMs = 0;
  #isStopped = true;
  #fired = 0;
  #failed = 0;

  constructor(parts: ReminderFiringParts) {
    this.#parts = parts;
    const { store, clock, slots } = parts;
    this.#slots = new ReminderSlots({
      slots,
      onTurn: (agentKey) => {
        if (!this.#underWay.has(agentKey)) this.#known.letGo(agentKey);
        this.#run();
      },
    });
    this.#settling = new TickSettling({ store, clock, onFailure: (error) => this.#storeFailed(error) });
  }

  /** Ticks whose handlers have ended without an error. */
  get fired(): number {
    return this.#fired;
  }

  /** Ticks that were given up. */
  get failed(): number {
    return this.#failed;
  }

  start(): void {
    this.#isStopped = false;
    this.#cursor.reset();
    this.#settling.start();
    this.#openedMs = this.#nowMs;
    this.#scanAtMs = this.#openedMs;
    this.#run();
  }

  stop(): void {
    this.#isStopped = true;
    this.#settling.stop();
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  /** Takes over what a commit that was written has changed. */
  noteCommit({ agent, write, reminders }: Commit): void {
    const agentKey = textOfName(agent);
    if (write.at === "delete") {
      for (const key of this.#known.keysOf(agentKey)) this.#forget(key);
      this.#withdraw(this.#underWay.get(agentKey));
    }
    for (const change of reminders) {
      const key = keyOf(agentKey, change.name);
      this.#forget(key);
      const underWay = this.#underWay.get(agentKey);
      if (underWay?.key === key) this.#withdraw(underWay);
      if (change.at === "set") this.#expect(change.dueMs);
    }
  }

  #withdraw(underWay: UnderWay | undefined): void {
    if (underWay === undefined) return;
    underWay.isWithdrawn = true;
    underWay.delivery?.withdraw();
  }

  get #nowMs(): number {
    return this.#parts.clock.wallNow();
  }

  get #isLight(): boolean {
    return this.#known.isLight(this.#bytesUnderWay);
  }

  #run(): void {
    if (this.#isStopped) return;
    const nowMs = this.#nowMs;
    for (let first = this.#known.first; first !== undefined && first.dueMs <= nowMs; first = this.#known.first) {
      const use = this.#parts.useOf(first.stored.agent, first.stored.message.length);
      if (this.#underWay.has(first.agentKey) || !this.#slots.take(first, use)) {
        this.#known.holdBack(first);
        continue;
      }
      this.#forget(first.key);
      void this.#handle(first, use);
    }
    // A reading that is under way says whether there are more.
    const isLow = this.#changed === undefined && this.#known.waitingCount <= (this.#isLight ? mostRead / 2 : 0);
    if (this.#hasMore && isLow) this.#readMore(nowMs);
    if (this.#changed === undefined && this.#scanAtMs <= nowMs) void this.#scan();
    this.#sleep(nowMs);
  }

  /** Has the store read again. First it gives reminders that are held back time to begin: each that is postponed is written once more. */
  #readMore(nowMs: number): void {
    if (this.#known.size <= mostKnown) {
      this.#crowdedSinceMs = undefined;
      this.#scanAtMs = Math.min(this.#scanAtMs, nowMs);
      return;
    }
    this.#crowdedSinceMs ??= nowMs;
    const postponeAtMs = this.#crowdedSinceMs + crowdedMs;
    if (postponeAtMs <= nowMs) this.#postponeBehind();
    else this.#scanAtMs = Math.min(this.#scanAtMs, postponeAtMs);
  }

  #sleep(nowMs: number): void {
    const firstMs = this.#known.first?.dueMs;
    const scanMs = this.#changed === undefined ? this.#scanAtMs : undefined;
    const nextMs = Math.min(firstMs ?? longestTimerMs + nowMs, scanMs ?? longestTimerMs + nowMs);
    const delayMs = Math.max(0, Math.min(nextMs - nowMs, longestSleepMs));
    const { clock } = this.#parts;
    const wakeMs = clock.now() + delayMs;
    // Waking too early does no harm, and another timer for each tick would cost more.
    if (this.#timer !== undefined && this.#wakeMs <= wakeMs) return;
    this.#timer?.cancel();
    this.#wakeMs = wakeMs;
    this.#timer = clock.setTimer(delayMs, () => {
      this.#timer = undefined;
      this.#run();
    });
  }

  /** A reminder in the store is due at a time, and must be read before that. */
  #expect(dueMs: number): void {
    const nowMs = this.#nowMs;
    this.#cursor.note(dueMs);
    if (this.#changed === undefined && dueMs > nowMs + windowMs) return;
    this.#scanAtMs = Math.min(this.#scanAtMs, Math.max(nowMs, Math.min(dueMs, nowMs + gatherMs)));
    if (!this.#isStopped) this.#sleep(nowMs);
  }

  async #scan(): Promise<void> {
    const changed = new Set<string>();
    this.#changed = changed;
    const nowMs = this.#nowMs;
    this.#scanAtMs = nowMs + longestSleepMs;
    const { after } = this.#cursor;
    this.#cursor.beginReading();
    // From the first on, the store still has what is in memory, and before what is new.
    const inMemory = after === undefined && this.#isLight ? this.#known.size + this.#underWay.size : 0;
    const limit = mostRead + inMemory;
    try {
      const page = await this.#parts.store.due({ beforeMs: nowMs + windowMs, after, limit });
      this.#hasMore = page.length === limit;
      const { added, last } = this.#take(page, changed);
      this.#cursor.endReading(this.#hasMore ? last : undefined);
      if (this.#hasMore && added === 0 && this.#known.waitingCount === 0) this.#postponeBehind();
    } catch (error) {
      this.#storeFailed(error);
      this.#scanAtMs = this.#nowMs + storeRetryMs;
    } finally {
      this.#changed = undefined;
    }
    this.#run();
  }

  /** Takes reminders that were read. Returns how many are new, and the last one that it did not leave in the store. */
  #take(
    page: readonly StoredReminder[],
    changed: ReadonlySet<string>,
  ): { readonly added: number; readonly last: StoredReminder | undefined } {
    let added = 0;
    let last = this.#cursor.after;
    for (const stored of page) {
      const agentKey = textOfName(stored.agent);
      const key = keyOf(agentKey, stored.name);
      const known = this.#known.get(key);
      if (changed.has(key) || known?.stored.seq === stored.seq || this.#underWay.get(agentKey)?.key === key) {
        last = stored;
        continue;
      }
      if (!this.#known.fits(stored.message.length)) {
        this.#hasMore = true;
        break;
      }
      this.#forget(key);
      this.#known.add(key, agentKey, stored);
      added += 1;
      last = stored;
    }
    return { added, last };
  }

  /** Moves reminders of busy agents on in the store, so that those of others can be read. */
  #postponeBehind(): void {
    const dueMs = this.#nowMs + postponeMs;
    for (const { key, stored } of this.#known.heldBack()) {
      this.#forget(key);
      void this.#settle({ ...tickOf(stored), nextDueMs: dueMs, attempts: stored.attempts });
    }
    this.#hasMore = false;
    this.#crowdedSinceMs = undefined;
    this.#cursor.reset();
    this.#scanAtMs = this.#nowMs + gatherMs;
  }

  /** Takes a reminder out of memory. */
  #forget(key: string): void {
    this.#changed?.add(key);
    const last = this.#known.remove(key);
    if (last !== undefined) this.#slots.forget(last.stored.agent.type, last.agentKey);
  }

  async #handle({ key, agentKey, stored }: KnownReminder, use: SlotUse): Promise<void> {
    const bytes = stored.message.length;
    const underWay: UnderWay = { key, bytes, delivery: undefined, isWithdrawn: false };
    this.#underWay.set(agentKey, underWay);
    this.#bytesUnderWay += bytes;
    try {
      await this.#fire(stored, underWay);
    } catch (error) {
      const fields = { error: loggableError(TroupeError.from(error)) };
      this.#parts.logger.error(`${shown(stored)} can't be fired`, fields, "A reminder can't be fired");
      await this.#settle({ ...tickOf(stored), nextDueMs: this.#nowMs + unreadableMs, attempts: stored.attempts });
    } finally {
      this.#underWay.delete(agentKey);
      this.#bytesUnderWay -= bytes;
      if (!this.#slots.isWaiting(stored.agent.type, agentKey)) this.#known.letGo(agentKey);
      this.#slots.free(use);
      this.#run();
    }
  }

  /** Throws if the rule can't be read, or not without `troupe/cron`. */
  async #fire(stored: StoredReminder, underWay: UnderWay): Promise<void> {
    const { cron, deliver } = this.#parts;
    const { agent, name, attempts } = stored;
    const read = parseRule(stored.rule);
    const moment = { nowMs: this.#nowMs, openedMs: this.#openedMs, cron };
    const decision =
      read.repeats.at === "cron"
        ? await this.#parts.cronTurns.runSteps(agent.type, decidingTick(read, moment))
        : decideTick(read, moment);
    if (this.#isStopped) return;
    if (underWay.isWithdrawn) return this.#expect(this.#nowMs);
    if (decision.at === "skip") return this.#goOn(stored, decision.next);
    const { rule } = decision;
    const reminder = { name, dueAt: new Date(rule.dueMs), tick: rule.tick, missed: rule.unfired };
    const id = `r:${name}@${rule.dueMs}`;
    const call = {
      agent,
      id,
      kind: "call",
      frame: stored.message,
      attempt: attempts + 1,
      place: undefined,
      reminder,
    } as const;
    underWay.delivery = deliver(call);
    const outcome = await underWay.delivery.outcome;
    if (this.#isStopped) return;
    switch (outcome.at) {
      case "withdrawn":
        this.#cursor.note(stored.dueMs);
        return this.#expect(this.#nowMs);
      case "handled":
        this.#fired += 1;
        return this.#goOn(stored, await this.#search(stored, rule, () => afterFiring(rule, cron)));
      case "failed":
        return this.#retry(stored, rule, outcome.error);
    }
  }

  async #retry(stored: StoredReminder, rule: ReminderRule, error: TroupeError): Promise<void> {
    const { cron, settings, random, logger, bury } = this.#parts;
    const nowMs = this.#nowMs;
    const tries = { attempts: stored.attempts, waits: rule.waits };
    const decision = decideRetry(error, tries, { ageMs: nowMs - rule.dueMs, random: random(), settings });
    const nextMs = await this.#search(stored, rule, () => dueAfter(rule.repeats, rule.dueMs, cron));
    if (decision.at === "again" && (nextMs === undefined || nowMs + decision.delayMs < nextMs)) {
      const { attempts, waits } = decision.tries;
      const again = { nextDueMs: Math.ceil(nowMs + decision.delayMs), attempts, rule: formatRule({ ...rule, waits }) };
      return this.#settle({ ...tickOf(stored), ...again });
    }
    this.#failed += 1;
    const text = `${shown(stored)} has failed and is given up: ${error.message}`;
    logger.error(loggableText(text), { error: loggableError(error) }, "A reminder has failed and is given up");
    if (nextMs === undefined && bury !== undefined) {
      const why =
        decision.at === "bury" ? decision.why : { code: error.code, text: error.message, attempts: tries.attempts };
      await this.#untilWritten(() => bury(letterOf(stored, rule), why));
    }
    return this.#goOn(stored, await this.#search(stored, rule, () => afterGivingUp(rule, cron)));
  }

  /** Searches times of a rule. With a cron pattern it waits for its turn. */
  async #search<T>({ agent }: StoredReminder, { repeats }: ReminderRule, search: () => T): Promise<T> {
    return repeats.at === "cron" ? this.#parts.cronTurns.run(agent.type, search) : search();
  }

  /** Writes that the tick is over. */
  #goOn(stored: StoredReminder, next: ReminderRule | undefined): Promise<void> {
    const rule = next && formatRule(next);
    return this.#settle({ ...tickOf(stored), nextDueMs: next?.dueMs, attempts: 0, rule });
  }

  async #settle(tick: ReminderTick): Promise<void> {
    await this.#settling.settle(tick);
    if (tick.nextDueMs !== undefined) this.#expect(tick.nextDueMs);
  }

  async #untilWritten(write: () => Promise<void>): Promise<void> {
    while (!this.#isStopped) {
      try {
        return await write();
      } catch (error) {
        this.#storeFailed(error);
        await new Promise<void>((resolve) => this.#parts.clock.setTimer(storeRetryMs, resolve));
      }
    }
  }

  #storeFailed(error: unknown): void {
    const isLost = error instanceof StoreError && (error.storeCode === "fenced" || error.storeCode === "closed");
    if (this.#isStopped) return;
    if (isLost) return this.#parts.onLost(error);
    const text = "The state store can't read or write reminders; it is asked again in 2 s";
    this.#parts.logger.error(text, { error: loggableError(TroupeError.from(error)) });
  }
}
