import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { allRequirements, testsByRequirement } from "./requirements.ts";
import { taggedTitles } from "./tagged-titles.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const references = testsByRequirement(root);

describe("the requirement manifest", () => {
  test("has one entry for each of the 137 statements of protocol.md §8", () => {
    expect(allRequirements.map((requirement) => requirement.id)).toEqual(
      Array.from({ length: 137 }, (_, index) => index + 1),
    );
  });

  test("every statement has a test without Python that names it, or is marked as interop or pending", () => {
    const untested = allRequirements
      .filter(({ pending, provenBy }) => pending === undefined && provenBy === undefined)
      .filter(({ id }) => !isTestedBy(id, (file) => !isInterop(file)))
      .map((requirement) => `§8.${requirement.id} ${requirement.statement}`);
    expect(untested).toEqual([]);
  });

  test("a statement marked as interop has a test there, and only there", () => {
    const left = allRequirements.filter(({ provenBy }) => provenBy !== undefined);
    expect(left.filter(({ provenBy }) => provenBy !== "interop")).toEqual([]);
    const wrong = left.filter(({ id }) => !isTestedBy(id, isInterop) || isTestedBy(id, (file) => !isInterop(file)));
    expect(wrong.map(({ id, statement }) => `§8.${id} ${statement}`)).toEqual([]);
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

describe("a tag proves its statement", () => {
  test.each([
    ['test("says so [§8.1]", () => {});', ["says so [§8.1]"]],
    ["it.each(rows)(`says $so [§8.1] [§8.2]`, () => {});", ["says $so [§8.1] [§8.2]"]],
    ['test.skipIf(reason)("says so [§8.1]", () => {});', ["says so [§8.1]"]],
    ['situation({ title: "says so [§8.1]", scenario: "s" }, body);', ["says so [§8.1]"]],
    ['// test("says so [§8.1]")', []],
    ['expect(text).toBe("says so [§8.1]");', []],
    ['test.skip("says so [§8.1]", () => {});', []],
    ['test.todo("says so [§8.1]");', []],
    ['test("says so [§8.1]", { skip: true }, () => {});', []],
    ['describe.skip("a thing", () => { test("says so [§8.1]", () => {}); });', []],
  ])("in %s: %j", (source, titles) => {
    expect(taggedTitles(source)).toEqual(titles);
  });
});

function isTestedBy(id: number, isWanted: (file: string) => boolean): boolean {
  return references.get(id)?.some(({ file }) => isWanted(file)) === true;
}

function isInterop(file: string): boolean {
  return file.startsWith("tests/interop/");
}
