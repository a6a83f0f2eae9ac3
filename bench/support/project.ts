import { existsSync, readFileSync } from "node:fs";
import { dirname, extname, join } from "node:path";

/** The project's folder, wherever this was compiled to. */
export const projectFolder = findUp(import.meta.dirname);

/** Command of this process's kind: `node` for compiled programs, with its options for sources. */
export const thisNode: readonly string[] = [process.execPath, ...process.execArgv];

/** File behind the command `troupe`; the source if this file is source. */
export function troupeCommand(): string {
  if (import.meta.filename.endsWith(".ts")) return join(projectFolder, "src/cli/main.ts");
  const manifest = JSON.parse(readFileSync(join(projectFolder, "package.json"), "utf8")) as { bin: { troupe: string } };
  return join(projectFolder, manifest.bin.troupe);
}

/**
 * Returns the command of a benchmark's program: `programCommand(import.meta, "caller", address)` for the file `caller`
 * beside the calling one.
 */
export function programCommand(from: ImportMeta, name: string, ...args: readonly string[]): string[] {
  return [...thisNode, join(from.dirname, `${name}${extname(from.filename)}`), ...args];
}

/** Returns the command of a Python program in bench/python, with AutoGen's newest release. */
export function pythonCommand(program: string, ...args: readonly string[]): string[] {
  return [venvPython("gen3") ?? "python3", join(projectFolder, "bench", "python", program), ...args];
}

/** Returns the reason why Python's AutoGen cannot take part; undefined if it can. */
export function pythonAbsence(): string | undefined {
  if (venvPython("gen3") !== undefined) return undefined;
  return "needs Python's AutoGen: run `node tools/interop-venvs.mjs --only gen3`";
}

/** Returns the Python of a virtual environment from `tools/interop-venvs.mjs`; undefined if it does not exist. */
export function venvPython(generation: "gen1" | "gen2" | "gen3"): string | undefined {
  const bin = process.platform === "win32" ? ["Scripts", "python.exe"] : ["bin", "python"];
  const python = join(projectFolder, ".venvs", generation, ...bin);
  return existsSync(python) ? python : undefined;
}

function findUp(folder: string): string {
  return existsSync(join(folder, "package.json")) ? folder : findUp(dirname(folder));
}
