import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { HostLoad } from "../host-alone/loads.ts";
import { startHost } from "../peers/start-host.ts";
import type { Contender, Round } from "../support/contender.ts";
import { ProcessGroup, roundOf } from "../support/process-group.ts";
import { programCommand } from "../support/project.ts";

/** The views of the page that watch a host, as `watcher.ts` knows them. */
type View = "overview" | "live" | "one-type";

/** A host in one process, the generator of `host-alone` in another, and a program that asks the host as a view of the page does. */
class WatchedHost implements Contender<HostLoad> {
  readonly name: string;
  readonly #view: View | undefined;
  readonly #group: ProcessGroup;
  #folder: string | undefined;

  constructor(name: string, view: View | undefined) {
    this.name = name;
    this.#view = view;
    this.#group = new ProcessGroup(name);
  }

  async start(): Promise<void> {
    this.#folder = mkdtempSync(join(tmpdir(), "troupe-bench-"));
    const file = join(this.#folder, "admin.json");
    const address = await startHost(this.#group, "troupe", ["--admin-file", file]);
    const generator = programCommand(import.meta, "../host-alone/generator", "http2", address);
    await this.#group.start("generator", generator).next("ready");
    if (this.#view === undefined) return;
    await this.#group.start("watcher", programCommand(import.meta, "watcher", file, this.#view)).next("ready");
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
}

/** Contender that the others are compared with. */
export const baseline = "a host that no page watches";

export function createContenders(): Contender<HostLoad>[] {
  return [
    new WatchedHost("live messages", "live"),
    new WatchedHost("live messages of one type", "one-type"),
    new WatchedHost("the overview", "overview"),
    new WatchedHost(baseline, undefined),
  ];
}
