import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import ts from "typescript";
import { expect, test } from "vitest";

const root = resolve(import.meta.dirname, "../..");

interface Named {
  /** The internal.ts, relative to the project. */
  readonly file: string;
  readonly name: string;
}

// Tests of the guide write and remove folders whose names begin with a dot, at the same time.
function filesOf(folder: string): string[] {
  return readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
    .map((name) => `${folder}/${name.replaceAll("\\", "/")}`)
    .filter((name) => /\.(ts|svelte)$/.test(name) && !/\/(?:gen\/|\.)/.test(name));
}

/** The names that a text imports from an internal.ts of another room, or passes on. */
function internalImports(file: string, text: string): Named[] {
  if (!text.includes("internal.ts")) return [];
  return ts.createSourceFile(file, text, ts.ScriptTarget.Latest).statements.flatMap((statement) => {
    if (!ts.isImportDeclaration(statement) && !ts.isExportDeclaration(statement)) return [];
    if (statement.moduleSpecifier === undefined || !ts.isStringLiteral(statement.moduleSpecifier)) return [];
    const target = slashes(relative(root, resolve(root, dirname(file), statement.moduleSpecifier.text)));
    if (!target.endsWith("/internal.ts") || file.startsWith(`${dirname(target)}/`)) return [];
    const names = ts.isImportDeclaration(statement) ? statement.importClause?.namedBindings : statement.exportClause;
    if (names === undefined || !("elements" in names)) return [];
    return names.elements.map(({ name, propertyName }) => ({ file: target, name: (propertyName ?? name).text }));
  });
}

function namesIn(file: string): Named[] {
  const { statements } = ts.createSourceFile(file, read(file), ts.ScriptTarget.Latest);
  return statements.flatMap((statement) => {
    if (!ts.isExportDeclaration(statement) || statement.exportClause === undefined) return [];
    return ts.isNamedExports(statement.exportClause)
      ? statement.exportClause.elements.map(({ name }) => ({ file, name: name.text }))
      : [];
  });
}

function read(file: string): string {
  const text = readFileSync(join(root, file), "utf8");
  // Of a component, what stands in its script.
  return file.endsWith(".svelte") ? (/<script lang="ts">([\s\S]*?)<\/script>/.exec(text)?.[1] ?? "") : text;
}

function slashes(path: string): string {
  return path.replaceAll("\\", "/");
}

const text = ({ file, name }: Named) => `${file}: ${name}`;

test("an internal.ts names only what somebody outside its room imports", () => {
  const used = new Set(
    [...filesOf("src"), ...filesOf("tests"), ...filesOf("ui")]
      .flatMap((file) => internalImports(file, read(file)))
      .map(text),
  );
  const named = filesOf("src")
    .filter((file) => file.endsWith("/internal.ts"))
    .flatMap(namesIn);
  expect(named.length).toBeGreaterThan(100);
  expect(
    named.map(text).filter((one) => !used.has(one)),
    "take these names out",
  ).toEqual([]);
});

test("a name that only its own room imports does not count as used", () => {
  const code = 'import { type Clock, systemClock as clock } from "../core/internal.ts";';
  expect(internalImports("src/worker/a.ts", code).map(text)).toEqual([
    "src/core/internal.ts: Clock",
    "src/core/internal.ts: systemClock",
  ]);
  expect(internalImports("src/core/agents/a.ts", code.replace("../core", ".."))).toEqual([]);
});
