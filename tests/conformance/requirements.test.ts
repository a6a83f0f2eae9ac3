import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { allRequirements, testsByRequirement } from "./requirements.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const references = testsByRequirement(root);

describe("the requirement manifest", () => {
  test("has one entry for each of the 137 statements of protocol.md §8", () => {
    expect(allRequirements.map((requirement) => requirement.id)).toEqual(
      Array.from({ length: 137 }, (_, index) => index + 1),
    );
  });

  test("every statement has a test that names it, or is pending by name", () => {
    const untested = allRequirements
      .filter((requirement) => requirement.pending === undefined && !references.has(requirement.id))
      .map((requirement) => `§8.${requirement.id} ${requirement.statement}`);
    expect(untested).toEqual([]);
  });

  test("a pending statement has no test yet", () => {
    const tested = allRequirements
      .filter((requirement) => requirement.pending !== undefined && references.has(requirement.id))
      .map((requirement) => `§8.${requirement.id} is tested: remove its "pending"`);
    expect(tested).toEqual([]);
  });

  test("no test names a statement that does not exist", () => {
    const known = new Set(allRequirements.map((requirement) => requirement.id));
    expect([...references.keys()].filter((id) => !known.has(id))).toEqual([]);
  });
});
