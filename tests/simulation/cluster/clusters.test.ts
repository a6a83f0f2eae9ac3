import { expect, test } from "vitest";
import { clusterFailureText, playClusters } from "./play.ts";

// clusters.long.test.ts plays more, `npm run simulate -- --cluster` as many as you like.
test("clusters of several hosts keep what they promise, whatever breaks", { timeout: 120_000 }, async () => {
  const failures: string[] = [];
  const { figures } = await playClusters(1, 20, {
    onFailure: (report, { actions }) => failures.push(clusterFailureText(report, [...actions.keys()])),
  });
  expect(failures).toEqual([]);
  // Not one kind of trouble is left out.
  const { claims, moves, burials, deaths, rejoins, isolations, overlaps } = figures;
  for (const count of [claims, moves, burials, deaths, rejoins, isolations, overlaps]) expect(count).toBeGreaterThan(0);
  const { mailHandled, mailDeleted, deletionFaults } = figures;
  for (const count of [mailHandled, mailDeleted, deletionFaults]) expect(count).toBeGreaterThan(0);
  const { shardsTaken, shardsHandedOver, lostReaders, balanced } = figures;
  for (const count of [shardsTaken, shardsHandedOver, lostReaders, balanced]) expect(count).toBeGreaterThan(0);
});
