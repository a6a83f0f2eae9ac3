import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { AgentId } from "troupe";
import { GrpcWorkerAgentRuntime } from "troupe/grpc";
import { type FaultProxy, startFaultProxy } from "troupe/testing";
import { freePort } from "../../support/free-ports.ts";
import { CallLedger } from "../../support/load/call-ledger.ts";
import { untilAnswered } from "../../support/load/call-load.ts";
import { NatsServer } from "../../support/nats-server.ts";
import { Opened } from "../../support/opened.ts";
import { PostgresServer } from "../../support/postgres-server.ts";
import { LogTally } from "../log-tally.ts";
import { HostLogs } from "./host-logs.ts";
import { SoakProgram, typeScriptCommand } from "./soak-program.ts";

/** Leases of hosts and of workers, in milliseconds: short ones, so that a run of some minutes has losses of both. An election of NATS fits in. */
export const leaseMs = 12_000;
export const workerLeaseMs = 3_000;

const echoId = new AgentId("echo", "returns");
const pythonPath = resolve(import.meta.dirname, "../../../.venvs/gen3/bin/python");

/** A host of the soak, with the proxies through which workers, other hosts and itself reach what they need. */
export interface SoakHost {
  readonly name: string;
  readonly address: string;
  readonly proxies: {
    readonly workers: FaultProxy;
    readonly peers: FaultProxy;
    readonly nats: readonly FaultProxy[];
  };
  program: SoakProgram;
  startedMs: number;
}

/** A worker of Python's, which must be started again when its host has gone. */
export interface StockWorker {
  readonly agentType: string;
  program: SoakProgram;
}

/** Sums of the calls that stock workers have made. */
export interface StockSums {
  started: number;
  answered: number;
  failed: number;
  wrong: number;
}

/** Three NATS servers, PostgreSQL, three hosts and workers in processes of their own, and a caller in this one. */
export class SoakCluster implements AsyncDisposable {
  readonly nats: readonly NatsServer[];
  readonly postgres: PostgresServer;
  readonly hosts: SoakHost[] = [];
  readonly workers: SoakProgram[] = [];
  readonly stockWorkers: StockWorker[] = [];
  readonly stockSums: StockSums = { started: 0, answered: 0, failed: 0, wrong: 0 };
  readonly hostLogs = new HostLogs();
  readonly callerLog = new LogTally();
  /** Ends of programs that were not meant. */
  readonly problems: string[] = [];
  readonly #opened: Opened;
  readonly #folder: string;
  readonly #ledger = new CallLedger("returns");
  #caller: GrpcWorkerAgentRuntime | undefined;
  #workerCount = 0;

  private constructor(nats: readonly NatsServer[], postgres: PostgresServer, opened: Opened) {
    this.nats = nats;
    this.postgres = postgres;
    this.#opened = opened;
    this.#folder = mkdtempSync(join(tmpdir(), "troupe-soak-"));
  }

  static async start(): Promise<SoakCluster> {
    const opened = new Opened();
    const nats = await NatsServer.startThree();
    for (const server of nats) opened.use(server);
    const cluster = new SoakCluster(nats, opened.use(await PostgresServer.start()), opened);
    for (const name of ["h0", "h1", "h2"]) cluster.hosts.push(await cluster.#openHost(name));
    await cluster.#startCaller();
    for (let count = 0; count < 3; count += 1) await cluster.addWorker();
    for (const at of [0, 1]) cluster.stockWorkers.push(await cluster.#openStockWorker(`python_${at}`));
    return cluster;
  }

  /** The caller in this process. */
  get caller(): GrpcWorkerAgentRuntime {
    if (this.#caller === undefined) throw new Error("It has started.");
    return this.#caller;
  }

  get state(): string {
    return this.postgres.url();
  }

  /** Where workers reach the hosts. */
  get addresses(): readonly string[] {
    return this.hosts.map(({ proxies }) => proxies.workers.address);
  }

  /** Starts a host again, after its program has ended; resolves when it serves. */
  async startHost(host: SoakHost): Promise<void> {
    host.program = this.#startHostProgram(host.name, host.address, host.proxies);
    host.startedMs = performance.now();
    await host.program.line(/troupe host listening on/);
  }

  /** Starts one more worker of Troupe's; resolves when it has registered its types. */
  async addWorker(): Promise<void> {
    this.#workerCount += 1;
    const name = `w${this.#workerCount}`;
    // Each begins at another host.
    const at = this.#workerCount % this.addresses.length;
    const addresses = [...this.addresses.slice(at), ...this.addresses.slice(0, at)];
    const command = typeScriptCommand("tests/soak/cluster/programs/worker.ts", addresses.join(","), name);
    const worker = this.#open(new SoakProgram({ name, command }));
    this.workers.push(worker);
    await worker.line(/ready/);
  }

  /** Takes a worker out, for its end. */
  takeWorker(at: number): SoakProgram {
    const [worker] = this.workers.splice(at, 1);
    if (worker === undefined) throw new Error("There is such a worker.");
    return worker;
  }

  /** Has every stock worker answer; one that does not is started again, as its operator would. */
  async returnStockWorkers(): Promise<void> {
    for (const stock of this.stockWorkers) {
      for (let tries = 0; !(await this.#answers(stock.agentType)); tries += 1) {
        if (tries < 3 && stock.program.isRunning) continue;
        await this.#endStockWorker(stock);
        stock.program = (await this.#openStockWorker(stock.agentType)).program;
      }
    }
  }

  /** Waits until an agent of Troupe's workers answers the caller. */
  async untilAnswered(): Promise<void> {
    await untilAnswered(this.#ledger, this.caller, echoId, { timeoutMs: 2_000 });
  }

  /** Runs a command of `troupe` for a host; resolves to what it has written to stdout. */
  async command(...args: readonly string[]): Promise<string> {
    const program = new SoakProgram({
      name: args.join(" "),
      command: typeScriptCommand("src/cli/main.ts", ...args),
      cwd: this.#folder,
    });
    program.mayEnd();
    await program.ended;
    return program.lastLines;
  }

  /** Notes which programs have ended though nothing has ended them. */
  check(): void {
    const programs = [...this.hosts.map(({ program }) => program), ...this.workers];
    for (const program of programs) {
      if (program.problem !== undefined) this.problems.push(program.problem);
      program.problem = undefined;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const stock of this.stockWorkers) await this.#endStockWorker(stock);
    await this.#caller?.stop();
    await Promise.all(this.workers.map((worker) => worker.end("SIGTERM")));
    await Promise.all(this.hosts.map(({ program }) => program.end("SIGTERM")));
    await this.#opened[Symbol.asyncDispose]();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  async #openHost(name: string): Promise<SoakHost> {
    const [own, peer] = [await freePort(), await freePort()];
    const address = `127.0.0.1:${own}`;
    const proxies = {
      workers: await this.#proxy(address),
      peers: await this.#proxy(`127.0.0.1:${peer}`),
      nats: await Promise.all(this.nats.map((server) => this.#proxy(server.address))),
    };
    this.#peerAddresses.set(name, `127.0.0.1:${peer}`);
    const program = this.#startHostProgram(name, address, proxies);
    await program.line(/troupe host listening on/);
    return { name, address, proxies, program, startedMs: performance.now() };
  }

  readonly #peerAddresses = new Map<string, string>();

  #startHostProgram(name: string, address: string, proxies: SoakHost["proxies"]): SoakProgram {
    const command = typeScriptCommand(
      "src/cli/main.ts",
      ...["host", "--address", address, "--name", name, "--log-level", "warn", "--state", this.state],
      ...["--cluster", proxies.nats.map((proxy) => `nats://${proxy.address}`).join(",")],
      ...["--peer-address", this.#peerAddresses.get(name) ?? "", "--advertise-peer", proxies.peers.address],
      ...["--advertise-workers", proxies.workers.address],
      ...["--lease-ms", `${leaseMs}`, "--worker-lease-ms", `${workerLeaseMs}`],
    );
    const onLog = (line: string) => this.hostLogs.take(name, line);
    return this.#open(new SoakProgram({ name: `host ${name}`, command, cwd: this.#folder, onLog }));
  }

  async #openStockWorker(agentType: string): Promise<StockWorker> {
    const file = resolve(import.meta.dirname, "programs/stock_worker.py");
    for (let tries = 0; ; tries += 1) {
      const address = this.addresses[tries % this.addresses.length] ?? "";
      const program = this.#open(new SoakProgram({ name: agentType, command: [pythonPath, file, address, agentType] }));
      program.mayEnd();
      // Its type may still belong to the one before, until the lease of its host is over.
      const isReady = await Promise.race([
        program.line(/^ready/).then(
          () => true,
          () => false,
        ),
        pause(5_000, false),
      ]);
      if (isReady) return { agentType, program };
      await program.end("SIGKILL");
      if (tries > 60) throw new Error(`${agentType} does not start: ${program.lastLines}`);
      await pause(500);
    }
  }

  async #endStockWorker({ program }: StockWorker): Promise<void> {
    const [, ...sums] = program.last(/^sums (\d+) (\d+) (\d+) (\d+)$/) ?? [];
    const [started = 0, answered = 0, failed = 0, wrong = 0] = sums.map(Number);
    this.stockSums.started += started;
    this.stockSums.answered += answered;
    this.stockSums.failed += failed;
    this.stockSums.wrong += wrong;
    await program.end("SIGKILL");
  }

  async #answers(agentType: string): Promise<boolean> {
    const { kind } = await this.#ledger.call(this.caller, new AgentId(agentType, "default"), { timeoutMs: 5_000 });
    return kind === "answered";
  }

  async #startCaller(): Promise<void> {
    const reconnect = { initialDelayMs: 50, maxDelayMs: 500, startWaits: true };
    this.#caller = new GrpcWorkerAgentRuntime(this.addresses, { name: "caller", reconnect, logger: this.callerLog });
    await this.#caller.start();
  }

  async #proxy(target: string): Promise<FaultProxy> {
    return this.#opened.use(await startFaultProxy({ target }));
  }

  #open(program: SoakProgram): SoakProgram {
    this.#opened.use({
      [Symbol.asyncDispose]: async () => {
        if (program.isRunning) await program.end("SIGKILL");
      },
    });
    return program;
  }
}
