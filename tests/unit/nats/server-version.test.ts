import { expect, it } from "vitest";
import { atLeast, mayLoseStreams } from "../../../src/nats/server-version.ts";

it("compares versions of nats-server by their numbers", () => {
  expect(atLeast("2.9.10", "2.9.0")).toBe(true);
  expect(atLeast("2.9.10", "2.11.0")).toBe(false);
  expect(atLeast("2.11.0-RC.1", "2.11.0")).toBe(true);
  expect(atLeast("3.0.0", "2.11.5")).toBe(true);
  expect(atLeast("", "2.9.0")).toBe(false);
});

it("knows the versions that may lose a stream", () => {
  expect(["2.10.19", "2.10.20", "2.10.22", "2.10.23", "2.12.0"].map(mayLoseStreams)).toEqual([
    ...[false, true, true, false, false],
  ]);
});
