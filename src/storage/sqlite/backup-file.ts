import { randomBytes } from "node:crypto";
import {
  closeSync,
  existsSync,
  fsyncSync,
  linkSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  unlinkSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import process from "node:process";
import { loggableText, StoreError } from "../../core/internal.ts";

/**
 * Writes a file that gets its name when it is complete and on the disk. Several processes may write to one name at once: each writes a file of
 * its own, and one of them gets the name. The others throw.
 */
export function writeNewFile(target: string, write: (partial: string) => void): void {
  if (existsSync(target)) throw existsError(target);
  removeLeftFiles(target);
  const partial = `${target}.${process.pid}-${randomBytes(8).toString("hex")}.partial`;
  try {
    // SQLite fills an empty file. It would make one that all users of the machine may read.
    closeSync(openSync(partial, "wx", 0o600));
    write(partial);
    syncFile(partial);
    giveName(partial, target);
  } catch (error) {
    rmSync(partial, { force: true });
    throw error;
  }
  try {
    syncFolder(dirname(target));
  } catch (error) {
    rmSync(target, { force: true });
    throw error;
  }
}

/** Removes the files of processes that were killed while they wrote. */
function removeLeftFiles(target: string): void {
  const [folder, prefix] = [dirname(target), `${basename(target)}.`];
  for (const name of readdirSync(folder)) {
    if (!name.startsWith(prefix)) continue;
    const pid = /^([0-9]{1,10})-[0-9a-f]{16}\.partial$/.exec(name.slice(prefix.length))?.[1];
    if (pid !== undefined && !mayLive(Number(pid))) rmSync(join(folder, name), { force: true });
  }
}

function mayLive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // A process of another user is there, too.
    return codeOf(error) !== "ESRCH";
  }
}

/** A link fails where a file is; a rename would replace it. Some file systems have no links. */
function giveName(partial: string, target: string): void {
  try {
    linkSync(partial, target);
  } catch (error) {
    if (existsSync(target)) throw existsError(target);
    if (codeOf(error) === "EIO" || codeOf(error) === "ENOSPC") throw error;
    renameSync(partial, target);
    return;
  }
  unlinkSync(partial);
}

function syncFile(file: string): void {
  // Windows syncs only what is open to write.
  const opened = openSync(file, "r+");
  try {
    fsyncSync(opened);
  } finally {
    closeSync(opened);
  }
}

/** Without it, the name of a new file may be lost when the power fails. */
function syncFolder(folder: string): void {
  let opened: number | undefined;
  try {
    opened = openSync(folder, "r");
    fsyncSync(opened);
  } catch (error) {
    // Windows and some file systems sync no folder.
    if (codeOf(error) === "EIO" || codeOf(error) === "ENOSPC") throw error;
  } finally {
    if (opened !== undefined) closeSync(opened);
  }
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && "code" in error ? error.code : undefined;
}

function existsError(target: string): StoreError {
  return new StoreError("unavailable", `${loggableText(target)} exists. Name a file that does not, for the backup.`);
}
