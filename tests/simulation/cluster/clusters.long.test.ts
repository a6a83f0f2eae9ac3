import { expect, test } from "vitest";
import { clusterFailureText, playClusters } from "./play.ts";

const seedsPerTest = 100;

test.each([1, 2, 3, 4])(
  "clusters of several hosts keep what they promise, part %d",
  { timeout: 600_000 },
  async (part) => {
    const failures: string[] = [];
    await playClusters(1 + part * seedsPerTest, seedsPerTest, {
      onFailure: (report, { actions }) => failures.push(clusterFailureText(report, [...actions.keys()])),
    });
    expect(failures).toEqual([]);
  },
);
