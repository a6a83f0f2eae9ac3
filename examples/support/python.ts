import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";

/** Instructions for installing a Python with AutoGen. */
export const howToGetPython: readonly string[] = [
  "to have one made: node tools/interop-venvs.mjs --only gen3 (needs Python 3.10 to 3.13)",
  "to use your own: pip install 'autogen-ext[grpc]==0.7.5', and set TROUPE_PYTHON to it",
];

/** The same for a Python with AgentChat. */
export const howToGetAgentChat: readonly string[] = [
  "to have one made: node tools/interop-venvs.mjs --only agentchat (needs Python 3.10 to 3.13)",
  "to use your own: pip install 'autogen-ext[grpc]==0.7.5' 'autogen-agentchat==0.7.5', and set TROUPE_PYTHON to it",
];

/**
 * Finds a Python that can import AutoGen's gRPC runtime: TROUPE_PYTHON, the project's `.venvs/gen3`, or the first on
 * the PATH.
 */
export function findPythonWithAutoGen(): string | undefined {
  return findPython("gen3", ["autogen_ext.runtimes.grpc", "grpc"]);
}

/** As `findPythonWithAutoGen`, for AgentChat; the project's is in `.venvs/agentchat`. */
export function findPythonWithAgentChat(): string | undefined {
  return findPython("agentchat", ["autogen_ext.runtimes.grpc", "grpc", "autogen_agentchat.agents"]);
}

/**
 * Returns the path of an example's source file. Files that are not TypeScript are not copied when the examples are
 * compiled.
 */
export function sourceFile(path: string): string {
  return join(projectFolder(), "examples", path);
}

function findPython(venv: string, modules: readonly string[]): string | undefined {
  const chosen = process.env.TROUPE_PYTHON;
  const bin = process.platform === "win32" ? ["Scripts", "python.exe"] : ["bin", "python"];
  const candidates = chosen ? [chosen] : [join(projectFolder(), ".venvs", venv, ...bin), "python3", "python"];
  // Finds the modules without running them, which takes seconds on a busy machine. Without their package it throws.
  const program = `from importlib.util import find_spec as f; exit(not (${modules.map((name) => `f('${name}')`).join(" and ")}))`;
  return candidates.find((python) => spawnSync(python, ["-c", program], { stdio: "ignore" }).status === 0);
}

function projectFolder(): string {
  let folder = import.meta.dirname;
  while (!existsSync(join(folder, "package.json"))) folder = dirname(folder);
  return folder;
}
