import { rmSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface TemporaryFolder extends AsyncDisposable {
  readonly path: string;
}

const removal = { recursive: true, force: true, maxRetries: 20, retryDelay: 50 };

/**
 * Makes a folder among the system's temporary ones. Disposing it deletes it with all that it contains, as does the end
 * of this process.
 */
export async function temporaryFolder(): Promise<TemporaryFolder> {
  const path = await mkdtemp(join(tmpdir(), "troupe-example-"));
  const removeAtExit = () => rmSync(path, removal);
  process.once("exit", removeAtExit);
  return {
    path,
    [Symbol.asyncDispose]: async () => {
      process.off("exit", removeAtExit);
      await rm(path, removal);
    },
  };
}
