import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { expect, test } from "vitest";

const root = resolve(import.meta.dirname, "../..");
const read = (name: string): string => readFileSync(join(root, "docs", name), "utf8");

test("the figures of the section on sizing are measured ones, as docs/performance.md has them", () => {
  const [, section = ""] = /^## Sizing\n([\s\S]*?)^## /m.exec(read("operations.md")) ?? [];
  const rows = [...section.matchAll(/^\| (.+) \| ([\d,.]+) \| `(.+)` \|$/gm)];
  expect(rows.length).toBeGreaterThan(5);
  const performance = read("performance.md");
  for (const [, what, figure = "", title = ""] of rows) {
    const tables = performance
      .split(`\n| ${title} |`)
      .slice(1)
      .map((text) => text.slice(0, text.indexOf("\n\n")));
    expect(
      tables.some((table) => table.includes(`host ${figure},`)),
      `${what}: ${figure}`,
    ).toBe(true);
  }
  const [, idle = ""] = /1,000 idle workers takes (\d+) MiB/.exec(section) ?? [];
  expect(performance).toContain(`| ${idle} MiB |`);
});
