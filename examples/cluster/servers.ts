// Finds and starts a NATS server and a PostgreSQL server, each with its files in a temporary folder and alone on a port of 127.0.0.1.
import { spawnSync } from "node:child_process";
import { chownSync, existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { RunningProgram } from "../support/processes.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

/** A server that runs. Disposing it kills it and deletes its files. */
export interface Server extends AsyncDisposable {
  readonly url: string;
  /** Ends it in order. Returns its exit code. */
  stop(): Promise<number | string>;
}

/** A NATS server, which can be killed and started again with its files. */
export interface NatsServer extends Server {
  kill(): Promise<void>;
  restart(): Promise<void>;
}

const natsProgram = process.env.TROUPE_NATS_SERVER ?? "nats-server";

/** Says which servers are missing, and how to install them. Empty: none. */
export function missingServers(): readonly string[] {
  const missing: string[] = [];
  if (spawnSync(natsProgram, ["--version"]).status !== 0)
    missing.push("nats-server (Debian: apt-get install nats-server; or set TROUPE_NATS_SERVER to one)");
  if (postgresFolder() === undefined) missing.push("PostgreSQL (Debian: apt-get install postgresql)");
  else if (process.getuid?.() === 0 && otherUser() === undefined)
    missing.push("a user that is not root, since root may not run PostgreSQL");
  return missing;
}

/** Starts a NATS server with JetStream. Resolves when it takes connections. */
export async function startNats(): Promise<NatsServer> {
  const folder = await temporaryFolder();
  // Port -1 lets the server take a free one. It takes the same one when it starts again.
  let port = "-1";
  const start = async () => {
    const args = ["--jetstream", "--store_dir", folder.path, "--addr", "127.0.0.1", "--port", port];
    const program = new RunningProgram(natsProgram, args, { onLine: () => {} });
    await program.line("Server is ready");
    port = /:(\d+)$/.exec(await program.line("Listening for client connections on"))?.[1] ?? port;
    return program;
  };
  let program = await start();
  return {
    url: `nats://127.0.0.1:${port}`,
    kill: () => program.kill(),
    restart: async () => {
      program = await start();
    },
    stop: () => program.stop("SIGINT"), // after SIGTERM its exit code is 1
    [Symbol.asyncDispose]: async () => {
      await program.kill();
      await folder[Symbol.asyncDispose]();
    },
  };
}

/** Makes an empty database and starts PostgreSQL. Resolves when it takes connections. */
export async function startPostgres(): Promise<Server> {
  const folder = await temporaryFolder();
  const bin = postgresFolder() ?? "";
  const user = otherUser();
  if (user !== undefined) chownSync(folder.path, user.uid, user.gid);
  const initArgs = ["-D", folder.path, "-U", "troupe", "--auth=trust", "--no-locale", "--encoding=UTF8", "--no-sync"];
  const made = spawnSync(join(bin, "initdb"), initArgs, { ...user, cwd: folder.path, encoding: "utf8" });
  if (made.status !== 0) throw new Error(`initdb has failed: ${made.stderr}`);
  // Without fsync a power cut loses data, which is quicker and enough for an example.
  const settings = ["fsync = off", "listen_addresses = '127.0.0.1'", "unix_socket_directories = ''", ""];
  writeFileSync(join(folder.path, "postgresql.auto.conf"), settings.join("\n"));
  const port = await freePort();
  const program = new RunningProgram(join(bin, "postgres"), ["-D", folder.path, "-p", `${port}`], {
    onLine: () => {},
    cwd: folder.path,
    ...(user && { user }),
  });
  await program.line("ready to accept connections");
  return {
    url: `postgres://troupe@127.0.0.1:${port}/postgres`,
    stop: () => program.stop("SIGINT"), // SIGTERM would wait for its clients
    [Symbol.asyncDispose]: async () => {
      await program.stop("SIGINT");
      await folder[Symbol.asyncDispose]();
    },
  };
}

/** Finds the folder of PostgreSQL's programs: Debian's newest one, which is not on the PATH, or one of the PATH. */
function postgresFolder(): string | undefined {
  const debian = "/usr/lib/postgresql";
  const versions = existsSync(debian) ? readdirSync(debian).sort((a, b) => Number(b) - Number(a)) : [];
  const folders = [...versions.map((version) => join(debian, version, "bin")), ...(process.env.PATH ?? "").split(":")];
  return folders.find((folder) => existsSync(join(folder, "postgres")) && existsSync(join(folder, "initdb")));
}

/** Finds the user as whom root runs PostgreSQL. Undefined: this process runs it, as it is not root's. */
function otherUser(): { readonly uid: number; readonly gid: number } | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const lines = readFileSync("/etc/passwd", "utf8").split("\n");
  for (const name of ["postgres", "nobody"]) {
    const [, , uid, gid] = lines.find((line) => line.startsWith(`${name}:`))?.split(":") ?? [];
    if (uid !== undefined) return { uid: Number(uid), gid: Number(gid) };
  }
  return undefined;
}

async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((resolve) => probe.listen(0, "127.0.0.1", resolve));
  const address = probe.address();
  await new Promise((resolve) => probe.close(resolve));
  if (address === null || typeof address === "string") throw new Error("There is no free port.");
  return address.port;
}
