import type { Clock } from "../../clock.ts";
import { loggableError, loggableText } from "../../delivery/loggable.ts";
import { TroupeError } from "../../errors.ts";
import type { RuntimeLog } from "../../limited-log.ts";
import type { DeadReason, KeptMessage } from "../../state/durable-log.ts";
import type { ReminderTick, StateStore, StoredReminder } from "../../state/state-store.ts";
import { StoreError } from "../../state/store-error.ts";
import type { CourierDelivery, Deliver } from "../courier-call.ts";
import type { CourierObservers, ReminderOccurrence } from "../courier-occurrence.ts";
import { decideRetry, type RetrySettings } from "../retry-policy.ts";
import type { CronTurns } from "./cron-turns.ts";
import {
  afterFiring,
  afterGivingUp,
  decideTick,
  decidingTick,
  formatRule,
  parseRule,
  type ReminderRule,
  tickBySetBack,
} from "./reminder-rule.ts";
import { letterOf, shown, tickIdOf, tickOf } from "./stored-reminders.ts";
import { storeRetryMs, TickSettling } from "./tick-settling.ts";
import { type CronPatterns, dueAfter } from "./when.ts";

/** The parts of a runtime that the delivery of one tick uses. */
export interface TickFiringOptions {
  readonly store: StateStore;
  readonly clock: Clock;
  readonly cron: CronPatterns | undefined;
  readonly cronTurns: CronTurns;
  readonly logger: RuntimeLog;
  readonly settings: RetrySettings;
  readonly random: () => number;
  readonly deliver: Deliver;
  /** Makes a dead letter. Undefined: the store keeps none. */
  readonly bury: ((message: KeptMessage, why: DeadReason) => Promise<void>) | undefined;
  /** The store belongs to another process now, or is closed. */
  readonly onLost: (error: StoreError) => void;
  readonly observers: CourierObservers | undefined;
}

/** The parts of `TickFiring`. */
export interface TickFiringParts extends TickFiringOptions {
  /** A reminder in the store is due at a time. */
  readonly onDue: (dueMs: number) => void;
  /** The reminder is in the store as it was read, unless a commit has changed it. */
  readonly onLeft: (stored: StoredReminder) => void;
}

/** A tick of which the outcome is not known. */
export interface TickUnderWay {
  delivery: CourierDelivery | undefined;
  /** Its reminder was changed while its times were searched. */
  isWithdrawn: boolean;
}

/** Delivers the tick of one reminder, and writes what became of it: the next tick, another try, or a dead letter. */
export class TickFiring {
  readonly #parts: TickFiringParts;
  readonly #settling: TickSettling;
  /** When this process could fire reminders first, by the wall clock of then, and by the clock that always advances. */
  #openedMs = 0;
  #startedMs = 0;
  #isStopped = true;
  #fired = 0;
  #failed = 0;

  constructor(parts: TickFiringParts) {
    this.#parts = parts;
    const { store, clock } = parts;
    this.#settling = new TickSettling({ store, clock, onFailure: (error) => this.storeFailed(error) });
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
    this.#settling.start();
    this.#openedMs = this.#nowMs;
    this.#startedMs = this.#parts.clock.now();
  }

  stop(): void {
    this.#isStopped = true;
    this.#settling.stop();
  }

  get #nowMs(): number {
    return this.#parts.clock.wallNow();
  }

  /** Throws if the rule can't be read, or not without `troupe/cron`. */
  async fire(stored: StoredReminder, underWay: TickUnderWay): Promise<void> {
    const { clock, cron, deliver } = this.#parts;
    const { agent, name, attempts } = stored;
    const read = parseRule(stored.rule);
    const nowMs = this.#nowMs;
    // The wall clock may have been ahead then.
    const openedMs = Math.min(this.#openedMs, nowMs - (clock.now() - this.#startedMs));
    const moment = { nowMs, openedMs, cron };
    const decision =
      read.repeats.at === "cron"
        ? await this.#parts.cronTurns.runSteps(agent.type, decidingTick(read, moment))
        : decideTick(read, moment);
    if (this.#isStopped) return;
    if (underWay.isWithdrawn) return this.#parts.onLeft(stored);
    if (decision.at === "skip") return this.#goOn(stored, decision.next);
    const { rule } = decision;
    const reminder = { name, dueAt: new Date(rule.dueMs), tick: rule.tick, missed: rule.unfired };
    const id = tickIdOf(name, rule);
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
        return this.#parts.onLeft(stored);
      case "handled":
        this.#fired += 1;
        this.#observe(stored, rule, { what: "fired", code: undefined });
        return this.#goOn(stored, await this.#search(stored, rule, () => this.#byNow(afterFiring(rule, cron))));
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
      this.#observe(stored, rule, { what: "retried", code: error.code });
      const { attempts, waits } = decision.tries;
      const again = { nextDueMs: Math.ceil(nowMs + decision.delayMs), attempts, rule: formatRule({ ...rule, waits }) };
      return this.settle({ ...tickOf(stored), ...again });
    }
    this.#failed += 1;
    this.#observe(stored, rule, { what: "failed", code: error.code });
    if (decision.at === "again" && decision.tries.waits > 0) {
      const text = `${shown(stored)} was not handled, and gives way to its next tick: ${error.message}`;
      logger.warn(loggableText(text), { error: loggableError(error) }, "A tick of a reminder was not handled");
    } else {
      const text = `${shown(stored)} has failed and is given up: ${error.message}`;
      logger.error(loggableText(text), { error: loggableError(error) }, "A reminder has failed and is given up");
    }
    if (nextMs === undefined && bury !== undefined) {
      const why =
        decision.at === "bury" ? decision.why : { code: error.code, text: error.message, attempts: tries.attempts };
      await this.#untilWritten(() => bury(letterOf(stored, rule), why));
    }
    return this.#goOn(stored, await this.#search(stored, rule, () => this.#byNow(afterGivingUp(rule, cron))));
  }

  #observe(
    { agent, name }: StoredReminder,
    { dueMs }: ReminderRule,
    about: Pick<ReminderOccurrence, "what" | "code">,
  ): void {
    this.#parts.observers?.now?.({
      ...{ at: "reminder", ...about, agentType: agent.type, key: agent.key, name },
      ...{ lateMs: Math.max(0, this.#nowMs - dueMs) },
    });
  }

  /** The clock may have been set back since the tick began. */
  #byNow(next: ReminderRule | undefined): ReminderRule | undefined {
    return next && tickBySetBack(next, this.#nowMs, this.#parts.cron);
  }

  /** Searches times of a rule. With a cron pattern it waits for its turn. */
  async #search<T>({ agent }: StoredReminder, { repeats }: ReminderRule, search: () => T): Promise<T> {
    return repeats.at === "cron" ? this.#parts.cronTurns.run(agent.type, search) : search();
  }

  /** Writes that the tick is over. */
  #goOn(stored: StoredReminder, next: ReminderRule | undefined): Promise<void> {
    const rule = next && formatRule(next);
    return this.settle({ ...tickOf(stored), nextDueMs: next?.dueMs, attempts: 0, rule });
  }

  /** Writes what became of a tick. Resolves when it is written, or when the courier has stopped. */
  async settle(tick: ReminderTick): Promise<void> {
    await this.#settling.settle(tick);
    if (tick.nextDueMs !== undefined) this.#parts.onDue(tick.nextDueMs);
  }

  async #untilWritten(write: () => Promise<void>): Promise<void> {
    while (!this.#isStopped) {
      try {
        return await write();
      } catch (error) {
        this.storeFailed(error);
        await new Promise<void>((resolve) => this.#parts.clock.setTimer(storeRetryMs, resolve));
      }
    }
  }

  /** Says that the store has failed, or that it belongs to another process. */
  storeFailed(error: unknown): void {
    const isLost = error instanceof StoreError && (error.storeCode === "fenced" || error.storeCode === "closed");
    if (this.#isStopped) return;
    if (isLost) return this.#parts.onLost(error);
    const text = "The state store can't read or write reminders; it is asked again in 2 s";
    this.#parts.logger.error(text, { error: loggableError(TroupeError.from(error)) });
  }
}
