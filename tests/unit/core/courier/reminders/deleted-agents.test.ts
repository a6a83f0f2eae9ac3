import { expect, test } from "vitest";
import { MemoryStateStore } from "../../../../../src/storage/index.ts";
import { ManualClock } from "../../../../../src/testing/index.ts";
import { Gate } from "../../../../support/gate.ts";
import { handled, Lab, startMs, turn } from "../courier-lab.ts";

test("the reminder of an agent that is deleted while reminders are being read does not fire", async () => {
  const clock = new ManualClock(startMs);
  const [asked, read] = [new Gate(), new Gate()];
  let isHeld = false;
  /** Reads at once, and answers later: what was deleted meanwhile is in the answer. */
  class SlowStore extends MemoryStateStore {
    override async due(...query: Parameters<MemoryStateStore["due"]>) {
      const page = await super.due(...query);
      if (!isHeld) return page;
      isHeld = false;
      asked.open();
      await read.opened;
      return page;
    }
  }
  const lab = await Lab.started({ clock, memory: new SlowStore({ clock }) });
  const fired: string[] = [];
  lab.answer = ({ agent: { key } }) => {
    fired.push(key);
    return handled;
  };
  isHeld = true;
  await lab.remind("gone", "one", 1_000);
  await lab.remind("stays", "one", 1_000);
  clock.advance(100);
  await asked.opened;
  await lab.commit({ agent: { type: "a", key: "gone" }, write: { at: "delete" } });
  // Another one of the same name, which the agent sets when it begins anew.
  await lab.commit({ agent: { type: "a", key: "again" }, write: { at: "delete" } });
  await lab.remind("again", "one", 1_000);
  read.open();
  await turn();
  await lab.until(() => fired.length >= 2, 500);
  expect(fired.sort()).toEqual(["again", "stays"]);
});
