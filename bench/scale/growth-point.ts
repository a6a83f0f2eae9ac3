import { measuredHostCommand } from "../peers/measured-host.ts";
import type { Contender, Round } from "../support/contender.ts";
import { ProcessGroup, roundOf } from "../support/process-group.ts";
import { programCommand } from "../support/project.ts";
import type { CrowdPlan } from "./crowd.ts";

/** Number of messages in progress. */
export interface GrowthLoad {
  /** For each session, while the rate is measured: the host is busy, and messages to one session travel together. */
  readonly perSession: number;
  /** In all, for `sparsePerSecond`: with more sessions, more of them have a single message at a time. */
  readonly inAll: number;
  /** In all, while latencies are measured. */
  readonly modest: number;
}

export interface GrowthScene {
  readonly crowd: CrowdPlan;
  /** Live agents in each worker process, of the types `agent.0`, … */
  readonly agentsPerWorker?: number;
  readonly workers?: number;
}

const mib = 1024 * 1024;

/** One point of a curve: a host and its crowd, each in its own process. They are idle until they are measured. */
export class GrowthPoint implements Contender<GrowthLoad> {
  readonly name: string;
  readonly #scene: GrowthScene;
  readonly #group: ProcessGroup;

  constructor(name: string, scene: GrowthScene) {
    this.name = name;
    this.#scene = scene;
    this.#group = new ProcessGroup(name);
  }

  async start(): Promise<void> {
    const address = String((await this.#group.start("host", measuredHostCommand()).next("ready")).address);
    await Promise.all(
      this.#workers().map(async ([role, type]) => {
        const [node = "", ...args] = programCommand(import.meta, "agent-worker", address, type, this.#agentsPerWorker);
        await this.#group.start(role, [node, "--expose-gc", ...args]).next("ready");
      }),
    );
    const plan = JSON.stringify(this.#scene.crowd);
    await this.#group.start("crowd", programCommand(import.meta, "crowd", address, plan)).next("ready");
  }

  async measure({ perSession, inAll, modest }: GrowthLoad, seconds: number): Promise<Round> {
    const { sessions } = this.#scene.crowd.gathering;
    const busy = await this.#crowdRound(perSession * sessions, seconds / 2);
    const sparse = perSession * sessions === inAll ? busy : await this.#crowdRound(inAll, seconds / 2);
    const { p50Us = Number.NaN, p99Us = Number.NaN } = await this.#crowdRound(modest, seconds / 2);
    return { ...busy, ...sparsely(sparse), p50Us, p99Us, ...(await this.#memory()) };
  }

  stop(): Promise<void> {
    return this.#group.stop();
  }

  #crowdRound(inFlight: number, seconds: number): Promise<Round> {
    return this.#group.withProcessorTime(async () => {
      const crowd = this.#group.get("crowd");
      crowd.send({ inFlight, seconds });
      return roundOf(await crowd.next("round"));
    });
  }

  /** Memory after garbage collection. */
  async #memory(): Promise<Round> {
    const host = await this.#measured("host");
    const workers = await Promise.all(this.#workers().map(([role]) => this.#measured(role)));
    const ofHost = { rssMiB: (host.rss ?? Number.NaN) / mib, heapMiB: (host.heapUsed ?? Number.NaN) / mib };
    if (workers.length === 0) return ofHost;
    const mean = (figure: string) =>
      workers.reduce((sum, one) => sum + (one[figure] ?? Number.NaN), 0) / workers.length;
    return { ...ofHost, workerRssMiB: mean("rss") / mib, agentBytes: mean("agentBytes") };
  }

  async #measured(role: string): Promise<Round> {
    const process = this.#group.get(role);
    process.send({ do: "measure", collectGarbage: true });
    return roundOf(await process.next("measured"));
  }

  get #agentsPerWorker(): string {
    return `${this.#scene.agentsPerWorker ?? 0}`;
  }

  #workers(): readonly (readonly [role: string, type: string])[] {
    return Array.from({ length: this.#scene.workers ?? 0 }, (_, at) => [`worker ${at}`, `agent.${at}`] as const);
  }
}

function sparsely(round: Round): Round {
  return { sparsePerSecond: round.perSecond ?? Number.NaN, "sparseCpuUs host": round["cpuUs host"] ?? Number.NaN };
}
