import { join, resolve } from "node:path";
import type { FloodReport } from "../../../bench/hostile/crowd.ts";
import type { HonestReport } from "../../../bench/hostile/honest.ts";
import { Attackers, Honest } from "../../../bench/hostile/peers.ts";
import { RemoteProgram } from "../../e2e/faults/support/remote-program.ts";
import { testCertificate } from "../../support/test-certificate.ts";
import type { HostileHostConfig } from "../programs/host.ts";

const root = resolve(import.meta.dirname, "../../..");

/** Command of a program in bench/hostile, from source. */
function command(program: string, ...args: readonly string[]): string[] {
  const fromSource = ["--import", join(root, "tools/typescript.mjs"), "-C", "troupe-source"];
  return [process.execPath, ...fromSource, join(root, "bench/hostile", program), ...args];
}

type HostProgram = RemoteProgram<{ readonly address: string; readonly pid: number }>;

interface Parties {
  readonly host: HostProgram;
  readonly honest: Honest;
  readonly attackers: Attackers;
}

/** Rounds of each probe that are enough, and the processor time of the host that is enough, in ms. */
const enoughRounds = 30;
const enoughWorkMs = 2_000;

export interface Enduring {
  readonly from: readonly string[];
  readonly isWhole: boolean;
}

/** Reports of a siege. */
export interface Endured {
  readonly honest: HonestReport;
  readonly flood: FloodReport;
}

/** A host, honest workers and attackers, each in a process of its own. */
export class Siege implements AsyncDisposable {
  readonly #host: HostProgram;
  readonly #honest: Honest;
  readonly #attackers: Attackers;

  private constructor({ host, honest, attackers }: Parties) {
    this.#host = host;
    this.#honest = honest;
    this.#attackers = attackers;
  }

  static async lay(config: HostileHostConfig = {}): Promise<Siege> {
    const place = { folder: "tests/hostile/programs" };
    const host: HostProgram = await RemoteProgram.start("host.ts", config, place);
    const { address, pid } = host.ready;
    const certificate = config.channelOptions?.tls === undefined ? [] : [testCertificate];
    const [honest, attackers] = await Promise.all([
      Honest.start(command("honest.ts", address, `${pid}`, ...certificate)),
      Attackers.start(command("flood.ts")),
    ]);
    return new Siege({ host, honest, attackers });
  }

  /** Runs the probes whose name contains `only`, without a flood. */
  async calm(only: string): Promise<HonestReport> {
    await this.#honest.begin(only);
    await this.#honest.enough(enoughRounds, enoughWorkMs);
    return await this.#honest.finish();
  }

  /** Does what comes before the flood of this name. */
  async prepare(name: string, from: readonly string[]): Promise<void> {
    await this.#attackers.prepare(name, { address: this.#host.ready.address, from });
  }

  /** Runs all probes while the attackers flood the host from these addresses; `isWhole`: until one of them has done all that it does. */
  async endure(name: string, { from, isWhole }: Enduring): Promise<Endured> {
    await this.prepare(name, from);
    await this.#honest.begin();
    await this.#attackers.go();
    await this.#honest.enough(enoughRounds, enoughWorkMs);
    if (isWhole) await this.#attackers.passed();
    await this.#honest.mark();
    const flood = await this.#attackers.stop();
    return { honest: await this.#honest.finish(), flood };
  }

  counters(): Promise<unknown> {
    return this.#host.tell("counters");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#attackers.end();
    await this.#honest.end();
    await this.#host[Symbol.asyncDispose]();
  }
}
