import { startHost } from "../../peers/start-host.ts";
import type { Contender, Round } from "../../support/contender.ts";
import { ProcessGroup, roundOf } from "../../support/process-group.ts";
import { programCommand } from "../../support/project.ts";
import { absenceOf, type Keeping, type KeptStore, makeStore } from "./kept.ts";
import type { StateLoad } from "./loads.ts";

/** Three processes: a host with a store, a target and a caller. */
export class KeptCallContender implements Contender<StateLoad> {
  readonly name: string;
  readonly absent: string | undefined;
  readonly #kind: "plain" | "stored";
  readonly #keeping: Keeping;
  readonly #group: ProcessGroup;
  #store: KeptStore | undefined;

  constructor(name: string, kind: "plain" | "stored", keeping: Keeping) {
    this.name = name;
    this.absent = absenceOf(keeping);
    this.#kind = kind;
    this.#keeping = keeping;
    this.#group = new ProcessGroup(name);
  }

  async start(): Promise<void> {
    this.#store = await makeStore(this.#keeping);
    const address = await startHost(this.#group, "troupe", this.#store.flags);
    await this.#group.start("target", programCommand(import.meta, "target", address, this.#kind)).next("ready");
    await this.#group.start("caller", programCommand(import.meta, "caller", address)).next("ready");
  }

  measure(load: StateLoad, seconds: number): Promise<Round> {
    return measureCaller(this.#group, load, seconds);
  }

  async stop(): Promise<void> {
    await this.#group.stop();
    await this.#store?.remove();
  }
}

/** Commands the group's caller, and adds the processor time of the group. */
export function measureCaller(group: ProcessGroup, load: StateLoad, seconds: number): Promise<Round> {
  const caller = group.get("caller");
  return group.withProcessorTime(async () => {
    caller.send({ seconds, ...load });
    return roundOf(await caller.next("round"));
  });
}
