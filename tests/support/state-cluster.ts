import { ClusterPrograms, type HostProgram } from "./cluster-programs.ts";
import { natsAbsence } from "./nats-server.ts";
import { Opened } from "./opened.ts";
import { PostgresServer, postgresAbsence } from "./postgres-server.ts";

/** Returns the reason why hosts of a cluster that keep states can't be tested here. Undefined: they can. */
export function stateClusterAbsence(): string | undefined {
  return natsAbsence() ?? postgresAbsence();
}

/** A NATS server, a PostgreSQL server, and hosts as processes that keep the states of their cluster there. */
export class StateCluster implements AsyncDisposable {
  readonly programs: ClusterPrograms;
  readonly postgres: PostgresServer;
  readonly hosts: HostProgram[] = [];
  readonly #opened: Opened;
  readonly #flags: readonly string[];

  private constructor(programs: ClusterPrograms, postgres: PostgresServer, opened: Opened, flags: readonly string[]) {
    this.programs = programs;
    this.postgres = postgres;
    this.#opened = opened;
    this.#flags = flags;
  }

  /** Starts the servers and so many hosts. `flags`: of each host. */
  static async start(count: number, ...flags: readonly string[]): Promise<StateCluster> {
    const opened = new Opened();
    try {
      const postgres = opened.use(await PostgresServer.start());
      const programs = opened.use(await ClusterPrograms.start());
      const cluster = new StateCluster(programs, postgres, opened, flags);
      for (let index = 0; index < count; index += 1) await cluster.startHost();
      return cluster;
    } catch (error) {
      await opened[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** As `--state` names the store. */
  get state(): string {
    return this.postgres.url();
  }

  /** The addresses of the hosts that run. */
  get addresses(): readonly string[] {
    return this.hosts.filter(({ program }) => program.isRunning).map(({ address }) => address);
  }

  /** Starts one more host; resolves when it is ready. */
  async startHost(...flags: readonly string[]): Promise<HostProgram> {
    const host = await this.programs.startHost("--state", this.state, ...this.#flags, ...flags);
    this.hosts.push(host);
    return host;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#opened[Symbol.asyncDispose]();
  }
}
