import { type ChildProcess, execFile, spawn, spawnSync } from "node:child_process";
import { chownSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { freePort } from "./free-ports.ts";

/** Where Debian keeps the programs of the server, which are not on the PATH. */
const debianFolder = "/usr/lib/postgresql";
/** In memory where there is such a file system: most of these tests would only wait for the disk. */
const folders = existsSync("/dev/shm") ? "/dev/shm" : tmpdir();
const password = "s3cret/p@ss";

/** Returns the reason why PostgreSQL can't be tested here. Undefined: it can. */
export function postgresAbsence(): string | undefined {
  if (programFolder() === undefined) return "needs a PostgreSQL server (Debian: apt-get install postgresql)";
  return process.getuid?.() === 0 && otherUser() === undefined ? "needs a user that is not root" : undefined;
}

/** A user of the tests' server. */
export type PostgresUser = "troupe" | "guarded" | "reader";

/**
 * A PostgreSQL server of its own on a free port of 127.0.0.1, with its data in a new folder. `troupe` may do everything; `guarded` needs a
 * password; `reader` has no rights.
 */
export class PostgresServer implements AsyncDisposable {
  readonly port: number;
  readonly #folder: string;
  #child: ChildProcess | undefined;
  #ended: Promise<void> = Promise.resolve();
  #log = "";

  private constructor(folder: string, port: number) {
    this.#folder = folder;
    this.port = port;
  }

  /** Makes the data and starts the server. `settings` are lines of postgresql.conf. */
  static async start(settings: readonly string[] = [], parent = folders): Promise<PostgresServer> {
    const folder = mkdtempSync(join(parent, "troupe-postgres-"));
    const user = otherUser();
    if (user !== undefined) chownSync(folder, user.uid, user.gid);
    const server = new PostgresServer(folder, await freePort());
    try {
      const made = spawnSync(
        program("initdb"),
        ["-D", folder, "-U", "troupe", "--auth=trust", "--no-locale", "--encoding=UTF8", "--no-sync"],
        { ...user, encoding: "utf8" },
      );
      if (made.status !== 0) throw new Error(`initdb has failed: ${made.stderr}`);
      const access = ["host all guarded 127.0.0.1/32 scram-sha-256", "host all all 127.0.0.1/32 trust", ""];
      writeFileSync(join(folder, "pg_hba.conf"), access.join("\n"));
      const config = ["fsync = off", "listen_addresses = '127.0.0.1'", "unix_socket_directories = ''"];
      writeFileSync(join(folder, "postgresql.auto.conf"), [...config, ...settings, ""].join("\n"));
      await server.restart();
      await server.run(`create role guarded login password '${password}'; create role reader login;`);
    } catch (error) {
      await server[Symbol.asyncDispose]();
      throw error;
    }
    return server;
  }

  /** The password of the user `guarded`. */
  get password(): string {
    return password;
  }

  url(user: PostgresUser = "troupe", port = this.port, query = ""): string {
    const credentials = user === "guarded" ? `${user}:${encodeURIComponent(password)}` : user;
    return `postgres://${credentials}@127.0.0.1:${port}/postgres${query}`;
  }

  /** Runs statements; returns the first column of the last result, one text a row. */
  async run(text: string, user: PostgresUser = "troupe"): Promise<readonly string[]> {
    const { default: pg } = await import("pg");
    const client = new pg.Client({ connectionString: this.url(user) });
    client.on("error", () => undefined);
    await client.connect();
    try {
      const result: unknown = await client.query({ text, rowMode: "array" });
      const last = Array.isArray(result) ? result.at(-1) : result;
      return (last as { rows: readonly (readonly unknown[])[] }).rows.map(([first]) => String(first));
    } finally {
      await client.end();
    }
  }

  /** Copies a schema as SQL with pg_dump. */
  async dump(schema: string): Promise<string> {
    const args = ["--schema", schema, "--inserts", this.url()];
    const { stdout } = await promisify(execFile)(program("pg_dump"), args, { maxBuffer: 100_000_000 });
    // Newer dumps begin with a command of psql's.
    return stdout.replaceAll(/^\\.*$/gm, "");
  }

  /** Starts the server after it was stopped or killed; resolves when it takes connections. */
  async restart(): Promise<void> {
    // Processes of a server that was killed may be there for a moment.
    for (let attempt = 0; attempt < 100; attempt += 1) {
      if (await this.#start()) return;
    }
    throw new Error(`PostgreSQL does not start: ${this.#log}`);
  }

  /** Stops the server as its operator does, without waiting for its clients. */
  async stop(): Promise<void> {
    this.#child?.kill("SIGINT");
    await this.#ended;
  }

  /** Kills the server with -9. */
  async kill(): Promise<void> {
    this.#child?.kill("SIGKILL");
    await this.#ended;
  }

  /** Kills one of its processes with -9, whose id the server names: the server then ends all others and recovers. */
  killBackend(pid: number): void {
    process.kill(pid, "SIGKILL");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    rmSync(this.#folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 50 });
  }

  /** Resolves to whether it has started. */
  #start(): Promise<boolean> {
    const child = spawn(program("postgres"), ["-D", this.#folder, "-p", `${this.port}`], {
      ...otherUser(),
      stdio: ["ignore", "ignore", "pipe"],
    });
    this.#child = child;
    this.#log = "";
    this.#ended = new Promise((resolve) => child.once("close", () => resolve()));
    return new Promise((resolve) => {
      child.once("exit", () => resolve(false));
      child.stderr.on("data", (chunk: Buffer) => {
        this.#log = `${this.#log}${chunk}`.slice(-100_000);
        if (this.#log.includes("ready to accept connections")) resolve(true);
      });
    });
  }
}

function program(name: string): string {
  const folder = programFolder();
  return folder === undefined ? name : join(folder, name);
}

/** The folder with the newest server; undefined: there is none. */
function programFolder(): string | undefined {
  const versions = existsSync(debianFolder) ? readdirSync(debianFolder) : [];
  const debian = versions.sort((a, b) => Number(b) - Number(a)).map((version) => join(debianFolder, version, "bin"));
  const all = [...debian, ...(process.env.PATH ?? "").split(":")];
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
