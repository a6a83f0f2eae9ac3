import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { expect, test } from "vitest";

const root = resolve(import.meta.dirname, "../..");
const page = readFileSync(join(root, "docs/security.md"), "utf8");
const rows = page.split("\n").filter((line) => /^\| (?!attack)[^-]/.test(line));
const names = new Set(
  readdirSync(join(root, "tests"), { recursive: true, encoding: "utf8" }).map((name) => name.split("/").at(-1)),
);
const { scripts } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));

test("docs/security.md names for each attack a test that is there", () => {
  expect(rows.length).toBeGreaterThan(40);
  const unproven = rows.filter((row) => {
    const named = [...(row.split(" | ").at(-1) ?? "").matchAll(/`([^`]+)`/g)].map(([, name = ""]) => name);
    return named.length === 0 || !named.every(isThere);
  });
  expect(unproven).toEqual([]);
});

/** A path, the name of a file that a path before it leads to, or a command of package.json. */
function isThere(name: string): boolean {
  if (name.startsWith("npm run ")) return name.slice("npm run ".length) in scripts;
  return name.includes("/") ? existsSync(join(root, name)) : names.has(name);
}
