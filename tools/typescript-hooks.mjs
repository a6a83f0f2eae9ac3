// Module hooks of typescript.mjs: esbuild strips the types and lowers standard decorators and `await using`. What it makes of a file is kept under
// build/, by the content of the file: tests start hundreds of processes, and each would take a second for that.
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const { version } = createRequire(import.meta.url)("esbuild/package.json");
const options = { loader: "ts", format: "esm", target: "node20", sourcemap: "inline" };
const folder = join(root, "build", "typescript");

export async function load(url, context, nextLoad) {
  if (!url.startsWith("file:") || !url.endsWith(".ts")) return nextLoad(url, context);
  const sourcefile = fileURLToPath(url);
  const text = readFileSync(sourcefile, "utf8");
  const parts = [version, JSON.stringify(options), sourcefile, text];
  const kept = join(folder, `${createHash("sha256").update(parts.join("\0")).digest("hex")}.mjs`);
  const source = read(kept) ?? (await transformed(text, sourcefile, kept));
  return { format: "module", source, shortCircuit: true };
}

function read(file) {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return undefined;
  }
}

async function transformed(text, sourcefile, kept) {
  const { transform } = await import("esbuild");
  const { code } = await transform(text, { ...options, sourcefile });
  try {
    mkdirSync(folder, { recursive: true });
    // Other processes see the whole file, or none.
    const unfinished = `${kept}.${process.pid}.${performance.now()}`;
    writeFileSync(unfinished, code);
    renameSync(unfinished, kept);
  } catch {
    // It may run as a user without rights there, or with a full disk.
  }
  return code;
}
