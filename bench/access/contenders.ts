import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { HostLoad } from "../host-alone/loads.ts";
import type { Contender, Round } from "../support/contender.ts";
import { ProcessGroup, roundOf } from "../support/process-group.ts";
import { programCommand, thisNode, troupeCommand } from "../support/project.ts";

type Protection = "open" | "known" | "rules" | "quotas" | "tls";

/** A host with some protection in one process, the generator of `host-alone` in another. */
class ProtectedHost implements Contender<HostLoad> {
  readonly name: string;
  readonly #protection: Protection;
  readonly #group: ProcessGroup;
  #folder: string | undefined;

  constructor(name: string, protection: Protection) {
    this.name = name;
    this.#protection = protection;
    this.#group = new ProcessGroup(name);
  }

  async start(): Promise<void> {
    const files = this.#protection === "tls" ? this.#certificates() : [];
    const host = this.#group.start("host", programCommand(import.meta, "host", this.#protection, ...files));
    const { address } = await host.next("ready");
    const wire = this.#protection === "tls" ? "tls" : "http2";
    const generator = programCommand(import.meta, "../host-alone/generator", wire, String(address));
    await this.#group.start("generator", generator).next("ready");
  }

  measure(load: HostLoad, seconds: number): Promise<Round> {
    const generator = this.#group.get("generator");
    return this.#group.withProcessorTime(async () => {
      generator.send({ load, seconds });
      return roundOf(await generator.next("round"));
    });
  }

  async stop(): Promise<void> {
    await this.#group.stop();
    if (this.#folder !== undefined) rmSync(this.#folder, { recursive: true, force: true });
  }

  #certificates(): readonly string[] {
    this.#folder = mkdtempSync(join(tmpdir(), "troupe-bench-"));
    const [command = "", ...args] = [...thisNode, troupeCommand(), "certs", "dev", "--folder", this.#folder];
    const made = spawnSync(command, args, { encoding: "utf8" });
    if (made.status !== 0) throw new Error(`no certificates: ${made.stderr}`);
    return ["host.crt", "host.key"].map((file) => join(this.#folder ?? "", file));
  }
}

/** Contender that the others are compared with. */
export const baseline = "an open host";

export function createContenders(): Contender<HostLoad>[] {
  return [
    new ProtectedHost("TLS", "tls"),
    new ProtectedHost("rules and quotas", "quotas"),
    new ProtectedHost("rules", "rules"),
    new ProtectedHost("known callers", "known"),
    new ProtectedHost(baseline, "open"),
  ];
}
