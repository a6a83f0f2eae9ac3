import { describe, expect, test } from "vitest";
import { CourierSlots, type SlotUse } from "../../../../src/core/courier/courier-slots.ts";
import { ReminderSlots } from "../../../../src/core/courier/reminders/reminder-slots.ts";

function use(agentType: string, party = "", bytes = 0): SlotUse {
  return { party, agentType, bytes };
}

/** Takes slots as long as there are any. Returns how many there were. */
function takeAll(slots: CourierSlots, useOf: (index: number) => SlotUse): number {
  let taken = 0;
  while (slots.take(useOf(taken), () => undefined)) taken += 1;
  return taken;
}

/** Slots that are all held by calls of other types and addresses, and calls that wait for one. */
function fullSlots() {
  const slots = new CourierSlots();
  expect(takeAll(slots, (index) => use(`hung${index}`))).toBe(1_000);
  // The one that was refused gets this slot.
  slots.free(use("hung0"));
  const granted: string[] = [];
  const wait = (agentType: string, party: string) =>
    slots.take(use(agentType, party), () => granted.push(`${party}/${agentType}`));
  return { slots, granted, wait };
}

describe("the slots of a courier", () => {
  test("are 1,000, of which a type gets a half and an address two thirds", () => {
    expect(takeAll(new CourierSlots(), (index) => use(`t${index}`))).toBe(1_000);
    expect(takeAll(new CourierSlots(), () => use("t"))).toBe(500);
    expect(takeAll(new CourierSlots(), (index) => use(`t${index}`, "p"))).toBe(667);
  });

  test("take 16 MiB of messages, of which a type gets a half and an address two thirds", () => {
    const quarter = 256 * 1_024;
    expect(takeAll(new CourierSlots(), () => use("t", "", quarter))).toBe(32);
    expect(takeAll(new CourierSlots(), (index) => use(`t${index}`, "p", quarter))).toBe(43);
  });

  test("go to the types of an address in turns", () => {
    const { slots, granted, wait } = fullSlots();
    for (const type of ["a", "a", "b"]) expect(wait(type, "p")).toBe(false);
    slots.free(use("hung1"));
    slots.free(use("a", "p"));
    slots.free(use("b", "p"));
    expect(granted).toEqual(["p/a", "p/b", "p/a"]);
  });

  test("go to addresses in turns, also if one has calls of many types", () => {
    const { slots, granted, wait } = fullSlots();
    for (const type of ["a", "b", "a", "b"]) wait(type, "p");
    wait("c", "q");
    slots.free(use("hung1"));
    slots.free(use("a", "p"));
    slots.free(use("c", "q"));
    slots.free(use("b", "p"));
    expect(granted).toEqual(["p/a", "q/c", "p/b", "p/a"]);
  });

  test("go on to the next call when one ends within its grant", () => {
    const { slots, granted, wait } = fullSlots();
    const endsAtOnce = (name: string) =>
      slots.take(use(name, "p"), () => {
        granted.push(name);
        slots.free(use(name, "p"));
        granted.push(`end of ${name}`);
      });
    for (const name of ["a", "b"]) expect(endsAtOnce(name)).toBe(false);
    wait("c", "q");
    slots.free(use("hung1"));
    expect(granted).toEqual(["a", "end of a", "b", "end of b", "q/c"]);
  });
});

describe("the slots of reminders", () => {
  /** Slots of which so many are free. */
  function openReminders(free: number) {
    const line: (() => void)[] = [];
    const turns: string[] = [];
    const counts = { free };
    const slots: Pick<CourierSlots, "take" | "free"> = {
      take: (_use, granted) => {
        counts.free -= 1;
        if (counts.free >= 0) return true;
        counts.free = 0;
        line.push(granted);
        return false;
      },
      free: () => {
        counts.free += 1;
      },
    };
    const reminders = new ReminderSlots({
      slots: slots as CourierSlots,
      onTurn: (agentKey) => {
        turns.push(`${agentKey} ${take(agentKey) ? "goes" : "waits"}`);
      },
    });
    const take = (agentKey: string): boolean => {
      // They read nothing else of a reminder.
      const reminder = { agentKey, stored: { agent: { type: "t", key: agentKey } } } as Parameters<
        typeof reminders.take
      >[0];
      return reminders.take(reminder, use("t"));
    };
    return { reminders, line, turns, counts, take };
  }

  test("are asked for by one agent of a type for all of them, which then go on until one has to wait", () => {
    const { reminders, line, turns, counts, take } = openReminders(0);
    for (const key of ["x", "y", "z", "u"]) expect(take(key)).toBe(false);
    expect([line.length, reminders.isWaiting("t", "y"), reminders.isWaiting("t", "?")]).toEqual([1, true, false]);
    reminders.forget("t", "y");
    expect(reminders.isWaiting("t", "y")).toBe(false);
    // The slot that is granted, which its reminder may have left to another.
    line.shift()?.();
    expect(turns).toEqual(["x goes", "z waits"]);
    expect([line.length, counts.free]).toEqual([1, 0]);
    counts.free = 2;
    line.shift()?.();
    expect(turns.slice(2).toSorted()).toEqual(["u goes", "z goes"]);
    expect([reminders.isWaiting("t", "z"), line.length]).toEqual([false, 0]);
  });
});
