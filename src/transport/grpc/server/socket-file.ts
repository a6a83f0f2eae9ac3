import { randomUUID } from "node:crypto";
import { link, lstat, rename, unlink } from "node:fs/promises";
import { connect, type Server } from "node:net";
import { RpcError, StatusCode } from "../../rpc-status.ts";
import { errorCode } from "../../system-error.ts";
import { absent, taken, withFileLock } from "./file-lock.ts";
import { listenOn } from "./listen-on.ts";

/** Number of times that a start tries, when other starts change the file meanwhile. */
const mostTries = 5;

/**
 * Listens on a Unix socket. A process that was killed leaves its socket's file behind: such a file, on which no program answers, is
 * replaced. A socket that a program serves, and a file of another kind, stay: the promise rejects.
 */
export async function bindSocketFile(server: Server, path: string, isDead = isDeadSocket): Promise<void> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await listenOn(server, { path });
    } catch (error) {
      if (errorCode(error) !== "EADDRINUSE" || tries === mostTries) throw error;
      await removeDeadSocket(path, error, isDead);
    }
  }
}

/** Removes a socket's file on which no program answers. Throws `inUse`, or an `RpcError`, when the file must stay. */
async function removeDeadSocket(path: string, inUse: unknown, isDead: typeof isDeadSocket): Promise<void> {
  const file = await lstat(path).catch(absent);
  if (file === undefined) return;
  if (!file.isSocket()) {
    const text = `unix:${path} cannot be listened on: there is a file that is not a socket. Remove it, or choose another path.`;
    throw new RpcError(StatusCode.invalidArgument, text, { cause: inUse });
  }
  if (!(await isDead(path))) throw inUse;
  // Only the holder of the lock takes a file away, so that no start takes the new socket of another one.
  await withFileLock(`${path}.lock`, () => takeAway(path, inUse, isDead));
}

async function takeAway(path: string, inUse: unknown, isDead: typeof isDeadSocket): Promise<void> {
  if (!(await isDead(path))) throw inUse;
  // A program that knows no lock may have put its socket here since. So this one takes the file aside, and looks again.
  const aside = `${path}.${randomUUID()}`;
  if ((await rename(path, aside).then(() => true, absent)) === undefined) return;
  const isLive = !(await isDead(aside));
  if (isLive) await link(aside, path).catch(taken);
  await unlink(aside).catch(absent);
  if (isLive) throw inUse;
}

/** Whether no program listens on the socket. A socket that can't be asked counts as served. */
export function isDeadSocket(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ path });
    socket.once("connect", () => {
      socket.destroy();
      resolve(false);
    });
    socket.once("error", (error) => resolve(["ECONNREFUSED", "ENOENT"].includes(errorCode(error) ?? "")));
  });
}
