import { readFileSync } from "node:fs";
import { expect, test } from "vitest";

const root = new URL("../../", import.meta.url);
const read = (path: string) => readFileSync(new URL(path, root), "utf8");
const { exports }: { readonly exports: Readonly<Record<string, { readonly "troupe-source": string }>> } = JSON.parse(
  read("package.json"),
);

/** Names in code, with the entry point that the row names: `traceToolSpan` of `troupe/telemetry/otel`. */
const promised = read("docs/guide/coming-from-autogen.md")
  .split("\n")
  .flatMap((line) => {
    const [, autogen = "", here = "", from = ""] = line.split("|").map((cell) => cell.trim());
    const entryPoint = /^`(troupe\S*)`$/.exec(from)?.[1];
    const text = here.startsWith("the same") ? `${autogen} ${here}` : here;
    const names = [...text.matchAll(/`([A-Za-z]+)`/g)].map((match) => match[1] ?? "");
    return entryPoint === undefined ? [] : names.map((name) => ({ name, entryPoint }));
  })
  .filter(({ name }) => !["signal", "logger", "events", "code"].includes(name));

test("the table of names is read", () => {
  expect(promised.length).toBeGreaterThan(20);
});

test.each(promised)("$name can be imported from $entryPoint", ({ name, entryPoint }) => {
  const source = exports[entryPoint.replace("troupe", ".")]?.["troupe-source"];
  expect(read(source ?? "package.json")).toMatch(new RegExp(`\\b${name}\\b`));
});
