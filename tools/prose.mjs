// `npm run prose`: style and spelling of comments, error texts and documents. Without arguments: the paths that are known to be
// clean (tools/prose/clean-paths.mjs), as `npm run check` does. With paths: those. With `--all`: everything.
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join, relative } from "node:path";
import { cleanPaths, everything } from "./prose/clean-paths.mjs";
import { root } from "./run.mjs";
import { ensureInstalled } from "./setup.mjs";

await ensureInstalled();
// Its packages are there only now.
const { lint } = await import("./prose/lint.mjs");

const args = process.argv.slice(2);
const asked = args.filter((arg) => !arg.startsWith("--"));
const paths = args.includes("--all") ? everything : asked.length > 0 ? asked : cleanPaths;
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
