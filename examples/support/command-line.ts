import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** The file behind the command `troupe`, to be run with this Node (from source when this file is). */
export function troupeCommand(): string {
  const manifest = new URL(import.meta.resolve("troupe/package.json"));
  const { bin } = JSON.parse(readFileSync(manifest, "utf8")) as { bin: { troupe: string } };
  const fromSource = import.meta.filename.endsWith(".ts");
  return fileURLToPath(new URL(fromSource ? "src/cli/main.ts" : bin.troupe, manifest));
}
