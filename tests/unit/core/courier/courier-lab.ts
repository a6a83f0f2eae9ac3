import { expect } from "vitest";
import { Courier } from "../../../../src/core/courier/courier.ts";
import type { CourierCall, CourierOutcome, Deliver } from "../../../../src/core/courier/courier-call.ts";
import { ObservedStore } from "../../../../src/core/courier/observed-store.ts";
import { formatRule, ruleOf } from "../../../../src/core/courier/reminders/reminder-rule.ts";
import type { Commit, CronPatterns, DurableLog, Logger } from "../../../../src/core/internal.ts";
import { MemoryStateStore } from "../../../../src/storage/index.ts";
import { ManualClock } from "../../../../src/testing/index.ts";
import { Inbox } from "../../../support/inbox.ts";
import { RecordingLogger } from "../../../support/recording-logger.ts";

export const startMs = Date.UTC(2030, 0, 1);
export const frame = new Uint8Array([1]);
export const handled: CourierOutcome = { at: "handled" };

export const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

/** A call that a test ends. */
export interface OpenCall extends CourierCall {
  end(outcome: CourierOutcome): void;
  isWithdrawn: boolean;
  /** Set by a test for a call that can't be withdrawn any more. */
  hasBegun: boolean;
}

/** A courier over a store in memory, whose calls the test answers. */
export class Lab {
  readonly clock: ManualClock;
  readonly memory: MemoryStateStore;
  readonly store: ObservedStore;
  readonly courier: Courier;
  readonly calls = new Inbox<OpenCall>();
  readonly logger = new RecordingLogger();
  busy = false;
  underWay = 0;
  mostUnderWay = 0;
  /** Answers at once, if a test sets it. */
  answer: ((call: CourierCall) => CourierOutcome) | undefined;
  /** The type of the agent with a key. */
  typeOf: (key: string) => string = () => "a";
  partyOf: (agentType: string) => string = () => "";
  isServed: (agentType: string) => boolean = () => true;

  constructor({
    clock = new ManualClock(startMs),
    memory,
    logger = this.logger,
    cron,
    sharedLog,
  }: {
    clock?: ManualClock;
    memory?: MemoryStateStore;
    logger?: Logger;
    cron?: CronPatterns;
    sharedLog?: DurableLog;
  } = {}) {
    this.clock = clock;
    this.memory = memory ?? new MemoryStateStore({ clock });
    const listener: ConstructorParameters<typeof ObservedStore>[1] = {
      newestPlace: () => this.courier.newestPlace(),
      onCommitting: (commits) => this.courier.onCommitting(commits),
      onDecided: (commits, outcomes) => this.courier.onDecided(commits, outcomes),
    };
    this.store = new ObservedStore(this.memory, listener);
    this.courier = new Courier({
      ...{ store: this.store, clock, logger, deliver: this.#deliver, cron, sharedLog },
      ...{ retry: undefined, random: () => 0, partyOf: ({ type }) => this.partyOf(type) },
      isServed: (type) => this.isServed(type),
      onBusy: (isBusy) => {
        this.busy = isBusy;
      },
    });
  }

  readonly #deliver: Deliver = (call) => {
    this.underWay += 1;
    this.mostUnderWay = Math.max(this.mostUnderWay, this.underWay);
    let end: (outcome: CourierOutcome) => void = () => undefined;
    const outcome = new Promise<CourierOutcome>((resolve) => {
      end = (ended) => {
        this.underWay -= 1;
        resolve(ended);
      };
    });
    const open: OpenCall = { ...call, end, isWithdrawn: false, hasBegun: false };
    if (this.answer === undefined) this.calls.put(open);
    else end(this.answer(call));
    return {
      outcome,
      withdraw: () => {
        if (open.hasBegun) return;
        open.isWithdrawn = true;
        end({ at: "withdrawn" });
      },
    };
  };

  static async started(options: ConstructorParameters<typeof Lab>[0] = {}): Promise<Lab> {
    const lab = new Lab(options);
    const { incarnation } = await lab.store.open();
    await lab.courier.start(incarnation);
    return lab;
  }

  async commit(parts: Partial<Commit>): Promise<void> {
    const plain = {
      agent: { type: "a", key: "k" },
      epoch: undefined,
      expected: { at: "anything" },
      write: { at: "keep" },
    } as const;
    const [outcome] = await this.store.commit([{ ...plain, reminders: [], mail: [], remembered: [], ...parts }]);
    expect(outcome?.at).toBe("committed");
  }

  /** Sets a reminder of an agent that is due after so many milliseconds. */
  async remind(key: string, name: string, afterMs: number, message = frame): Promise<void> {
    const rule = ruleOf({ after: afterMs }, {}, this.clock.wallNow(), undefined);
    const change = { at: "set", name, dueMs: rule.dueMs, rule: formatRule(rule), message } as const;
    await this.commit({ agent: { type: this.typeOf(key), key }, reminders: [change] });
  }

  async keep(key: string, id: string, message = frame): Promise<void> {
    const sentAtMs = this.clock.wallNow();
    const kept = await this.courier.keep(
      { type: this.typeOf(key), key },
      { id, kind: "call", frame: message, sentAtMs },
    );
    expect(kept).toBe("kept");
  }

  /** Lets time pass in steps until a condition holds. */
  async until(condition: () => boolean, stepMs = 1_000): Promise<void> {
    for (let steps = 0; !condition(); steps += 1) {
      if (steps > 5_000) throw new Error("it does not come");
      this.clock.advance(stepMs);
      await turn();
    }
  }
}
