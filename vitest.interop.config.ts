import { defineConfig, mergeConfig } from "vitest/config";
import { InteropMatrixReporter } from "./tests/interop/support/interop-matrix-reporter.ts";
import { InteropRequirementsReporter } from "./tests/interop/support/interop-requirements-reporter.ts";
import { ClosingLineReporter } from "./tests/support/closing-line-reporter.ts";
import main from "./vitest.config.ts";

/** Tests against real Python peers, in the virtual environments under .venvs/. One file at a time: each starts several processes. */
const config = mergeConfig(
  main,
  defineConfig({ test: { testTimeout: 60_000, hookTimeout: 60_000, fileParallelism: false } }),
);
config.test = {
  ...config.test,
  projects: undefined,
  include: ["tests/interop/**/*.test.ts"],
  reporters: ["default", new InteropMatrixReporter(), new InteropRequirementsReporter(), new ClosingLineReporter()],
};

export default config;
