import { existsSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { troupeVersion } from "../../src/protocol/internal.ts";

interface Target {
  readonly "troupe-source": string;
  readonly types: string;
  readonly default: string;
}

const root = new URL("../../", import.meta.url);
const read = (path: string) => readFileSync(new URL(path, root), "utf8");
const manifest: {
  readonly version: string;
  readonly exports: Readonly<Record<string, Target | string>>;
  readonly bin: { readonly troupe: string };
} = JSON.parse(read("package.json"));
const entryPoints = Object.entries(manifest.exports).flatMap(([path, target]) =>
  typeof target === "string" ? [] : [{ name: path.replace(".", "troupe"), target }],
);

test("the version that hosts tell is that of the package", () => {
  expect(manifest.version).toBe(troupeVersion);
});

describe("the package's entry points", () => {
  test.each(entryPoints)("$name is an index.ts of src", ({ target }) => {
    expect(target["troupe-source"]).toMatch(/^\.\/src\/.+\/index\.ts$/);
    expect(existsSync(new URL(target["troupe-source"], root)), `${target["troupe-source"]} exists`).toBe(true);
  });

  test.each(entryPoints)("$name is built where its source says", ({ target }) => {
    const built = target["troupe-source"].replace("./src/", "./dist/").replace(/\.ts$/, "");
    expect(target).toEqual({
      "troupe-source": target["troupe-source"],
      types: `${built}.d.ts`,
      default: `${built}.js`,
    });
  });

  test.each(entryPoints)("$name names what it exports: no export *, no default export, no code", ({ target }) => {
    const statements = read(target["troupe-source"])
      .replace(/\/\*[\s\S]*?\*\//g, "")
      .replace(/\/\/.*$/gm, "")
      .split(";")
      .map((statement) => statement.trim())
      .filter((statement) => statement !== "");
    expect(statements.length).toBeGreaterThan(0);
    for (const statement of statements) expect(statement).toMatch(/^export (type )?\{[\s\S]*\} from "[^"]+"$/);
  });

  test.each(entryPoints)(
    "$name begins with a comment that says what it is for, with an example",
    ({ name, target }) => {
      const comment = /^\/\*\*[\s\S]*?\*\//.exec(read(target["troupe-source"]))?.[0] ?? "";
      expect(comment).toContain("@packageDocumentation");
      expect(comment, "the example imports the entry point").toContain(`from "${name}";`);
    },
  );

  test("the command line has its source, and a first line that lets a shell start it", () => {
    const main = manifest.bin.troupe.replace("dist/", "src/").replace(/\.js$/, ".ts");
    expect(read(main)).toMatch(/^#!\/usr\/bin\/env node\n/);
  });
});
