import { describe, expect, it } from "vitest";
import { RequestSlots } from "../../../src/nats/request-slots.ts";
import { Gate } from "../../support/gate.ts";

describe("requests to NATS", () => {
  it("are at most 4,096 at once; others begin in order as the first end", async () => {
    const slots = new RequestSlots();
    const gate = new Gate();
    const begun: number[] = [];
    const all = Array.from({ length: 5_000 }, (_, index) =>
      slots.run(10, async () => {
        begun.push(index);
        await gate.opened;
        return index;
      }),
    );
    expect(begun.length).toBe(4_096);
    gate.open();
    expect(await Promise.all(all)).toEqual(Array.from({ length: 5_000 }, (_, index) => index));
    expect(begun).toEqual(begun.toSorted((one, other) => one - other));
  });

  it("that would wait beyond 16 MiB are not sent", async () => {
    const slots = new RequestSlots();
    const gate = new Gate();
    const running = Array.from({ length: 4_096 }, () => slots.run(10, () => gate.opened));
    const waiting = Array.from({ length: 260 }, () => slots.run(64 * 1024, async () => "sent"));
    gate.open();
    await Promise.all(running);
    const outcomes = await Promise.all(waiting);
    expect(outcomes.filter((each) => each === undefined).length).toBe(260 - 254);
    expect(outcomes.slice(0, 254)).toEqual(Array.from({ length: 254 }, () => "sent"));
  });

  it("go on after a request that has failed", async () => {
    const slots = new RequestSlots();
    await expect(slots.run(1, () => Promise.reject(new Error("lost")))).rejects.toThrow("lost");
    expect(await slots.run(1, async () => "sent")).toBe("sent");
  });
});
