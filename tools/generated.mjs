// Generates the protocol code into a temporary folder and compares it with what is committed.
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { bins, root, runNode } from "./run.mjs";

const folder = "src/protocol/gen";

/** Resolves to `{ code, output }`: 0, or 1 and what differs. */
export async function compareGenerated() {
  const fresh = mkdtempSync(join(tmpdir(), "troupe-gen-"));
  try {
    const generated = await runNode(bins.buf, ["generate", "--output", fresh], { quiet: true });
    if (generated.code !== 0) return generated;
    const committed = readFolder(join(root, folder));
    const wanted = readFolder(join(fresh, folder));
    const names = [...new Set([...committed.keys(), ...wanted.keys()])];
    const stale = names.filter((name) => committed.get(name) !== wanted.get(name));
    const output = stale
      .map((name) => `${folder}/${name} is not what proto/ says: run \`npm run generate\`\n`)
      .join("");
    return { code: stale.length === 0 ? 0 : 1, output };
  } finally {
    rmSync(fresh, { recursive: true, force: true });
  }
}

function readFolder(path) {
  const text = (name) => readFileSync(join(path, name), "utf8").replaceAll("\r\n", "\n");
  return new Map(readdirSync(path).map((name) => [name, text(name)]));
}
