import { readdirSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";

const docs = new URL("../../docs/api/", import.meta.url);
const pages = readdirSync(docs).filter((file) => file.endsWith(".md"));

/** What Troupe itself sets, and users only read. */
const readOnly = new Set(["remoteStack", "remote", "notHandled", "[answerBrand]", "[chunkBrand]"]);

/** The optional properties of a page that do not admit `undefined`, each with its type. */
function withoutUndefined(page: string): readonly string[] {
  const text = readFileSync(new URL(page, docs), "utf8");
  const properties = text.matchAll(/^ *readonly (\[?\w+\]?)\?: ((?:[{[]\n[\s\S]*?\n *[}\]]|[^;\n])*);/gm);
  return [...properties]
    .filter(([, name = "", type = ""]) => !readOnly.has(name) && !/\| undefined$/.test(type) && type !== "unknown")
    .map(([property]) => property.trim());
}

test.each(pages)("a program with exactOptionalPropertyTypes may pass undefined for every option: %s", (page) => {
  expect(withoutUndefined(page)).toEqual([]);
});

test("the test above sees an option that does not admit undefined", () => {
  expect(pages).toContain("troupe-host.md");
  expect(readFileSync(new URL("troupe-host.md", docs), "utf8")).toMatch(
    /^ *readonly callTimeoutMs\?: number \| undefined;/m,
  );
});
