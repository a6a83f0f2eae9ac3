import { describe, expect, it } from "vitest";
import { checkRings } from "../../../../src/host/calls/rings/ring-check.ts";
import type { CheckedWaits, CheckWaits } from "../../../../src/host/calls/rings/ring-messages.ts";
import { parsePath } from "../../../../src/protocol/internal.ts";

const [one, two] = [{ id: "h1-1" }, { id: "h2-1" }];
/** A turn of `a` waits by way of the call `h2-7` for `h2-1`, which waits for a turn of `b`; and that one for `h1-1`, which waits for the turn of `a`. */
const ring = {
  last: two,
  text: "a/k → b/k → a/k",
  parts: [
    { from: one, token: "ta", to: two, path: parsePath("ta@a/k@h2-7") },
    { from: two, token: "tb", to: one, path: parsePath("tb@b/k") },
  ],
};

const all: CheckedWaits = {
  waits: [5, 6],
  pending: new Map([
    ["h1-1", ""],
    ["h2-1", "h1-4"],
    ["h2-7", "h1-3"],
    ["h1-3", ""],
    ["h1-4", ""],
  ]),
  over: [],
};

/** Checks the ring with these answers to the first and to the second question. */
async function check(first: CheckedWaits, second: CheckedWaits, isComplete = true) {
  const questions: CheckWaits[] = [];
  const checked = await checkRings([ring], async (question) => {
    questions.push(question);
    return { answers: [questions.length === 1 ? first : second], isComplete };
  });
  return { ...checked, questions };
}

function without(...ids: readonly string[]): CheckedWaits {
  return { ...all, pending: new Map([...all.pending].filter(([id]) => !ids.includes(id))) };
}

describe("a ring over hosts", () => {
  it("is true if its reports are the same twice, and its calls are pending at the hosts of both ends", async () => {
    const { versions, over, questions } = await check(all, all);
    expect(versions).toEqual([6]);
    expect(over).not.toContain("h2-7");
    expect(questions[0]?.calls.toSorted()).toEqual(["h1-1", "h2-1", "h2-7", "ta", "tb"]);
    expect(questions[1]?.calls.toSorted()).toEqual(["h1-1", "h1-3", "h1-4", "h2-1", "h2-7", "ta", "tb"]);
  });

  it.each([
    ["a report was replaced between", { ...all, waits: [5, 7] }],
    ["a report is gone", { ...all, waits: [0, 6] }],
    ["a call between is over at the host of its target", without("h2-7")],
    ["a call between is over at the host of its caller", without("h1-3")],
    ["a call of the ring is over at the host of its caller", without("h1-4")],
  ])("is none if %s", async (_what, second) => {
    expect((await check(all, second)).versions).toEqual([undefined]);
  });

  it("tells which calls are over for good, if all hosts have answered", async () => {
    expect((await check(all, without("h2-7"))).over).toContain("h2-7");
    expect((await check(all, without("h1-3"))).over).toContain("h2-7");
    expect((await check(all, without("h2-7"), false)).over).toEqual([]);
    expect((await check(all, { ...without("h2-7"), over: ["h2-7"] }, false)).over).toEqual(["h2-7"]);
  });

  it("tells which turns have ended, as their host knows", async () => {
    const { versions, ended } = await check(all, { ...all, waits: [-1, 6] });
    expect(versions).toEqual([undefined]);
    expect(ended).toEqual([expect.objectContaining({ id: "h1-1", token: "ta" })]);
  });
});
