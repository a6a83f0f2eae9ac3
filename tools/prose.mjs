// `npm run prose`: style and spelling of comments, error texts and documents: of all files, or of the paths that it is given.
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join, relative } from "node:path";
import { root } from "./run.mjs";
import { ensureInstalled } from "./setup.mjs";

await ensureInstalled();
// Its packages are there only now.
const { lint } = await import("./prose/lint.mjs");

/** Every file that has texts for people. A path that ends in `/` is a folder with all below it. */
const everything = [
  "ARCHITECTURE.md",
  "CHANGELOG.md",
  "CONTRIBUTING.md",
  "SECURITY.md",
  "README.md",
  "bench/",
  "docs/",
  "examples/",
  "src/",
];

const asked = process.argv.slice(2);
const paths = asked.length > 0 ? asked : everything;
const files = [...new Set(paths.flatMap(filesIn))].sort();
const problems = files.flatMap((name) => lint(name, readFileSync(join(root, name), "utf8")));
for (const { name, line, what } of problems) console.error(`${name}:${line}: ${what}`);
console.log(`${files.length} files, ${problems.length} problems`);
process.exitCode = problems.length === 0 ? 0 : 1;

function filesIn(path) {
  const name = path.replaceAll("\\", "/").replace(/\/$/, "");
  if (!existsSync(join(root, name))) {
    console.error(`${path} does not exist`);
    process.exit(1);
  }
  if (statSync(join(root, name)).isFile()) return [name];
  return readdirSync(join(root, name), { recursive: true, encoding: "utf8" })
    .map((file) => relative(root, join(root, name, file)).replaceAll("\\", "/"))
    .filter((file) => /\.(ts|md)$/.test(file) && !file.includes("/gen/") && !file.startsWith("docs/api/"));
}
