import { readFileSync } from "node:fs";
import { expect, test } from "vitest";

test("npm pack in a clone that was not built builds first, so that the package is never without dist", () => {
  const { scripts } = JSON.parse(readFileSync("package.json", "utf8"));
  expect(scripts.prepack).toBe(scripts.build);
});
