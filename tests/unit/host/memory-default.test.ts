import { expect, test } from "vitest";
import { resolveHostOptions } from "../../../src/host/options.ts";

const MiB = 1024 * 1024;

test("a host whose workers may queue more keeps more in all, unless it is told how much", () => {
  expect(resolveHostOptions({}).maxMemoryBytes).toBe(512 * MiB);
  expect(resolveHostOptions({ maxQueuedBytes: 300 * MiB }).maxMemoryBytes).toBe(1_200 * MiB);
  expect(resolveHostOptions({ maxQueuedBytes: 300 * MiB, maxMemoryBytes: 256 * MiB }).maxMemoryBytes).toBe(256 * MiB);
});
