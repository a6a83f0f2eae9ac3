import { expect, test } from "vitest";
import { StreamWorld } from "./stream-world.ts";

test("streams between hosts of a cluster come whole and in order, or end with their error, whatever breaks", {
  timeout: 120_000,
}, async () => {
  const breaches: string[] = [];
  const sums = { streams: 0, chunks: 0, answered: 0, failed: 0, faults: 0 };
  for (let seed = 1; seed <= 24; seed += 1) {
    const report = await new StreamWorld(seed).run();
    breaches.push(...report.breaches.map(({ checker, text }) => `world ${seed}: [${checker}] ${text}`));
    sums.streams += report.figures.streams;
    sums.chunks += report.figures.chunks;
    sums.answered += report.figures.answered;
    sums.failed += report.figures.failed;
    sums.faults += report.figures.faults;
  }
  expect(breaches).toEqual([]);
  for (const count of Object.values(sums)) expect(count).toBeGreaterThan(24);
});

test("a world of a seed is the same each time", async () => {
  const play = async () => (await new StreamWorld(3, { keepsLines: true }).run()).lines;
  expect(await play()).toEqual(await play());
});
