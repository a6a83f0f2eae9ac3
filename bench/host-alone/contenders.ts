import { type HostKind, startHost } from "../peers/start-host.ts";
import type { Contender, Round } from "../support/contender.ts";
import { ProcessGroup, roundOf } from "../support/process-group.ts";
import { programCommand } from "../support/project.ts";
import type { HostLoad } from "./loads.ts";

/** A host in one process, the generator in another. */
class HostContender implements Contender<HostLoad> {
  readonly name: string;
  readonly #host: HostKind;
  readonly #group: ProcessGroup;

  constructor(name: string, host: HostKind) {
    this.name = name;
    this.#host = host;
    this.#group = new ProcessGroup(name);
  }

  async start(): Promise<void> {
    const address = await startHost(this.#group, this.#host);
    const wire = this.#host === "tcp" ? "tcp" : "http2";
    await this.#group.start("generator", programCommand(import.meta, "generator", wire, address)).next("ready");
  }

  measure(load: HostLoad, seconds: number): Promise<Round> {
    const generator = this.#group.get("generator");
    return this.#group.withProcessorTime(async () => {
      generator.send({ load, seconds });
      return roundOf(await generator.next("round"));
    });
  }

  stop(): Promise<void> {
    return this.#group.stop();
  }
}

/** Contender that the others are compared with: the least that a host for the same messages can cost in JavaScript. */
export const baseline = "plain TCP relay";

export function createContenders(): Contender<HostLoad>[] {
  return [
    new HostContender("Troupe's host", "troupe"),
    new HostContender("grpc-js relay", "grpc-js"),
    new HostContender(baseline, "tcp"),
  ];
}
