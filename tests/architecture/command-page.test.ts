import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { exitCodes } from "../../src/cli/exit-codes.ts";
import { pageFile, pageOfNow } from "../support/command-page/page.ts";

const page = readFileSync(pageFile, "utf8");

test("docs/guide/commands.md has the help of each command as it is; else run npm run command-page", () => {
  expect(page).toBe(pageOfNow());
});

test("docs/guide/commands.md has each exit code", () => {
  const codes = [...page.matchAll(/^\| (\d) \| /gm)].map(([, code]) => Number(code));
  expect(codes).toEqual(Object.values(exitCodes));
});
