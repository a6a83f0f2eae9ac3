import { expect, test } from "vitest";
import { formatRule, ruleOf } from "../../../../../src/core/courier/reminders/reminder-rule.ts";
import type { MissedTicks } from "../../../../../src/core/index.ts";
import { UndeliverableException } from "../../../../../src/core/index.ts";
import type { CourierOutcome } from "../../../../../src/core/internal.ts";
import { frame, handled, Lab, startMs } from "../courier-lab.ts";

const hourMs = 3_600_000;
const undelivered: CourierOutcome = {
  at: "failed",
  error: new UndeliverableException("No worker serves the type.", { notHandled: true }),
};

test.each(["skip", "once", "all"] as const)(
  "ticks that come due while no worker serves the type are given up one by one, and the next one has their number: missed %s",
  async (missed: MissedTicks) => {
    const lab = await Lab.started();
    const fired: (readonly [tick: number, missed: number])[] = [];
    let isServed = false;
    lab.answer = ({ reminder }) => {
      if (!isServed) return undelivered;
      fired.push([reminder?.tick ?? 0, reminder?.missed ?? 0]);
      return handled;
    };
    const rule = ruleOf({ every: "1h" }, { missed }, startMs, undefined);
    const change = { at: "set", name: "hourly", dueMs: rule.dueMs, rule: formatRule(rule), message: frame } as const;
    await lab.commit({ reminders: [change] });
    const until = (hours: number) => lab.until(() => lab.clock.now() - startMs >= hours * hourMs, 10_000);
    await until(4.5);
    isServed = true;
    await until(6.5);
    expect(fired).toEqual([
      [4, 3],
      [5, 0],
      [6, 0],
    ]);
    expect(lab.courier.counters).toMatchObject({ remindersFired: 3, remindersFailed: 3 });
    // A host starts before its workers: that is no error.
    expect(lab.logger.texts("error")).toEqual([]);
    expect(lab.logger.texts("warn")[0]).toMatch(
      / was not handled, and gives way to its next tick: No worker serves the type\./,
    );
  },
);
