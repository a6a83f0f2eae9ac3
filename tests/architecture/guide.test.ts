import { execFile } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import process from "node:process";
import { pathToFileURL } from "node:url";
import { promisify } from "node:util";
import ts from "typescript";
import { describe, expect, onTestFinished, test } from "vitest";
import { codeBlocks, modulesOf } from "../support/markdown-code.ts";

const root = resolve(import.meta.dirname, "../..");
const entryPoints = readdirSync(join(root, "src"), { recursive: true, encoding: "utf8" })
  .map((name) => `src/${name.replaceAll("\\", "/")}`)
  .filter((name) => name.endsWith("/index.ts"));
const guide = readdirSync(join(root, "docs/guide")).map((name) => `docs/guide/${name}`);
const pages = [
  "README.md",
  "docs/operations.md",
  "docs/guarantees.md",
  "examples/README.md",
  ...guide.filter((page) => page.endsWith(".md")),
];

describe("the README and the guide", () => {
  test("show TypeScript that compiles, and so do the comments of the entry points", { timeout: 60_000 }, () => {
    expect(entryPoints.length).toBeGreaterThan(10);
    expect(compileErrors([...pages, ...entryPoints])).toEqual([]);
  });

  test.each(quotations())("$page shows $file as it is", ({ code, file }) => {
    expect(read(file)).toContain(code);
  });

  test.each(pages)("%s links only to pages that exist", (page) => {
    const links = [...read(page).matchAll(/\]\((?!https?:)([^)#]+)/g)].map((match) => match[1] ?? "");
    const missing = links.filter(
      (link) => !ts.sys.fileExists(at(page, link)) && !ts.sys.directoryExists(at(page, link)),
    );
    expect(missing).toEqual([]);
  });
});

describe("the pages that the package contains", () => {
  const shipped =
    /^(docs\/[^/]+\.md|docs\/(?:guide|performance)(\/.*)?|(?:deploy|examples)(\/.*)?|src\/.*|proto\/.*|[A-Z]+(\.md)?)$/;

  const documents = [".", "docs", "docs/guide", "examples"].flatMap((folder) =>
    readdirSync(join(root, folder))
      .map((name) => (folder === "." ? name : `${folder}/${name}`))
      .filter((page) => page.endsWith(".md")),
  );

  test.each(documents)("%s links only to what the package contains", (page) => {
    const links = [...read(page).matchAll(/\]\((?!https?:)([^)#]+)/g)].map((match) => match[1] ?? "");
    const targets = links.map((link) => relative(root, at(page, link)).replaceAll("\\", "/").replace(/\/$/, ""));
    expect(targets.filter((target) => !shipped.test(target))).toEqual([]);
  });

  /** Pages whose code needs a host or a server that the reader starts, or that shows what stops a program. */
  const needsMore = [
    ...["calling-dotnet", "calling-python", "cluster", "first-agents", "locking-a-host", "messages"],
    ...["running-a-host", "running-a-worker", "scaling-out", "state", "testing"],
  ].map((name) => `docs/guide/${name}.md`);
  const programs = guide.filter((page) => page.endsWith(".md") && !needsMore.includes(page));

  test.each(programs)("%s runs as it is printed", { timeout: 60_000 }, async (page) => {
    const [code] = modulesOf(page, read(page)).values();
    if (code === undefined) return;
    const file = join(mkdtempSync(join(root, "tests/.guide-")), "page.ts");
    onTestFinished(() => rmSync(dirname(file), { recursive: true }));
    writeFileSync(file, code);
    const args = ["--import", pathToFileURL(join(root, "tools/typescript.mjs")).href, "-C", "troupe-source", file];
    const ended = await promisify(execFile)(process.execPath, args, { cwd: dirname(file), timeout: 50_000 }).then(
      () => "done",
      (error: { readonly stderr: string }) => error.stderr,
    );
    expect(ended).toBe("done");
  });
});

function quotations() {
  return pages.flatMap((page) =>
    codeBlocks(read(page)).flatMap(({ quotes, code }) => (quotes === undefined ? [] : [{ page, file: quotes, code }])),
  );
}

function read(path: string): string {
  return readFileSync(join(root, path), "utf8").replaceAll("\r\n", "\n");
}

/** The text of a doc comment without what stands before it on each line; a page as it is. */
function withoutStars(file: string, text: string): string {
  return file.endsWith(".ts") ? text.replace(/^ \* ?/gm, "") : text;
}

function at(page: string, link: string): string {
  return join(root, dirname(page), link);
}

/** `page:line text` of everything the compiler has against the pages' code; it sees it beside the pages themselves. */
function compileErrors(texts: readonly string[]): string[] {
  const modules = new Map(texts.flatMap((file) => [...modulesOf(join(root, file), withoutStars(file, read(file)))]));
  const options = compilerOptions();
  const host = ts.createCompilerHost(options);
  const { readFile, fileExists } = host;
  host.fileExists = (file) => modules.has(file) || fileExists(file);
  host.readFile = (file) => modules.get(file) ?? readFile(file);
  const getSourceFile = host.getSourceFile.bind(host);
  host.getSourceFile = (file, languageVersion, ...rest) => {
    const text = modules.get(file);
    if (text === undefined) return getSourceFile(file, languageVersion, ...rest);
    return ts.createSourceFile(file, text, languageVersion, true);
  };
  const program = ts.createProgram([...modules.keys()], options, host);
  return [...modules.keys()].flatMap((file) => {
    const source = program.getSourceFile(file);
    return [...program.getSyntacticDiagnostics(source), ...program.getSemanticDiagnostics(source)].map(describeError);
  });
}

function compilerOptions(): ts.CompilerOptions {
  const file = join(root, "tsconfig.json");
  const { config } = ts.readConfigFile(file, ts.sys.readFile);
  const { options } = ts.parseJsonConfigFileContent({ ...config, include: [], files: ["none.ts"] }, ts.sys, root);
  // A page explains; it need not use everything it names.
  return { ...options, noUnusedLocals: false, noUnusedParameters: false };
}

function describeError({ file, start, messageText }: ts.Diagnostic): string {
  const text = ts.flattenDiagnosticMessageText(messageText, "\n");
  if (file === undefined || start === undefined) return text;
  const page = relative(root, file.fileName).replace(/(\.\d+)?\.ts$/, "");
  return `${page}:${file.getLineAndCharacterOfPosition(start).line + 1} ${text}`;
}
