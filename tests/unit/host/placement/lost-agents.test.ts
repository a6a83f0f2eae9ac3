import { expect, it } from "vitest";
import { createHostCounters } from "../../../../src/host/counters.ts";
import { limits } from "../../../../src/host/limits.ts";
import { LostAgents, nameOf } from "../../../../src/host/placement/lost-agents.ts";
import { keptText } from "../../../../src/host/sessions/pending-call.ts";
import { ManualClock } from "../../../../src/testing/index.ts";

function setUp() {
  const clock = new ManualClock();
  const counters = createHostCounters();
  const lost = new LostAgents(clock, counters);
  const lose = (key: string) => lost.lost(new Set([nameOf("room", key)]));
  return { clock, counters, lost, lose };
}

it("an agent with a key of which a pending call keeps only the beginning is quarantined as any other [L15]", () => {
  const { lost, counters } = setUp();
  const key = "k".repeat(1_000);
  for (let losses = 0; losses < 3; losses += 1) lost.lost(new Set([nameOf("room", keptText(key))]));
  expect(lost.whyNot("room", key)).toContain("3 workers were lost");
  expect(lost.whyNot("room", "k")).toBeUndefined();
  expect(counters.quarantinedAgents).toBe(1);
});

it("three losses within 60 s count, and the quarantine ends 60 s after the third [L15]", () => {
  const { clock, lost, lose } = setUp();
  lose("k");
  clock.advance(30_000);
  lose("k");
  clock.advance(30_001);
  lose("k");
  expect(lost.whyNot("room", "k")).toBeUndefined();
  lose("k");
  expect(lost.whyNot("room", "k")).toContain("60 s");
  clock.advance(59_000);
  expect(lost.whyNot("room", "k")).toContain("for 1 s");
  clock.advance(1_000);
  expect(lost.whyNot("room", "k")).toBeUndefined();
});

it("the host remembers so many agents, and forgets those first with which no worker was lost for the longest time", () => {
  const { lost, lose } = setUp();
  for (let at = 0; at <= limits.rememberedLosses; at += 1) lose(`${at}`);
  expect(lost.size).toBe(limits.rememberedLosses);
  for (let losses = 0; losses < 2; losses += 1) lose("0");
  expect(lost.whyNot("room", "0")).toBeUndefined();
});
