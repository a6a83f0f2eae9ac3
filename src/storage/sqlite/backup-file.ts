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
import { errorText, loggableText, StoreError } from "../../core/internal.ts";
import { codeOf as codeOfSqlite, sqliteCode } from "./sqlite-error.ts";

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
    remove(partial);
    throw isOfNewFile(error) ? unwritableError(target, error) : error;
  }
  try {
    syncFolder(dirname(target));
  } catch (error) {
    remove(target);
    throw unwritableError(target, error);
  }
}

function remove(file: string): void {
  try {
    rmSync(file, { force: true });
  } catch {
    // The error that is thrown says more: this process may not write to the folder.
  }
}

/** Whether the new file has failed, not the one that is copied. SQLite only reads that one, so that it can't fill its disk. */
function isOfNewFile(error: unknown): boolean {
  if (error instanceof StoreError) return false;
  const code = codeOfSqlite(error);
  return code === undefined || code === sqliteCode.full;
}

function unwritableError(target: string, cause: unknown): StoreError {
  const isFull = codeOf(cause) === "ENOSPC" || codeOfSqlite(cause) === sqliteCode.full;
  const advice = isFull
    ? "Make space on its disk, or name a file on another one."
    : "Give this process the right to write to its folder, or name another file.";
  const text = `The backup ${loggableText(target)} can't be written: ${loggableText(errorText(cause))}. ${advice}`;
  return new StoreError(isFull ? "full" : "unavailable", text, { cause });
}

/** Removes the files of processes that were killed while they wrote. */
function removeLeftFiles(target: string): void {
  const [folder, prefix] = [dirname(target), `${basename(target)}.`];
  for (const name of namesIn(folder)) {
    if (!name.startsWith(prefix)) continue;
    const pid = /^([0-9]{1,10})-[0-9a-f]{16}\.partial$/.exec(name.slice(prefix.length))?.[1];
    if (pid !== undefined && !mayLive(Number(pid))) remove(join(folder, name));
  }
}

/** A folder to which this process may write without reading it has none that it could remove. */
function namesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
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
