import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** Returns the file of the command `troupe`: the source if this program runs on the source of Troupe, otherwise the compiled one. */
export function troupeCommand(): string {
  const manifest = new URL(import.meta.resolve("troupe/package.json"));
  const { bin } = JSON.parse(readFileSync(manifest, "utf8")) as { bin: { troupe: string } };
  const fromSource = import.meta.resolve("troupe").endsWith(".ts");
  return fileURLToPath(new URL(fromSource ? "src/cli/main.ts" : bin.troupe, manifest));
}
