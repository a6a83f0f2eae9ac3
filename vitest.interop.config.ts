import { defineConfig, mergeConfig } from "vitest/config";
import main from "./vitest.config.ts";

/** Tests against real Python peers, in the virtual environments under .venvs/. One file at a time: each starts several processes. */
const config = mergeConfig(
  main,
  defineConfig({ test: { testTimeout: 60_000, hookTimeout: 60_000, fileParallelism: false } }),
);
config.test = { ...config.test, include: ["tests/interop/**/*.test.ts"] };

export default config;
