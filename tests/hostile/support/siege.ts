import { join, resolve } from "node:path";
import type { FloodReport, Site } from "../../../bench/hostile/crowd.ts";
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

export function startAttackers(): Promise<Attackers> {
  return Attackers.start(command("flood.ts"));
}

/** Rounds of each probe that are enough, and what the host may work until then, in ms of its processor time. */
const enoughRounds = 60;
const enoughWorkMs = 2_000;

export interface Endured {
  readonly honest: HonestReport;
  readonly flood: FloodReport;
}

/** A host in a process of its own and honest workers in another one. */
export class Siege implements AsyncDisposable {
  readonly #host: RemoteProgram<{ readonly address: string; readonly pid: number }>;
  readonly #honest: Honest;

  private constructor(host: RemoteProgram<{ readonly address: string; readonly pid: number }>, honest: Honest) {
    this.#host = host;
    this.#honest = honest;
  }

  static async lay(config: HostileHostConfig = {}): Promise<Siege> {
    const host = await RemoteProgram.start<{ readonly address: string; readonly pid: number }>("host.ts", config, {
      folder: "tests/hostile/programs",
    });
    const { address, pid } = host.ready;
    const certificate = config.channelOptions?.tls === undefined ? [] : [testCertificate];
    return new Siege(host, await Honest.start(command("honest.ts", address, `${pid}`, ...certificate)));
  }

  /** The probes whose name contains `only`, without a flood; `before` are the attackers' preparations for this one. */
  async calm(only: string, attackers?: Attackers, before = ""): Promise<HonestReport> {
    await attackers?.prepare(before, this.#site(["127.0.0.1"]));
    await this.#honest.begin(only);
    await this.#honest.enough(enoughRounds, enoughWorkMs);
    return await this.#honest.finish();
  }

  /** The honest workers while the attackers do this, from these addresses. */
  async endure(attackers: Attackers, name: string, from: readonly string[]): Promise<Endured> {
    await attackers.prepare(name, this.#site(from));
    await this.#honest.begin();
    await attackers.go();
    await this.#honest.enough(enoughRounds, enoughWorkMs);
    await this.#honest.mark();
    const flood = await attackers.stop();
    return { honest: await this.#honest.finish(), flood };
  }

  #site(from: readonly string[]): Site {
    return { address: this.#host.ready.address, from };
  }

  counters(): Promise<unknown> {
    return this.#host.tell("counters");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#honest.end();
    await this.#host[Symbol.asyncDispose]();
  }
}
