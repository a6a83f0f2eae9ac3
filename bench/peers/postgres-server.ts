import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { chownSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";

/** Returns the reason why PostgreSQL cannot take part; undefined if its server is here. */
export function postgresAbsence(): string | undefined {
  if (programFolder() === undefined) return "needs a PostgreSQL server (Debian: apt-get install postgresql)";
  return process.getuid?.() === 0 && otherUser() === undefined ? "needs a user that is not root" : undefined;
}

/** A PostgreSQL server as it is installed, on a free port of 127.0.0.1, with its data in the folder for temporary files. */
export class MeasuredPostgres {
  readonly url: string;
  readonly #folder: string;
  readonly #child: ChildProcess;

  private constructor(url: string, folder: string, child: ChildProcess) {
    this.url = url;
    this.#folder = folder;
    this.#child = child;
  }

  static async start(): Promise<MeasuredPostgres> {
    const programs = programFolder() ?? "";
    const user = otherUser();
    const folder = mkdtempSync(join(tmpdir(), "troupe-bench-postgres-"));
    if (user !== undefined) chownSync(folder, user.uid, user.gid);
    const made = spawnSync(join(programs, "initdb"), ["-D", folder, "-U", "bench", "--auth=trust", "--no-locale"], {
      ...user,
      encoding: "utf8",
    });
    if (made.status !== 0) throw new Error(`initdb has failed: ${made.stderr}`);
    writeFileSync(
      join(folder, "postgresql.auto.conf"),
      "listen_addresses = '127.0.0.1'\nunix_socket_directories = ''\n",
    );
    const port = await freePort();
    const child = spawn(join(programs, "postgres"), ["-D", folder, "-p", `${port}`], {
      ...user,
      stdio: ["ignore", "ignore", "pipe"],
    });
    await new Promise<void>((resolve, reject) => {
      let log = "";
      child.once("exit", () => reject(new Error(`PostgreSQL does not start: ${log}`)));
      child.stderr.on("data", (chunk: Buffer) => {
        log = `${log}${chunk}`.slice(-10_000);
        if (log.includes("ready to accept connections")) resolve();
      });
    });
    return new MeasuredPostgres(`postgres://bench@127.0.0.1:${port}/postgres`, folder, child);
  }

  async stop(): Promise<void> {
    const ended = new Promise((resolve) => this.#child.once("close", resolve));
    this.#child.kill("SIGINT");
    await ended;
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

/** The folder with the newest server; undefined: there is none. Debian does not put it on the PATH. */
function programFolder(): string | undefined {
  const debian = "/usr/lib/postgresql";
  const versions = (existsSync(debian) ? readdirSync(debian) : []).sort((a, b) => Number(b) - Number(a));
  const all = [...versions.map((version) => join(debian, version, "bin")), ...(process.env.PATH ?? "").split(":")];
  return all.find((folder) => existsSync(join(folder, "postgres")) && existsSync(join(folder, "initdb")));
}

/** PostgreSQL refuses to run as root: root starts it as another user. */
function otherUser(): { readonly uid: number; readonly gid: number } | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const lines = readFileSync("/etc/passwd", "utf8").split("\n");
  for (const name of ["postgres", "nobody"]) {
    const [, , uid, gid] = lines.find((line) => line.startsWith(`${name}:`))?.split(":") ?? [];
    if (uid !== undefined) return { uid: Number(uid), gid: Number(gid) };
  }
  return undefined;
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer().once("error", reject);
    probe.listen(0, "127.0.0.1", () => {
      const address = probe.address();
      probe.close(() => resolve(typeof address === "object" && address !== null ? address.port : 0));
    });
  });
}
