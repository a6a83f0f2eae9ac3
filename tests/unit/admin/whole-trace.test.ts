import { describe, expect, test } from "vitest";
import { wholeTrace } from "../../../src/admin/model/whole-trace.ts";

type Hop = Parameters<typeof wholeTrace>[0][number];

/** A hop of the host `a`, unless the test says otherwise. */
function hop(about: Partial<Hop> & { readonly at?: string }): Hop {
  const { at = "a", ...rest } = about;
  return {
    ...{ number: 1, traceId: "t", kind: "call", startedMs: 0, ms: 10, senderType: null, senderKey: null },
    ...{ type: "writer", key: "1", topic: null, outcome: "answered", code: null, isPlaced: true, isOfOtherHost: false },
    host: { hostId: at, name: at },
    ...rest,
  };
}

describe("the hops of one trace of several hosts", () => {
  test("have a call between two hosts once, as the host of its caller tells it", () => {
    const outer = hop({ startedMs: 100, ms: 20 });
    const inner = hop({ at: "b", startedMs: 105, ms: 10, isOfOtherHost: true });
    expect(wholeTrace([inner, outer])).toEqual([outer]);
    // The host of the caller has not told it.
    expect(wholeTrace([inner])).toEqual([inner]);
  });

  test("are in one order though the clocks of the hosts differ", () => {
    const outer = hop({ startedMs: 100, ms: 20 });
    const inner = hop({ at: "b", startedMs: 5_105, ms: 10, isOfOtherHost: true });
    const by = { senderType: "writer", senderKey: "1" };
    const nested = hop({ at: "b", startedMs: 5_106, ms: 4, type: "checker", ...by });
    const elsewhere = hop({ at: "c", startedMs: 7, ms: 2, type: "checker", isOfOtherHost: true, ...by });
    const last = hop({ at: "c", startedMs: 8, ms: 1, type: "third", senderType: "checker", senderKey: "1" });
    const told = wholeTrace([last, elsewhere, nested, inner, outer]);
    // The middle of a call at its second host is that of the call at its first.
    expect(told.map(({ type, startedMs }) => `${type} ${startedMs}`).sort()).toEqual([
      "checker 106",
      "third 108",
      "writer 100",
    ]);
  });

  test("keep the time of a host whose calls are within those of its callers", () => {
    const outer = hop({ startedMs: 100, ms: 20 });
    const inner = hop({ at: "b", startedMs: 101, ms: 18, isOfOtherHost: true });
    const nested = hop({ at: "b", startedMs: 102, ms: 4, type: "checker" });
    expect(wholeTrace([outer, inner, nested])).toEqual([outer, nested]);
  });
});
