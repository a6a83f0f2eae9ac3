import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import process from "node:process";
import { errorText, loggableText, TroupeError } from "../../core/internal.ts";

/** The file that a host writes for the other commands: the address of its admin entry, and the token that it wants. */
export interface AdminFile {
  readonly url: string;
  readonly token: string;
  readonly pid: number;
  readonly name: string;
  /** The address that workers dial. */
  readonly address: string;
  /** The state store, without what is secret in its address. */
  readonly state: string;
}

/** The folder of a command line that names no other place. */
export const dataFolder = "troupe-data";

/** Admin files of one folder that are looked at. */
const mostFiles = 100;
/** A longer file is none of ours. */
const longestFile = 64 * 1024;

/** Writes a file that only this user reads, all at once: no other command sees a part of it. */
export function writeAdminFile(file: string, content: AdminFile): void {
  // Hosts in two containers may have the same process id, and share this folder.
  const draft = join(dirname(file), `.${basename(file)}.${randomBytes(8).toString("hex")}`);
  try {
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
    writeFileSync(draft, `${JSON.stringify(content, undefined, 2)}\n`, { mode: 0o600, flag: "wx" });
    renameSync(draft, file);
  } catch (cause) {
    removeDraft(draft);
    const text = `The file of the admin entry ${loggableText(file)} can't be written: ${loggableText(errorText(cause))}.`;
    throw new TroupeError("wrong-state", `${text} Name another one with --admin-file FILE.`, { cause });
  }
}

function removeDraft(draft: string): void {
  try {
    rmSync(draft, { force: true });
  } catch {
    // There is no folder in which one could be.
  }
}

/** Removes the file if it is still the one of this token: another host may have taken its place. Never throws. */
export function removeAdminFile(file: string, token: string): void {
  try {
    if (readAdminFile(file)?.token === token) rmSync(file, { force: true });
  } catch {
    // A file that can't be removed names a host that is dead, and the other commands pass over it.
  }
}

/** Undefined: there is no such file, or it is another kind of file. */
export function readAdminFile(file: string): AdminFile | undefined {
  try {
    const text = readFileSync(file, "utf8");
    if (text.length > longestFile) return undefined;
    const content: unknown = JSON.parse(text);
    return isAdminFile(content) ? content : undefined;
  } catch {
    return undefined;
  }
}

/** Admin files of a folder, `admin.json` first. */
export function adminFilesIn(folder: string): readonly string[] {
  if (!existsSync(folder)) return [];
  const names = readdirSync(folder).filter((name) => /^admin(-.+)?\.json$/.test(name));
  return names
    .sort((a, b) => a.length - b.length || (a < b ? -1 : 1))
    .slice(0, mostFiles)
    .map((name) => join(folder, name));
}

/** Whether the process that wrote the file may still run. */
export function mayLive({ pid }: AdminFile): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // A process of another user is there, too.
    return error instanceof Error && "code" in error && error.code === "EPERM";
  }
}

function isAdminFile(value: unknown): value is AdminFile {
  if (typeof value !== "object" || value === null) return false;
  const fields = new Map(Object.entries(value));
  const texts = ["url", "token", "name", "address", "state"].every((name) => typeof fields.get(name) === "string");
  const pid = fields.get("pid");
  return texts && typeof pid === "number" && Number.isSafeInteger(pid) && pid > 0;
}
