// `npm run package-check`: packs the package, installs it into an empty project, and uses it there as a stranger would.
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { checkDeployFiles } from "./image/check-deploy-files.mjs";
import { checkImage } from "./image/check-image.mjs";
import { bins, mustSucceed, root, run, runNode, runNpm } from "./run.mjs";
import { ensureBuilt, packPackage } from "./setup.mjs";
import { Tally } from "./tally.mjs";

rmSync(join(root, "dist"), { recursive: true, force: true });
await ensureBuilt();
const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
const entryPoints = Object.keys(manifest.exports)
  .filter((path) => !path.endsWith(".json"))
  .map((path) => path.replace(".", manifest.name));
const project = mkdtempSync(join(tmpdir(), "troupe-package-"));
const tally = new Tally();
try {
  const tarball = join(project, "troupe.tgz");
  await packPackage(tarball);
  tally.count("publint", await runNode(bins.publint, ["run", tarball, "--strict"], { quiet: true }));
  tally.count("are the types wrong", await runNode(bins.attw, [tarball, "--profile", "esm-only"], { quiet: true }));
  await install(tarball);
  for (const entryPoint of entryPoints) await importEntryPoint(entryPoint);
  await importUnderForeignConditions();
  tally.count(
    "the command line starts",
    await run(process.execPath, [join("node_modules", manifest.name, manifest.bin.troupe), "--help"], {
      cwd: project,
      quiet: true,
    }),
  );
  checkPage();
  checkLinks();
  await runHello();
  await checkImage(tarball, tally);
  await checkDeployFiles(tally);
} finally {
  rmSync(project, { recursive: true, force: true });
}
process.exitCode = tally.close();

/** The package with its dependencies, what the hello example needs besides, and the peers that troupe/ai, troupe/cron and troupe/security/jwt import. */
async function install(tarball) {
  writeFileSync(join(project, "package.json"), JSON.stringify({ name: "stranger", private: true, type: "module" }));
  const besides = ["zod", "@types/node", "ai", "croner", "jose"].map(
    (name) => `${name}@${manifest.devDependencies[name]}`,
  );
  const flags = ["--no-audit", "--no-fund", "--prefer-offline", "--loglevel=error"];
  mustSucceed(await runNpm(["install", ...flags, tarball, ...besides], { cwd: project, quiet: true }), "npm install");
}

async function importEntryPoint(specifier) {
  const script = `const entryPoint = await import(${JSON.stringify(specifier)});
    if (Object.keys(entryPoint).length === 0) throw new Error("nothing is exported");`;
  const args = ["--input-type=module", "--eval", script];
  tally.count(
    `import ${specifier}`,
    await run(process.execPath, args, { cwd: project, quiet: true, timeoutMs: 30_000 }),
  );
}

/** Programs set these conditions for packages of their own. The package's TypeScript is not meant for them. */
async function importUnderForeignConditions() {
  const foreign = ["source", "typescript", "ts", "src", "development", "browser", "module"];
  const conditions = foreign.flatMap((name) => ["-C", name]);
  const script = `const resolved = ${JSON.stringify(entryPoints)}.map((name) => import.meta.resolve(name));
    const wrong = resolved.filter((url) => !url.endsWith(".js"));
    if (wrong.length > 0) throw new Error(wrong.join(", "));`;
  const args = [...conditions, "--input-type=module", "--eval", script];
  tally.count(
    "a program's own export conditions lead to JavaScript",
    await run(process.execPath, args, { cwd: project, quiet: true }),
  );
}

/** `troupe host --ui` serves the page from the package: nothing builds it there. */
function checkPage() {
  const name = "the page for operators is in the package";
  const folder = join(project, "node_modules", manifest.name, "dist", "ui");
  if (existsSync(join(folder, "index.html")) && readdirSync(join(folder, "assets")).length > 1) tally.passed(name);
  else tally.failed(name, `${folder} has no index.html or no assets`);
}

/** The package ships every file that one of its documents links to, pictures included. */
function checkLinks() {
  const folder = join(project, "node_modules", manifest.name);
  const documents = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".md"));
  const missing = [];
  let links = 0;
  for (const document of documents) {
    for (const [, link] of readFileSync(join(folder, document), "utf8").matchAll(/\]\((?!https?:|#)([^)#]+)/g)) {
      links += 1;
      if (!existsSync(join(folder, dirname(document), link))) missing.push(`${document}: ${link}`);
    }
  }
  if (links > 0 && missing.length === 0)
    tally.passed("the links of the package's documents lead to files of the package");
  else tally.failed("the links of the package's documents lead to files of the package", missing.join(", "));
}

/** Compiles the example against the installed declarations, all of them checked, and runs it. */
async function runHello() {
  cpSync(join(root, "examples", "hello"), join(project, "hello"), { recursive: true });
  const compilerOptions = {
    target: "es2023",
    lib: ["es2023", "esnext.disposable", "esnext.decorators"],
    module: "nodenext",
    types: ["node"],
    strict: true,
    skipLibCheck: false,
    rewriteRelativeImportExtensions: true,
    outDir: "out",
    rootDir: ".",
  };
  const needsDom = (specifier) => specifier.startsWith(`${manifest.name}/ai`);
  writeUses(
    "entry-points.ts",
    entryPoints.filter((specifier) => !needsDom(specifier)),
  );
  writeUses("ai-entry-points.ts", entryPoints.filter(needsDom));
  writeProject("tsconfig.json", { compilerOptions, include: ["hello", "entry-points.ts"] });
  const compiled = await runNode(bins.tsc, ["-p", project], { quiet: true });
  tally.count("the hello example compiles against the installed package", compiled);
  // The AI SDK's own declarations need the types of browsers, and those of a package that it does not bring along.
  const besides =
    'declare module "json-schema" { export type JSONSchema7 = object; export type JSONSchema7Definition = object; }';
  writeFileSync(join(project, "json-schema.d.ts"), besides);
  writeProject("tsconfig.ai.json", {
    compilerOptions: { ...compilerOptions, lib: [...compilerOptions.lib, "dom"], noEmit: true },
    include: ["ai-entry-points.ts", "json-schema.d.ts"],
  });
  const ai = await runNode(bins.tsc, ["-p", join(project, "tsconfig.ai.json")], { quiet: true });
  tally.count("the declarations of troupe/ai compile beside those of the AI SDK", ai);
  const main = join(project, "out", "hello", "main.js");
  tally.count("the hello example runs", await runNode(main, [], { cwd: project, quiet: true, timeoutMs: 60_000 }));
}

function writeUses(name, specifiers) {
  writeFileSync(join(project, name), specifiers.map((specifier) => `import type {} from "${specifier}";\n`).join(""));
}

function writeProject(name, settings) {
  writeFileSync(join(project, name), JSON.stringify(settings));
}
