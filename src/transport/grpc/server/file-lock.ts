import { randomUUID } from "node:crypto";
import { link, readFile, rename, stat, unlink, writeFile } from "node:fs/promises";
import { setTimeout } from "../../real-time.ts";
import { errorCode } from "../../system-error.ts";

/** A holder works for some milliseconds; a lock of this age is what a killed process left. */
const staleMs = 10_000;
const lookAgainMs = 10;

/** Runs `work` while no other process of this machine runs work with the same lock file. Removes the file afterwards. */
export async function withFileLock<T>(lockFile: string, work: () => Promise<T>): Promise<T> {
  // The file appears with its content: it is linked to its name, which fails if there is one.
  const own = `${lockFile}.${randomUUID()}`;
  await writeFile(own, String(process.pid), { flag: "wx" });
  try {
    while (!(await link(own, lockFile).then(() => true, taken))) {
      if (await isAbandoned(lockFile)) await takeAway(lockFile);
      else await new Promise((resolve) => setTimeout(resolve, lookAgainMs));
    }
  } finally {
    await unlink(own);
  }
  try {
    return await work();
  } finally {
    await unlink(lockFile).catch(absent);
  }
}

/** Whether the process that made the lock is gone, or has had it for too long. */
async function isAbandoned(lockFile: string): Promise<boolean> {
  try {
    const [text, { mtimeMs }] = await Promise.all([readFile(lockFile, "utf8"), stat(lockFile)]);
    return !isRunning(Number(text)) || Date.now() - mtimeMs > staleMs;
  } catch (error) {
    absent(error);
    return false;
  }
}

/** Takes an abandoned lock away, unless another process was quicker and has a lock of its own there. */
async function takeAway(lockFile: string): Promise<void> {
  const aside = `${lockFile}.${randomUUID()}`;
  if (!(await rename(lockFile, aside).then(() => true, absent))) return;
  if (!(await isAbandoned(aside))) await link(aside, lockFile).catch(taken);
  await unlink(aside).catch(absent);
}

function isRunning(processId: number): boolean {
  try {
    process.kill(processId, 0);
    return true;
  } catch (error) {
    // EPERM: it runs, and belongs to another user.
    return errorCode(error) === "EPERM";
  }
}

/** Accepts that the file is gone. */
export function absent(error: unknown): undefined {
  if (errorCode(error) !== "ENOENT") throw error;
}

/** Accepts that there is another file already. */
export function taken(error: unknown): undefined {
  if (errorCode(error) !== "EEXIST") throw error;
}
