import { defineConfig } from "vitest/config";
import { BadInputTally } from "./tests/support/bad-input-tally.ts";
import { ClosingLineReporter } from "./tests/support/closing-line-reporter.ts";

/** `troupe/...` resolves to src, so tests need no build. */
const conditions = ["source", "node", "development"];

export default defineConfig({
  // Node 20 has neither standard decorators nor `await using`: esbuild lowers both for this target.
  esbuild: { target: "node20" },
  resolve: { conditions },
  ssr: { resolve: { conditions } },
  test: {
    include: ["tests/{unit,contract,integration,e2e,conformance,property,architecture,simulation}/**/*.test.ts"],
    environment: "node",
    reporters: ["default", new BadInputTally(), new ClosingLineReporter()],
    testTimeout: 20_000,
    hookTimeout: 20_000,
    retry: 0,
  },
});
