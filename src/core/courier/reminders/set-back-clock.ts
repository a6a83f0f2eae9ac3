import type { Clock, Timer } from "../../clock.ts";
import { textOfName } from "../../state/agent-name.ts";
import type { ReminderTick, StateStore, StoredReminder } from "../../state/state-store.ts";
import type { CronTurns } from "./cron-turns.ts";
import { formatRule, parseRule, type ReminderRule, tickBySetBack } from "./reminder-rule.ts";
import { tickOf } from "./stored-reminders.ts";
import { storeRetryMs } from "./tick-settling.ts";
import type { CronPatterns } from "./when.ts";

/** The parts of a `SetBackClock`. */
export interface SetBackClockParts {
  readonly store: Pick<StateStore, "due">;
  readonly clock: Clock;
  readonly cron: CronPatterns | undefined;
  readonly cronTurns: CronTurns;
  /** Whether a tick of an agent is under way. */
  readonly isUnderWay: (agentKey: string) => boolean;
  /** Writes another time of a reminder. */
  readonly move: (stored: StoredReminder, tick: ReminderTick) => void;
  readonly onFailure: (error: unknown) => void;
}

/** The wall clock may go back so far without any look at the reminders. */
const toleranceMs = 10_000;
/** Reminders of one reading. */
const mostRead = 1_000;
/** Reminders that are due so soon come by themselves. */
const soonMs = 60_000;

/**
 * Notices that the wall clock was set back. Reminders that fired while it was ahead are due again after the time that was wrong. So it looks
 * at all reminders once, and moves those whose next tick comes earlier.
 */
export class SetBackClock {
  readonly #parts: SetBackClockParts;
  /** Milliseconds by which the wall clock was ahead of the clock that always advances; the most since the last look. */
  #aheadMs = Number.NEGATIVE_INFINITY;
  #mustLook = false;
  #isLooking = false;
  /** Set after a failure, until the next look. */
  #retryTimer: Timer | undefined;
  #isStopped = true;

  constructor(parts: SetBackClockParts) {
    this.#parts = parts;
  }

  /** `latestMs`: a time that the wall clock has had, also of an earlier process. */
  start(latestMs: number): void {
    this.#isStopped = false;
    this.#aheadMs = Math.max(latestMs, this.#parts.clock.wallNow()) - this.#parts.clock.now();
  }

  stop(): void {
    this.#isStopped = true;
    this.#retryTimer?.cancel();
    this.#retryTimer = undefined;
  }

  /** Looks whether the clock was set back. */
  check(): void {
    const { clock } = this.#parts;
    const aheadMs = clock.wallNow() - clock.now();
    if (aheadMs < this.#aheadMs - toleranceMs) {
      this.#mustLook = true;
      this.#aheadMs = aheadMs;
    }
    this.#aheadMs = Math.max(this.#aheadMs, aheadMs);
    const isWaiting = this.#isLooking || this.#retryTimer !== undefined;
    if (this.#mustLook && !isWaiting && !this.#isStopped) void this.#lookAtAll();
  }

  async #lookAtAll(): Promise<void> {
    this.#isLooking = true;
    this.#mustLook = false;
    const { store, clock, onFailure } = this.#parts;
    try {
      let after: Pick<StoredReminder, "dueMs" | "seq"> | undefined = { dueMs: clock.wallNow() + soonMs, seq: 0 };
      while (after !== undefined && !this.#isStopped) {
        const page: readonly StoredReminder[] = await store.due({
          ...{ beforeMs: Number.MAX_SAFE_INTEGER, after, limit: mostRead },
        });
        for (const stored of page) await this.#lookAt(stored);
        after = page.at(-1);
      }
    } catch (error) {
      onFailure(error);
      this.#lookAgain();
    }
    this.#isLooking = false;
  }

  #lookAgain(): void {
    this.#mustLook = true;
    if (this.#isStopped) return;
    this.#retryTimer = this.#parts.clock.setTimer(storeRetryMs, () => {
      this.#retryTimer = undefined;
      this.check();
    });
  }

  async #lookAt(stored: StoredReminder): Promise<void> {
    const { clock, cron, cronTurns, isUnderWay, move } = this.#parts;
    const { type } = stored.agent;
    let rule: ReminderRule;
    try {
      const read = parseRule(stored.rule);
      const search = () => tickBySetBack(read, clock.wallNow(), cron);
      rule = read.repeats.at === "cron" ? await cronTurns.run(type, search) : search();
    } catch {
      // It says so when it is due.
      return;
    }
    const dueMs = Math.max(rule.dueMs, Math.ceil(clock.wallNow()));
    // What is under way computes its next tick itself.
    if (dueMs >= stored.dueMs || isUnderWay(textOfName(stored.agent)) || this.#isStopped) return;
    move(stored, { ...tickOf(stored), nextDueMs: dueMs, attempts: stored.attempts, rule: formatRule(rule) });
  }
}
