import { existsSync, readFileSync } from "node:fs";
import { dirname, extname, join } from "node:path";

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

/** How to run a program of the benchmarks: `programCommand(import.meta, "caller", address)` for the file `caller` beside the one that asks. */
export function programCommand(from: ImportMeta, name: string, ...args: readonly string[]): string[] {
  return [...thisNode, join(from.dirname, `${name}${extname(from.filename)}`), ...args];
}

/** How to run one of the Python programs in bench/python, with AutoGen's newest release. */
export function pythonCommand(program: string, ...args: readonly string[]): string[] {
  return [venvPython("gen3") ?? "python3", join(projectFolder, "bench", "python", program), ...args];
}

/** Why Python's AutoGen can't take part; undefined when it can. */
export function pythonAbsence(): string | undefined {
  if (venvPython("gen3") !== undefined) return undefined;
  return "needs Python's AutoGen: run `node tools/interop-venvs.mjs --only gen3`";
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
