import { ensureVenvs } from "./venvs.ts";

/** Makes the missing Python environments once, before any interop test file is loaded. Those it cannot make are skipped. */
export async function setup(): Promise<void> {
  await ensureVenvs({ log: (line) => console.log(line) });
}
