import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";

/** The project's folder, wherever this was compiled to. */
export const projectFolder = findUp(import.meta.dirname);

/** How this process runs its programs: compiled ones with `node FILE`, sources with what `node` needs for them. */
export const thisNode: readonly string[] = [process.execPath, ...process.execArgv];

/** The file behind the command `troupe`, from source when this is. */
export function troupeCommand(): string {
  if (import.meta.filename.endsWith(".ts")) return join(projectFolder, "src/cli/main.ts");
  const manifest = JSON.parse(readFileSync(join(projectFolder, "package.json"), "utf8")) as { bin: { troupe: string } };
  return join(projectFolder, manifest.bin.troupe);
}

/** The Python of a virtual environment made by tools/interop-venvs.mjs, or undefined while there is none. */
export function venvPython(generation: "gen1" | "gen2" | "gen3"): string | undefined {
  const bin = process.platform === "win32" ? ["Scripts", "python.exe"] : ["bin", "python"];
  const python = join(projectFolder, ".venvs", generation, ...bin);
  return existsSync(python) ? python : undefined;
}

function findUp(folder: string): string {
  return existsSync(join(folder, "package.json")) ? folder : findUp(dirname(folder));
}
