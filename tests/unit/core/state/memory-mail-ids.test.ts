import { expect, test } from "vitest";
import { MemoryMailIds } from "../../../../src/core/state/memory/memory-mail-ids.ts";
import { sizeOfMailId } from "../../../../src/core/state/memory/memory-sizes.ts";
import { storeLimits } from "../../../../src/core/state/store-limits.ts";

test("mailboxes know the ids of the last ten minutes, and count their bytes, also while thousands come and go", () => {
  const ids = new MemoryMailIds();
  const times: number[] = [];
  let bytes = 0;
  for (let at = 0; at < 20_000; at += 1) {
    const nowMs = at * 100;
    bytes += ids.forget(nowMs);
    expect(ids.has("box", `id ${at}`)).toBe(false);
    bytes += ids.add("box", `id ${at}`, nowMs);
    expect(ids.add("box", `id ${at}`, nowMs)).toBe(0);
    times.push(nowMs);
  }
  const nowMs = times.at(-1) ?? 0;
  const isKnown = (at: number) => (times[at] ?? 0) > nowMs - storeLimits.mailIdMs;
  for (const at of times.keys()) expect(ids.has("box", `id ${at}`), `${at}`).toBe(isKnown(at));
  const left = [...times.keys()].filter(isKnown);
  // The name of an id has its mailbox, too.
  expect(bytes).toBe(left.reduce((sum, at) => sum + sizeOfMailId(`3:boxid ${at}`.length), 0));
});

test("the oldest ids go first when others need their bytes", () => {
  const ids = new MemoryMailIds();
  const bytes = [1, 2, 3].map((at) => ids.add("box", `${at}`, at));
  expect(ids.forget(3, (bytes[0] ?? 0) + 1)).toBe(-((bytes[0] ?? 0) + (bytes[1] ?? 0)));
  expect([1, 2, 3].map((at) => ids.has("box", `${at}`))).toEqual([false, false, true]);
});
