import { expect, it } from "vitest";
import { limits } from "../../../../src/host/limits.ts";
import { SharedOwners } from "../../../../src/host/placement/shared-owners.ts";

it("keeps an agent with the owner it was placed with, and places it anew when that owner lets go", () => {
  const picks = [0.99, 0];
  const directory = new SharedOwners(() => picks.shift() ?? 0);
  directory.claim("a", "X");
  directory.claim("a", "Y");
  expect(directory.locate("a", "k")).toBe("Y");
  expect(directory.locate("a", "k")).toBe("Y");
  directory.release("a", "Y");
  expect(directory.locate("a", "k")).toBe("X");
  directory.release("a", "X");
  expect(directory.locate("a", "k")).toBeUndefined();
  expect(directory.size).toBe(0);
});

it("grants a claim again without making a second owner of it", () => {
  const directory = new SharedOwners(() => 0);
  directory.claim("a", "X");
  expect(directory.claim("a", "X")).toEqual({ at: "granted" });
  expect(directory.owners("a")).toEqual(["X"]);
});

it("forgets the oldest placement beyond its bound, and no other", () => {
  const picks = [0.99];
  const directory = new SharedOwners(() => picks.shift() ?? 0);
  directory.claim("a", "X");
  directory.claim("a", "Y");
  expect(directory.locate("a", "oldest")).toBe("Y");
  for (let key = 1; key < limits.placements; key += 1) directory.locate("a", `${key}`);
  expect(directory.locate("a", "oldest")).toBe("Y");
  directory.locate("a", "one too many");
  expect(directory.locate("a", "oldest")).toBe("X");
});
