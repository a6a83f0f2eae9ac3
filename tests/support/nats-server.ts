import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePorts } from "./free-ports.ts";

/** In memory where there is such a file system: most of these tests would only wait for the disk. */
const folders = existsSync("/dev/shm") ? "/dev/shm" : tmpdir();

/** A program of NATS' server. */
export interface NatsProgram {
  readonly path: string;
  /** `2.9.10`. */
  readonly version: string;
}

/** Returns the program that tests use: `TROUPE_NATS_SERVER`, else `nats-server` on the PATH. Undefined: there is none. */
export function natsProgram(): NatsProgram | undefined {
  const path = process.env.TROUPE_NATS_SERVER ?? "nats-server";
  const { status, stdout } = spawnSync(path, ["--version"], { encoding: "utf8" });
  const version = /v(\d+\.\d+\.\d+)/.exec(stdout ?? "")?.[1];
  return status === 0 && version !== undefined ? { path, version } : undefined;
}

/** Returns the reason why NATS can't be tested here. Undefined: it can. */
export function natsAbsence(): string | undefined {
  return natsProgram() === undefined ? "needs nats-server (Debian: apt-get install nats-server)" : undefined;
}

/** Returns the reason why a cluster of NATS servers can't be tested here. Undefined: it can. */
export function natsClusterAbsence(): string | undefined {
  const [major = 0, minor = 0] = natsProgram()?.version.split(".").map(Number) ?? [];
  const isEnough = major > 2 || (major === 2 && minor >= 11);
  return isEnough ? undefined : "needs nats-server 2.11 or newer, named by TROUPE_NATS_SERVER";
}

/** A NATS server with JetStream on free ports of 127.0.0.1, with its files in a new folder. */
export class NatsServer implements AsyncDisposable {
  readonly port: number;
  readonly #monitorPort: number;
  readonly #folder: string;
  readonly #file: string;
  readonly #args: readonly string[];
  #child: ChildProcess | undefined;
  #ended: Promise<void> = Promise.resolve();
  #log = "";

  private constructor(port: number, monitorPort: number, folder: string, settings: readonly string[]) {
    this.port = port;
    this.#monitorPort = monitorPort;
    this.#folder = folder;
    this.#file = join(folder, "server.conf");
    const ports = ["--port", `${port}`, "--http_port", `${monitorPort}`];
    this.#args = ["--config", this.#file, "--addr", "127.0.0.1", ...ports];
    this.#write(settings);
  }

  /** Starts a server alone. `settings` are lines of its configuration. */
  static async start(settings: readonly string[] = []): Promise<NatsServer> {
    const [port = 0, monitorPort = 0] = await freePorts(2);
    const server = NatsServer.#prepare(port, monitorPort, ["jetstream { store_dir: data }", ...settings]);
    await server.restart();
    return server;
  }

  /** Starts three servers as one cluster; resolves when they have a leader. `settings` are lines of the configuration of each. */
  static async startThree(settings: readonly string[] = []): Promise<readonly NatsServer[]> {
    const ports = await freePorts(9);
    const routes = ports.slice(6).map((port) => `nats://127.0.0.1:${port}`);
    const servers = [0, 1, 2].map((place) =>
      NatsServer.#prepare(ports[place] ?? 0, ports[place + 3] ?? 0, [
        `server_name: n${place}`,
        "jetstream { store_dir: data }",
        `cluster { name: tests, listen: "127.0.0.1:${ports[place + 6]}", routes: [${routes.join(", ")}], no_advertise: true }`,
        ...settings,
      ]),
    );
    await Promise.all(servers.map((server) => server.restart()));
    return servers;
  }

  static #prepare(port: number, monitorPort: number, settings: readonly string[]): NatsServer {
    return new NatsServer(port, monitorPort, mkdtempSync(join(folders, "troupe-nats-")), settings);
  }

  #write(settings: readonly string[]): void {
    const text = settings.join("\n").replaceAll("store_dir: data", `store_dir: "${this.dataFolder}"`);
    writeFileSync(this.#file, `${text}\n`);
  }

  get address(): string {
    return `127.0.0.1:${this.port}`;
  }

  get url(): string {
    return `nats://${this.address}`;
  }

  /** The folder of its files. */
  get dataFolder(): string {
    return join(this.#folder, "data");
  }

  /** Starts it after it was stopped or killed; resolves when it takes connections. `settings`: others than before, of a server alone. */
  async restart(settings?: readonly string[]): Promise<void> {
    if (settings !== undefined) this.#write(["jetstream { store_dir: data }", ...settings]);
    const program = natsProgram();
    if (program === undefined) throw new Error("There is no nats-server.");
    const child = spawn(program.path, this.#args, { stdio: ["ignore", "ignore", "pipe"] });
    this.#child = child;
    this.#log = "";
    this.#ended = new Promise((resolve) => child.once("close", () => resolve()));
    await new Promise<void>((resolve, reject) => {
      child.once("error", reject);
      child.once("exit", () => reject(new Error(`nats-server does not start: ${this.#log}`)));
      child.stderr?.setEncoding("utf8").on("data", (text: string) => {
        this.#log = `${this.#log}${text}`.slice(-20_000);
        if (/Server is ready/.test(this.#log)) resolve();
      });
    });
  }

  /** What its monitoring says of JetStream: its leader and streams. */
  async monitor(path: string): Promise<unknown> {
    const response = await fetch(`http://127.0.0.1:${this.#monitorPort}/${path}`);
    return await response.json();
  }

  /** Has a server that runs alone read other settings; resolves when it has. */
  async reload(settings: readonly string[]): Promise<void> {
    this.#write(["jetstream { store_dir: data }", ...settings]);
    this.#log = "";
    this.#child?.kill("SIGHUP");
    while (!/Reloaded server configuration|Failed to reload/.test(this.#log))
      await new Promise<void>((resolve) => void this.#child?.stderr?.once("data", () => setImmediate(resolve)));
    if (/Failed to reload/.test(this.#log)) throw new Error(this.#log);
  }

  /** Stops it as its operator does. */
  async stop(): Promise<void> {
    this.#child?.kill("SIGTERM");
    await this.#ended;
  }

  /** Kills it with -9. */
  async kill(): Promise<void> {
    this.#child?.kill("SIGKILL");
    await this.#ended;
  }

  /** Lets it do nothing until `goOn`. */
  freeze(): void {
    this.#child?.kill("SIGSTOP");
  }

  goOn(): void {
    this.#child?.kill("SIGCONT");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    rmSync(this.#folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 50 });
  }
}
