// Over 400 lines: one place says which reminders are in memory, under way, or in the store alone. Its parts have files of their own.
import type { Timer } from "../../clock.ts";
import { ChurnedMap } from "../../collections/churned-map.ts";
import { loggableError } from "../../delivery/loggable.ts";
import { TroupeError } from "../../errors.ts";
import { type AgentName, shardOf, textOfName } from "../../state/agent-name.ts";
import type { Commit, StoredReminder } from "../../state/state-store.ts";
import { storeLimits } from "../../state/store-limits.ts";
import type { CourierSlots, SlotUse } from "../courier-slots.ts";
import { FinishingShards } from "../shards/finishing-shards.ts";
import { OwnReminders } from "../shards/own-reminders.ts";
import { DueCursor } from "./due-cursor.ts";
import { type KnownReminder, KnownReminders } from "./known-reminders.ts";
import { ReminderSlots } from "./reminder-slots.ts";
import { SetBackClock } from "./set-back-clock.ts";
import { keyOf, shown, tickOf } from "./stored-reminders.ts";
import { TickFiring, type TickFiringOptions, type TickUnderWay } from "./tick-firing.ts";
import { storeRetryMs } from "./tick-settling.ts";

/** The parts of `ReminderFiring`. */
export interface ReminderFiringParts extends TickFiringOptions {
  /** The shards whose reminders are fired. Default: all. */
  readonly shards?: (() => readonly number[]) | undefined;
  readonly slots: CourierSlots;
  /** Returns what a message of this length takes of the slots. */
  readonly useOf: (agent: AgentName, bytes: number) => SlotUse;
}

/** A reminder that is being fired. */
interface UnderWay extends TickUnderWay {
  readonly key: string;
  readonly shard: number;
  readonly bytes: number;
  /** When it is due, if it was set again meanwhile. */
  setToMs: number | undefined;
}

/** Reminders that are due so soon are read into memory. */
const windowMs = 60_000;
/** The longest sleep: the wall clock may be set meanwhile. */
const longestSleepMs = 30_000;
/** Reminders of one reading, and the bytes of their messages. */
const mostRead = 1_000;
const { pageBytes } = storeLimits;
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
  readonly #ticks: TickFiring;
  readonly #setBackClock: SetBackClock;
  #bytesUnderWay = 0;
  /** When the store is read again, by the clock that always advances. So are the other times of this object. */
  #scanAtMs = 0;
  /** When the store is read from the first reminder on, though all that are due soon are in memory. */
  #readAllAtMs = 0;
  /** Whether all that are due soon are in memory, but for those that were noted since. */
  #hasAll = false;
  /** Set while the store is read: reminders that commits have changed meanwhile, and agents that were deleted (`deletedKeyOf`). */
  #changed: Set<string> | undefined;
  /** Whether the last reading has left out reminders that are due within the window. */
  #hasMore = false;
  /** Since when there are too many in memory for another reading. Undefined: there are not. */
  #crowdedSinceMs: number | undefined;
  readonly #cursor = new DueCursor();
  readonly #own: OwnReminders;
  readonly #finishing = new FinishingShards((shard) => this.#underWay.values().some((one) => one.shard === shard));
  #timer: Timer | undefined;
  /** The time of the timer. */
  #wakeMs = 0;
  #isStopped = true;

  constructor(parts: ReminderFiringParts) {
    this.#parts = parts;
    this.#own = new OwnReminders(parts.store, parts.shards);
    this.#slots = new ReminderSlots({
      slots: parts.slots,
      onTurn: (agentKey) => {
        if (!this.#underWay.has(agentKey)) this.#known.letGo(agentKey);
        this.#run();
      },
    });
    this.#ticks = new TickFiring({
      ...parts,
      onDue: (dueMs) => this.#expect(dueMs),
      onLeft: ({ dueMs }) => {
        this.#cursor.note(dueMs);
        this.#expect(this.#wallMs);
      },
    });
    this.#setBackClock = new SetBackClock({
      ...parts,
      store: this.#own,
      isUnderWay: (agentKey) => this.#underWay.has(agentKey),
      move: (stored, tick) => {
        this.#forget(keyOf(textOfName(stored.agent), stored.name));
        void this.#ticks.settle(tick);
      },
      onFailure: (error) => this.#ticks.storeFailed(error),
    });
  }

  /** Ticks whose handlers have ended without an error. */
  get fired(): number {
    return this.#ticks.fired;
  }

  /** Ticks that were given up. */
  get failed(): number {
    return this.#ticks.failed;
  }

  /** `latestMs`: a time that the wall clock has had, also of an earlier process. */
  start(latestMs: number): void {
    this.#isStopped = false;
    this.#cursor.reset();
    this.#ticks.start();
    this.#setBackClock.start(latestMs);
    this.#hasAll = false;
    this.#scanAtMs = this.#nowMs;
    this.#run();
  }

  stop(): void {
    this.#isStopped = true;
    this.#ticks.stop();
    this.#setBackClock.stop();
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  /** Another process may have set reminders, or this one was given a shard. */
  lookAgain(): void {
    if (this.#isStopped) return;
    this.#hasAll = false;
    this.#cursor.reset();
    this.#scanAtMs = Math.min(this.#scanAtMs, this.#nowMs + gatherMs);
    this.#sleep(this.#nowMs);
  }

  /** Fires nothing more of a shard; resolves when no tick is under way there. */
  finishShard(shard: number): Promise<void> {
    this.#forgetShard(shard);
    return this.#finishing.finish(shard);
  }

  /** Fires nothing more of a shard. The outcome of a tick that is under way is written, unless another process has fired it. */
  dropShard(shard: number): void {
    this.#forgetShard(shard);
    this.#finishing.forget(shard);
  }

  #forgetShard(shard: number): void {
    for (const key of this.#known.keysIn((agent) => shardOf(agent) === shard)) this.#forget(key);
  }

  /** Takes over what a commit that was written has changed. */
  noteCommit({ agent, write, reminders }: Commit): void {
    const agentKey = textOfName(agent);
    if (write.at === "delete") {
      this.#changed?.add(deletedKeyOf(agentKey));
      for (const key of this.#known.keysOf(agentKey)) this.#forget(key);
      this.#withdraw(this.#underWay.get(agentKey));
    }
    for (const change of reminders) {
      const key = keyOf(agentKey, change.name);
      this.#forget(key);
      const underWay = this.#underWay.get(agentKey);
      if (underWay?.key === key) {
        underWay.setToMs = change.at === "set" ? change.dueMs : undefined;
        this.#withdraw(underWay);
      }
      if (change.at === "set") this.#expect(change.dueMs);
    }
  }

  /**
   * Reads the reminders again that a commit may have changed, since the store can't say whether it was written. One that was replaced or
   * cancelled must not begin.
   */
  noteUnknown({ agent, write, reminders }: Commit): void {
    const agentKey = textOfName(agent);
    const changed = reminders.map(({ name }) => keyOf(agentKey, name));
    const isDeleted = write.at === "delete";
    const underWay = this.#underWay.get(agentKey);
    for (const key of isDeleted ? [...this.#known.keysOf(agentKey), ...changed] : changed) {
      const known = this.#known.get(key);
      this.#forget(key);
      if (known !== undefined) this.#expect(known.dueMs);
    }
    // One that is withdrawn is read again, too.
    if (underWay !== undefined && (isDeleted || changed.includes(underWay.key))) this.#withdraw(underWay);
    for (const change of reminders) {
      if (change.at !== "set") continue;
      if (underWay?.key === keyOf(agentKey, change.name)) underWay.setToMs = change.dueMs;
      this.#expect(change.dueMs);
    }
  }

  #withdraw(underWay: UnderWay | undefined): void {
    if (underWay === undefined) return;
    underWay.isWithdrawn = true;
    underWay.delivery?.withdraw();
  }

  get #nowMs(): number {
    return this.#parts.clock.now();
  }

  get #wallMs(): number {
    return this.#parts.clock.wallNow();
  }

  get #isLight(): boolean {
    return this.#known.isLight(this.#bytesUnderWay);
  }

  get #bytesInMemory(): number {
    return this.#known.bytes + this.#bytesUnderWay;
  }

  #run(): void {
    if (this.#isStopped) return;
    this.#setBackClock.check();
    const [nowMs, wallMs] = [this.#nowMs, this.#wallMs];
    for (let first = this.#known.first; first !== undefined && first.dueMs <= wallMs; first = this.#known.first) {
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
    const { clock } = this.#parts;
    const dueMs = this.#known.first?.dueMs;
    const untilDueMs = dueMs === undefined ? longestSleepMs : dueMs - this.#wallMs;
    const untilScanMs = this.#changed === undefined ? this.#scanAtMs - nowMs : longestSleepMs;
    const delayMs = Math.max(0, Math.min(untilDueMs, untilScanMs, longestSleepMs));
    const wakeMs = nowMs + delayMs;
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
    const inMs = dueMs - this.#wallMs;
    this.#cursor.note(dueMs);
    if (this.#changed === undefined && inMs > windowMs) return;
    const nowMs = this.#nowMs;
    this.#scanAtMs = Math.min(this.#scanAtMs, nowMs + Math.max(0, Math.min(inMs, gatherMs)));
    if (!this.#isStopped) this.#sleep(nowMs);
  }

  async #scan(): Promise<void> {
    const changed = new Set<string>();
    this.#changed = changed;
    const noted = this.#hasAll && this.#nowMs < this.#readAllAtMs ? this.#cursor.noted : undefined;
    if (noted === undefined) this.#readAllAtMs = this.#nowMs + longestSleepMs;
    this.#scanAtMs = this.#readAllAtMs;
    this.#hasAll = false;
    this.#cursor.beginReading();
    try {
      if (noted === undefined) await this.#readFrom(this.#cursor.after, changed);
      else await this.#readNoted(noted, changed);
    } catch (error) {
      this.#ticks.storeFailed(error);
      this.#scanAtMs = this.#nowMs + storeRetryMs;
    } finally {
      this.#changed = undefined;
    }
    this.#run();
  }

  async #readFrom(after: StoredReminder | undefined, changed: ReadonlySet<string>): Promise<void> {
    // From the first on, the store still has what is in memory, and before what is new.
    const inMemory = after === undefined && this.#isLight ? this.#known.size + this.#underWay.size : 0;
    const size = { limit: mostRead + inMemory, maxBytes: pageBytes + (inMemory === 0 ? 0 : this.#bytesInMemory) };
    const page = await this.#own.due({ beforeMs: this.#wallMs + windowMs, after, ...size });
    this.#hasMore = mayGoOn(page, size);
    const { added, last } = this.#take(page, changed);
    this.#cursor.endReading(this.#hasMore ? last : undefined);
    this.#hasAll = !this.#hasMore;
    if (this.#hasMore && added === 0 && this.#known.waitingCount === 0) this.#postponeBehind();
  }

  /** Reads only where reminders were noted: many others may wait in memory for their agents. */
  async #readNoted(
    { fromMs, toMs }: { readonly fromMs: number; readonly toMs: number },
    changed: ReadonlySet<string>,
  ): Promise<void> {
    const beforeMs = Math.min(toMs + 1, this.#wallMs + windowMs);
    const after = { dueMs: fromMs, seq: 0 };
    const size = { limit: mostRead, maxBytes: pageBytes };
    const page = await this.#own.due({ beforeMs, after, ...size });
    this.#take(page, changed);
    this.#cursor.endReading(undefined);
    this.#hasAll = !this.#hasMore && !mayGoOn(page, size);
    if (!this.#hasAll) this.#scanAtMs = this.#nowMs;
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
      const isChanged = changed.has(key) || changed.has(deletedKeyOf(agentKey)) || !this.#own.has(stored.agent);
      if (isChanged || known?.stored.seq === stored.seq || this.#underWay.get(agentKey)?.key === key) {
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
    const dueMs = this.#wallMs + postponeMs;
    for (const { key, stored } of this.#known.heldBack()) {
      this.#forget(key);
      void this.#ticks.settle({ ...tickOf(stored), nextDueMs: dueMs, attempts: stored.attempts });
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
    const shard = shardOf(stored.agent);
    const underWay: UnderWay = { key, shard, bytes, delivery: undefined, isWithdrawn: false, setToMs: undefined };
    this.#underWay.set(agentKey, underWay);
    this.#bytesUnderWay += bytes;
    try {
      await this.#ticks.fire(stored, underWay);
    } catch (error) {
      const fields = { error: loggableError(TroupeError.from(error)) };
      this.#parts.logger.error(`${shown(stored)} can't be fired`, fields, "A reminder can't be fired");
      await this.#ticks.settle({
        ...tickOf(stored),
        nextDueMs: this.#wallMs + unreadableMs,
        attempts: stored.attempts,
      });
    } finally {
      this.#underWay.delete(agentKey);
      this.#bytesUnderWay -= bytes;
      this.#finishing.look(shard);
      // A reading passes over a reminder that is under way.
      if (underWay.setToMs !== undefined) this.#expect(underWay.setToMs);
      if (!this.#slots.isWaiting(stored.agent.type, agentKey)) this.#known.letGo(agentKey);
      this.#slots.free(use);
      this.#run();
    }
  }
}

/** Whether reminders may come behind a page, which the store may have ended for its bytes. */
function mayGoOn(
  page: readonly StoredReminder[],
  { limit, maxBytes }: { readonly limit: number; readonly maxBytes: number },
): boolean {
  const bytes = page.reduce((sum, { message }) => sum + message.length, 0);
  return page.length >= limit || bytes + storeLimits.reminderMessageBytes > maxBytes;
}

/** No reminder has this key. */
function deletedKeyOf(agentKey: string): string {
  return `deleted ${agentKey}`;
}
