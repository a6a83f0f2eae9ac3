import { expect, test } from "vitest";
import { limits } from "../../../../src/host/limits.ts";
import { DotnetWorkers } from "../../../../src/host/sessions/dotnet-worker.ts";

test("a .NET worker is known again by its client id; the memory for ids is bounded in bytes, the oldest goes first", () => {
  const workers = new DotnetWorkers();
  const first = workers.opened("first");
  expect([first.hasReopened, workers.hasReopened("first")]).toEqual([false, false]);
  expect(workers.opened("first")).toBe(first);
  expect([first.hasReopened, workers.hasReopened("first")]).toEqual([true, true]);
  const idChars = 1_000;
  const most = Math.ceil(limits.dotnetWorkerBytes / (2 * idChars));
  const ids = Array.from({ length: most }, (_, index) => String(index).padStart(idChars));
  for (const id of ids) workers.opened(id);
  expect(workers.hasReopened("first")).toBe(false);
  expect(workers.opened(ids[0] ?? "").hasReopened).toBe(false);
  expect(workers.opened(ids.at(-1) ?? "").hasReopened).toBe(true);
  // One that is still connected keeps what is known of it.
  expect(first.hasReopened).toBe(true);
});
