import { describe, expect, test } from "vitest";
import { formatRule, ruleOf } from "../../../../src/core/courier/reminders/reminder-rule.ts";
import { TroupeError } from "../../../../src/core/index.ts";
import type { Commit } from "../../../../src/core/internal.ts";
import { MemoryStateStore, StoreError } from "../../../../src/storage/index.ts";
import { ManualClock } from "../../../../src/testing/index.ts";
import { frame, handled, Lab, startMs, turn } from "./courier-lab.ts";

/** Writes commits, or does not, and then can't say which. */
class UnsureStore extends MemoryStateStore {
  unsure: "written" | "lost" | undefined;

  override async commit(commits: Parameters<MemoryStateStore["commit"]>[0]) {
    const { unsure } = this;
    if (unsure === "lost") throw new StoreError("unknown", "the answer was lost");
    const outcomes = await super.commit(commits);
    if (unsure === "written") throw new StoreError("unknown", "the answer was lost");
    return outcomes;
  }
}

async function startLab() {
  const clock = new ManualClock(startMs);
  const memory = new UnsureStore({ clock });
  const lab = await Lab.started({ clock, memory });
  const fired: string[] = [];
  lab.answer = ({ reminder }) => {
    fired.push(`${reminder?.name} after ${clock.wallNow() - startMs}`);
    return handled;
  };
  const commitUnsure = async (unsure: "written" | "lost", parts: Partial<Commit>) => {
    memory.unsure = unsure;
    await expect(lab.commit(parts)).rejects.toMatchObject({ code: "state-unknown" });
    memory.unsure = undefined;
  };
  const setTo = (name: string, afterMs: number) => {
    const rule = ruleOf({ after: afterMs }, {}, clock.wallNow(), undefined);
    return { reminders: [{ at: "set", name, dueMs: rule.dueMs, rule: formatRule(rule), message: frame } as const] };
  };
  /** Lets the courier read what was set, so that it has the reminders in memory. */
  const letRead = async () => {
    clock.advance(100);
    await turn();
  };
  const pass = async (ms: number) => {
    for (let passed = 0; passed < ms; passed += 100) {
      clock.advance(100);
      await turn();
    }
  };
  return { lab, fired, commitUnsure, setTo, letRead, pass };
}

describe("a commit of which the store can't say whether it was written", () => {
  test("fires no reminder that it has cancelled or replaced, and those that it has set in time", async () => {
    const { lab, fired, commitUnsure, setTo, letRead, pass } = await startLab();
    await lab.remind("k", "cancelled", 1_000);
    await lab.remind("k", "replaced", 1_000);
    await lab.remind("k", "other", 1_000);
    await letRead();
    await commitUnsure("written", { reminders: [{ at: "cancel", name: "cancelled" }] });
    await commitUnsure("written", setTo("replaced", 2_000));
    await commitUnsure("written", setTo("new", 1_500));
    await pass(5_000);
    expect(fired).toEqual(["other after 1000", "new after 1600", "replaced after 2100"]);
  });

  test("fires the reminders at their times that it would have changed, if it was not written", async () => {
    const { lab, fired, commitUnsure, setTo, letRead, pass } = await startLab();
    await lab.remind("k", "one", 1_000);
    await lab.remind("k", "two", 1_000);
    await letRead();
    await commitUnsure("lost", { reminders: [{ at: "cancel", name: "one" }] });
    await commitUnsure("lost", setTo("two", 2_000));
    await commitUnsure("lost", { write: { at: "delete" } });
    await pass(5_000);
    expect(fired).toEqual(["one after 1000", "two after 1000"]);
  });

  test("fires no reminder of a state that it has deleted", async () => {
    const { lab, fired, commitUnsure, letRead, pass } = await startLab();
    await lab.remind("k", "one", 1_000);
    await lab.remind("other", "two", 1_000);
    await letRead();
    await commitUnsure("written", { write: { at: "delete" } });
    await pass(5_000);
    expect(fired).toEqual(["two after 1000"]);
  });

  test.each(["written", "lost"] as const)(
    "withdraws a tick that has not begun, and it comes again only if it is still set: %s",
    async (unsure) => {
      const { lab, fired, commitUnsure, letRead, pass } = await startLab();
      const { answer } = lab;
      lab.answer = undefined;
      await lab.remind("k", "one", 1_000);
      await letRead();
      lab.clock.advance(1_000);
      const tick = await lab.calls.take();
      lab.answer = answer;
      await commitUnsure(unsure, { reminders: [{ at: "cancel", name: "one" }] });
      expect(tick.isWithdrawn).toBe(true);
      await pass(5_000);
      expect(fired).toHaveLength(unsure === "lost" ? 1 : 0);
    },
  );

  test.each(["written", "lost"] as const)(
    "delivers no message told to the agent whose state it has deleted, and all if it was not written: %s",
    async (unsure) => {
      const { lab, commitUnsure, pass } = await startLab();
      lab.answer = undefined;
      for (const id of ["1", "2", "3"]) await lab.keep("x", id);
      const call = await lab.calls.take();
      const delivered: string[] = [];
      lab.answer = ({ id }) => {
        delivered.push(id);
        return handled;
      };
      await commitUnsure(unsure, { agent: { type: "a", key: "x" }, write: { at: "delete" } });
      expect(call.isWithdrawn).toBe(true);
      await pass(100);
      await lab.keep("x", "4");
      await lab.until(() => !lab.busy);
      expect(delivered).toEqual(unsure === "written" ? ["4"] : ["1", "2", "3", "4"]);
    },
  );

  test.each(["written", "lost"] as const)(
    "does not try a message again that it has deleted while an attempt was failing: %s",
    async (unsure) => {
      const { lab, commitUnsure, pass } = await startLab();
      lab.answer = undefined;
      await lab.keep("x", "before");
      const call = await lab.calls.take();
      call.hasBegun = true;
      const delivered: string[] = [];
      lab.answer = ({ id }) => {
        delivered.push(id);
        return handled;
      };
      await commitUnsure(unsure, { agent: { type: "a", key: "x" }, write: { at: "delete" } });
      call.end({ at: "failed", error: new TroupeError("undeliverable", "no worker has the agent") });
      await pass(60_000);
      expect(delivered).toEqual(unsure === "written" ? [] : ["before"]);
    },
  );
});
