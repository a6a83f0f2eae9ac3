import { availableParallelism } from "node:os";
import { defineConfig } from "vitest/config";
import { BadInputTally } from "./tests/support/bad-input-tally.ts";
import { ClosingLineReporter } from "./tests/support/closing-line-reporter.ts";

/** `troupe/...` resolves to src, so tests need no build. */
const conditions = ["troupe-source", "node", "development"];

const tests = "tests/{unit,contract,integration,e2e,conformance,property,architecture,simulation}/**/*";
const long = `${tests}.long.test.ts`;

export default defineConfig({
  // Node 20 has neither standard decorators nor `await using`: esbuild lowers both for this target.
  esbuild: { target: "node20" },
  resolve: { conditions },
  ssr: { resolve: { conditions } },
  test: {
    environment: "node",
    reporters: ["default", new BadInputTally(), new ClosingLineReporter()],
    testTimeout: 20_000,
    hookTimeout: 20_000,
    retry: 0,
    projects: [
      // `npm test`. The files of a process share it: nothing happens at import, and loading the sources for each file anew takes longer than the
      // tests. They wait more than they compute: two processes are faster on two processors, too.
      {
        extends: true,
        test: {
          ...{ name: "quick", include: [`${tests}.test.ts`], exclude: [long], isolate: false },
          ...{ maxWorkers: Math.max(2, availableParallelism() - 1), sequence: { groupOrder: 0 } },
        },
      },
      // `npm run test:long`: they wait for processes and leases most of the time.
      {
        extends: true,
        test: {
          name: "long",
          include: [long],
          maxWorkers: Math.max(2, availableParallelism() - 1),
          // They start many processes, each of which takes seconds on a loaded machine.
          ...{ testTimeout: 60_000, hookTimeout: 60_000 },
          sequence: { groupOrder: 1 },
        },
      },
      // `npm run test:hostile`
      {
        extends: true,
        test: {
          ...{ name: "hostile", include: ["tests/hostile/**/*.test.ts"], testTimeout: 60_000 },
          ...{ fileParallelism: false, sequence: { groupOrder: 2 } },
        },
      },
    ],
  },
});
