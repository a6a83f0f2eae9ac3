import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";

/** Instructions for installing a Python with AutoGen. */
export const howToGetPython: readonly string[] = [
  "to have one made: node tools/interop-venvs.mjs --only gen3 (needs Python 3.10 to 3.13)",
  "to use your own: pip install 'autogen-ext[grpc]==0.7.5', and set TROUPE_PYTHON to it",
];

/**
 * Finds a Python that can import AutoGen's gRPC runtime: TROUPE_PYTHON, the project's `.venvs/gen3`, or the first on
 * the PATH.
 */
export function findPythonWithAutoGen(): string | undefined {
  const chosen = process.env.TROUPE_PYTHON;
  const bin = process.platform === "win32" ? ["Scripts", "python.exe"] : ["bin", "python"];
  const candidates = chosen ? [chosen] : [join(projectFolder(), ".venvs", "gen3", ...bin), "python3", "python"];
  return candidates.find(hasAutoGen);
}

/**
 * Returns the path of an example's source file. Files that are not TypeScript are not copied when the examples are
 * compiled.
 */
export function sourceFile(path: string): string {
  return join(projectFolder(), "examples", path);
}

function hasAutoGen(python: string): boolean {
  // Finds the modules without running them, which takes seconds on a busy machine. Without autogen_ext it throws.
  const program = "from importlib.util import find_spec as f; exit(not (f('autogen_ext.runtimes.grpc') and f('grpc')))";
  return spawnSync(python, ["-c", program], { stdio: "ignore" }).status === 0;
}

function projectFolder(): string {
  let folder = import.meta.dirname;
  while (!existsSync(join(folder, "package.json"))) folder = dirname(folder);
  return folder;
}
