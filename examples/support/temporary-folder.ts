import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface TemporaryFolder extends AsyncDisposable {
  readonly path: string;
}

/** Makes a folder among the system's temporary ones. Disposing it deletes it with all that it contains. */
export async function temporaryFolder(): Promise<TemporaryFolder> {
  const path = await mkdtemp(join(tmpdir(), "troupe-example-"));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true }) };
}
