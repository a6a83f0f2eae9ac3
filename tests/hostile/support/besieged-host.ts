import { once } from "node:events";
import { connect } from "node:http2";
import type { RunningHostCounters } from "troupe/host";
import { expect } from "vitest";
import { grpcDialer } from "../../../src/transport/index.ts";
import { type Memory, RemoteProgram } from "../../e2e/faults/support/remote-program.ts";
import { Offender } from "../../integration/poison/offender.ts";
import { fact, mebibytes } from "../../support/load/facts.ts";
import { RawWorker } from "../../support/raw-worker.ts";
import type { HostileHostConfig } from "../programs/host.ts";

export const MiB = 1024 * 1024;

/** Bytes that the host may keep for all clients in these tests. */
export const totalBytes = 24 * MiB;

/** Bytes that the process may grow by beside that. They are messages on their way through, and what the collector has not freed. */
const processBytes = (isLateCollector() ? 220 : 100) * MiB;

/** Node 24 collects buffers later: it grew by up to 195 MiB, and by no more under four times the messages. */
function isLateCollector(): boolean {
  return Number.parseInt(process.versions.node, 10) > 20;
}

/** Its heap: an attack that is not counted ends it. */
const heapFlags = ["--expose-gc", "--max-old-space-size=160"];

/** What the host says when it can be reached. */
interface Ready {
  readonly address: string;
  /** Empty: it has no admin entry. */
  readonly adminUrl: string;
}

/** A host in a process of its own, an honest worker, and those who attack it. */
export class BesiegedHost implements AsyncDisposable {
  readonly #program: RemoteProgram<Ready>;
  readonly #honest: RawWorker;
  readonly #offenders: Offender[] = [];
  readonly #baseRss: number;
  #calls = 0;

  private constructor(program: RemoteProgram<Ready>, honest: RawWorker, baseRss: number) {
    this.#program = program;
    this.#honest = honest;
    this.#baseRss = baseRss;
  }

  static async start(config: HostileHostConfig = {}): Promise<BesiegedHost> {
    const options = { maxMemoryBytes: totalBytes, ...config };
    const program = await RemoteProgram.start<Ready>("host.ts", options, {
      folder: "tests/hostile/programs",
      flags: heapFlags,
    });
    const honest = await new RawWorker(grpcDialer().dial(program.ready.address), "honest").join();
    await honest.register("honest");
    const { rss } = await program.tell<Memory>("collect");
    return new BesiegedHost(program, honest, rss);
  }

  get address(): string {
    return this.#program.ready.address;
  }

  get adminUrl(): string {
    return this.#program.ready.adminUrl;
  }

  counters(): Promise<RunningHostCounters> {
    return this.#program.tell<RunningHostCounters>("counters");
  }

  /** Asks again and again until the counters are so; the test's own time limit is the end. */
  async until(holds: (counters: RunningHostCounters) => boolean): Promise<RunningHostCounters> {
    for (;;) {
      const counters = await this.counters();
      if (holds(counters)) return counters;
    }
  }

  /** `windowBytes`: what each of its streams takes; 0 takes nothing. */
  async offender(
    clientId = "offender",
    { windowBytes = MiB }: { readonly windowBytes?: number } = {},
  ): Promise<Offender> {
    const settings = { initialWindowSize: windowBytes };
    const session = connect(`http://${this.address}`, { settings, maxSessionMemory: 4_096 });
    const offender = new Offender(session, clientId);
    await once(session, "connect");
    this.#offenders.push(offender);
    return offender;
  }

  /** A worker that behaves, but for what the test has it do. */
  async worker(clientId: string, options?: { readonly isAnnounced?: boolean }): Promise<RawWorker> {
    return await new RawWorker(grpcDialer().dial(this.address), clientId, options).join();
  }

  /** An honest worker's call to itself, with a payload of `bytes`: returns the error text of its outcome. */
  async honestCall(bytes = 1_000): Promise<string> {
    this.#calls += 1;
    const requestId = `honest-${this.#calls}`;
    const data = Buffer.alloc(bytes, 0x20);
    this.#honest.request(requestId, "honest/k", {
      payload: { typeName: "T", contentType: "application/json", data },
    });
    for (;;) {
      const frame = await this.#honest.next();
      if (frame.kind === "request") this.#honest.respond(frame.requestId, "fine");
      else if (frame.kind === "response" && frame.requestId === requestId) return frame.error;
    }
  }

  /** The process lives, counts no more than its total, and has grown no more than that and `besideBytes` allow. `name`: of the attack. */
  async expectBounded(name: string, besideBytes = 0, uncollectedBytes = 0): Promise<void> {
    const { peakRss, rss } = await this.#program.tell<Memory>("memory");
    const { heldBytes, gaveWay } = await this.counters();
    const grownBytes = peakRss - this.#baseRss;
    fact(
      name,
      `the host grew by ${mebibytes(grownBytes)} at its peak, by ${mebibytes(rss - this.#baseRss)} now; it counts ${mebibytes(heldBytes)} of ${mebibytes(totalBytes)}; ${gaveWay} gave way`,
    );
    expect(heldBytes).toBeLessThanOrEqual(totalBytes + besideBytes);
    expect(grownBytes).toBeLessThan(totalBytes + Math.max(processBytes, uncollectedBytes) + besideBytes);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const offender of this.#offenders) offender.destroy();
    await this.#honest.link.close();
    await this.#program[Symbol.asyncDispose]();
  }
}
