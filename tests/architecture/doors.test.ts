import { existsSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";

interface Door {
  readonly source: string;
  readonly types: string;
  readonly default: string;
}

const root = new URL("../../", import.meta.url);
const manifest: {
  readonly exports: Readonly<Record<string, Door | string>>;
  readonly bin: { readonly troupe: string };
} = JSON.parse(readFileSync(new URL("package.json", root), "utf8"));
const doors = Object.entries(manifest.exports).flatMap(([name, door]) =>
  typeof door === "string" ? [] : [{ name, door }],
);

describe("the package's doors", () => {
  test.each(doors)("$name opens an index.ts of src", ({ door }) => {
    expect(door.source).toMatch(/^\.\/src\/.+\/index\.ts$/);
    expect(existsSync(new URL(door.source, root)), `${door.source} exists`).toBe(true);
  });

  test.each(doors)("$name is built where its source says", ({ door }) => {
    const built = door.source.replace("./src/", "./dist/").replace(/\.ts$/, "");
    expect(door).toEqual({ source: door.source, types: `${built}.d.ts`, default: `${built}.js` });
  });

  test.each(doors)("$name names what it exports: no export *, no default export, no code", ({ door }) => {
    const text = readFileSync(new URL(door.source, root), "utf8");
    const statements = text
      .replace(/\/\*[\s\S]*?\*\//g, "")
      .replace(/\/\/.*$/gm, "")
      .split(";")
      .map((statement) => statement.trim())
      .filter((statement) => statement !== "");
    expect(statements.length).toBeGreaterThan(0);
    for (const statement of statements) expect(statement).toMatch(/^export (type )?\{[\s\S]*\} from "[^"]+"$/);
  });

  test("the command line has its source, and a first line that lets a shell start it", () => {
    const main = manifest.bin.troupe.replace("dist/", "src/").replace(/\.js$/, ".ts");
    expect(readFileSync(new URL(main, root), "utf8")).toMatch(/^#!\/usr\/bin\/env node\n/);
  });
});
