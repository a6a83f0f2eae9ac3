// `npm run generate`: TypeScript from every .proto of the project, wherever a buf.gen.yaml lies. `--check` only compares.
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { bins, root, runNode } from "./run.mjs";

/** Generates into `output`, the project itself by default. Resolves to `{ code, output }` like a program. */
async function generate(output = root) {
  for (const template of templates()) {
    const args = ["generate", "--template", template, "--output", output];
    const generated = await runNode(bins.buf, args, { quiet: true });
    if (generated.code !== 0) return generated;
  }
  return { code: 0, output: "" };
}

/** Generates into a temporary folder and compares with what is committed: 1 and what differs, or 0. */
export async function compareGenerated() {
  const fresh = mkdtempSync(join(tmpdir(), "troupe-gen-"));
  try {
    const generated = await generate(fresh);
    if (generated.code !== 0) return generated;
    const wanted = filesUnder(fresh);
    const folders = [...new Set(wanted.map((file) => dirname(file)))];
    const committed = folders.flatMap((folder) => filesUnder(root, folder));
    const stale = [...new Set([...wanted, ...committed])].filter((file) => read(fresh, file) !== read(root, file));
    const output = stale.map((file) => `${file} is not what its .proto says: run \`npm run generate\`\n`).join("");
    return { code: stale.length === 0 ? 0 : 1, output };
  } finally {
    rmSync(fresh, { recursive: true, force: true });
  }
}

function templates() {
  const examples = readdirSync(join(root, "examples")).map((name) => join("examples", name, "buf.gen.yaml"));
  return ["buf.gen.yaml", ...examples].filter((file) => existsSync(join(root, file)));
}

function filesUnder(base, folder = "") {
  if (!existsSync(join(base, folder))) return [];
  const entries = readdirSync(join(base, folder), { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(base.length + 1));
}

function read(base, file) {
  const path = join(base, file);
  return existsSync(path) ? readFileSync(path, "utf8").replaceAll("\r\n", "\n") : undefined;
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const { code, output } = process.argv.includes("--check") ? await compareGenerated() : await generate();
  if (output !== "") console.error(output);
  process.exitCode = code;
}
