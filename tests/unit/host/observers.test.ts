import { expect, it } from "vitest";
import { type HostOccurrence, Observers } from "../../../src/host/observer.ts";

const lease = { at: "lease", what: "held" } as const;

it("has none to tell until an observer listens, and after the last one has ended", () => {
  const observers = new Observers();
  const seen: HostOccurrence[] = [];
  expect(observers.now).toBeUndefined();
  const end = observers.add((what) => void seen.push(what));
  observers.now?.(lease);
  end();
  expect([seen, observers.now]).toEqual([[lease], undefined]);
});

it("tells all, and those that are left when one has ended, however often it was added", () => {
  const observers = new Observers();
  const seen: string[] = [];
  const one = () => void seen.push("one");
  const ends = [observers.add(one), observers.add(one), observers.add(() => void seen.push("other"))];
  observers.now?.(lease);
  ends[0]?.();
  ends[0]?.();
  observers.now?.(lease);
  ends[1]?.();
  observers.now?.(lease);
  expect(seen).toEqual(["one", "one", "other", "one", "other", "other"]);
});
