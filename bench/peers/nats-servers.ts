import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { PeerProcess } from "../support/peer-process.ts";
import { ProcessGroup } from "../support/process-group.ts";
import { projectFolder } from "../support/project.ts";

/** Which servers a contender needs. */
export interface NatsKind {
  /** Several are a cluster with routes. Three keep three copies of each stream. */
  readonly count: 1 | 2 | 3;
  /** Whether a write is on the disk before it is acknowledged (`sync_interval: always`). */
  readonly syncsAlways?: boolean;
  /** The path of the program. Default: `nats-server` on the PATH if it can do this, else the newest in `.servers/`. */
  readonly server?: string | undefined;
}

/** Three copies that keep the promises of a cluster, and `sync_interval: always`. */
const newerVersion = [2, 11];

/** Returns the reason why such servers cannot take part; undefined if they can. */
export function natsServersAbsence(kind: NatsKind): string | undefined {
  if (programFor(kind) !== undefined) return undefined;
  return `needs nats-server${isNewerNeeded(kind) ? " 2.11 or newer: run node tools/newer-nats.mjs" : ""}`;
}

/** Returns the version of the program that such servers run. */
export function natsVersion(kind: NatsKind): string {
  return versionOf(programFor(kind) ?? "").join(".");
}

/** NATS servers with JetStream, whose files are in the folder for temporary files, so that its disk counts. Each has the role `nats`. */
export class NatsServers {
  /** Each `host:port`. */
  readonly addresses: readonly string[];
  readonly #group: ProcessGroup;
  readonly #folder: string;

  private constructor(addresses: readonly string[], group: ProcessGroup, folder: string) {
    this.addresses = addresses;
    this.#group = group;
    this.#folder = folder;
  }

  /** Starts them; resolves when each takes connections. */
  static async start(kind: NatsKind): Promise<NatsServers> {
    const folder = mkdtempSync(join(tmpdir(), "troupe-bench-nats-"));
    const group = new ProcessGroup("NATS");
    const ports = await Promise.all(Array.from({ length: 2 * kind.count }, freePort));
    const clientPorts = ports.slice(0, kind.count);
    const routePorts = ports.slice(kind.count);
    const started = clientPorts.map((port, at) => {
      const data = join(folder, `${at}`);
      mkdirSync(data);
      const sync = kind.syncsAlways === true ? ", sync_interval: always" : "";
      const routes = routePorts.map((route) => `nats://127.0.0.1:${route}`).join(", ");
      const lines = [
        `listen: "127.0.0.1:${port}"`,
        `server_name: n${at}`,
        `jetstream { store_dir: "${data}"${sync} }`,
        ...(kind.count === 1
          ? []
          : [`cluster { name: bench, listen: "127.0.0.1:${routePorts[at]}", routes: [${routes}] }`]),
      ];
      const file = join(folder, `${at}.conf`);
      writeFileSync(file, `${lines.join("\n")}\n`);
      return group.start("nats", [programFor(kind) ?? "nats-server", "--config", file]);
    });
    await Promise.all(started.map((server) => server.match(/Server is ready/)));
    const addresses = clientPorts.map((port) => `127.0.0.1:${port}`);
    return new NatsServers(addresses, group, folder);
  }

  /** As `--cluster` names them. */
  get urls(): string {
    return this.addresses.map((address) => `nats://${address}`).join(",");
  }

  /** Counts their processor time in a contender's group. */
  watchIn(group: ProcessGroup): void {
    for (const server of this.processes) group.watch("nats", server);
  }

  get processes(): readonly PeerProcess[] {
    return this.#group.all("nats");
  }

  async stop(): Promise<void> {
    await this.#group.stop();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

function isNewerNeeded({ count, syncsAlways }: NatsKind): boolean {
  return count === 3 || syncsAlways === true;
}

function programFor(kind: NatsKind): string | undefined {
  const programs = kind.server === undefined ? ["nats-server", ...builtServers()] : [kind.server];
  return programs.find((program) => {
    const version = versionOf(program);
    return version.length > 0 && (!isNewerNeeded(kind) || isNewer(version));
  });
}

/** Those that `tools/newer-nats.mjs` has built, the newest first. */
function builtServers(): readonly string[] {
  const folder = join(projectFolder, ".servers");
  const names = existsSync(folder) ? readdirSync(folder).filter((name) => name.startsWith("nats-server-")) : [];
  return names
    .sort((one, other) => other.localeCompare(one, "en", { numeric: true }))
    .map((name) => join(folder, name));
}

function versionOf(program: string): readonly number[] {
  const { status, stdout } = spawnSync(program, ["--version"], { encoding: "utf8" });
  const [, text] = (status === 0 && /v(\d+\.\d+\.\d+)/.exec(stdout)) || [];
  return text === undefined ? [] : text.split(".").map(Number);
}

function isNewer([major = 0, minor = 0]: readonly number[]): boolean {
  const [leastMajor = 0, leastMinor = 0] = newerVersion;
  return major > leastMajor || (major === leastMajor && minor >= leastMinor);
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
