import { startHost } from "../../peers/start-host.ts";
import type { Contender, Round } from "../../support/contender.ts";
import { ProcessGroup, roundOf } from "../../support/process-group.ts";
import { programCommand } from "../../support/project.ts";
import { absenceOf, type Keeping, type KeptStore, makeStore } from "./kept.ts";
import { type StateLoad, usualLoad } from "./loads.ts";

/** Agents without a state; with one; with one whose turns run ahead of its commits (`runAhead: 64`). */
export type AgentKind = "plain" | "stored" | "ahead";

/** Three processes: a host with a store, a target and a caller. */
export class KeptCallContender implements Contender<StateLoad> {
  readonly name: string;
  readonly absent: string | undefined;
  readonly #kind: AgentKind;
  readonly #keeping: Keeping;
  readonly #group: ProcessGroup;
  #store: KeptStore | undefined;

  constructor(name: string, kind: AgentKind, keeping: Keeping) {
    this.name = name;
    this.absent = absenceOf(keeping);
    this.#kind = kind;
    this.#keeping = keeping;
    this.#group = new ProcessGroup(name);
  }

  /** Running ahead concerns agents that several calls wait for. */
  carries({ recipients }: StateLoad): boolean {
    return this.#kind !== "ahead" || recipients === "one";
  }

  async start(): Promise<void> {
    this.#store = await makeStore(this.#keeping);
    const address = await startHost(this.#group, "troupe", this.#store.flags);
    await this.#group.start("target", programCommand(import.meta, "target", address, this.#kind)).next("ready");
    await this.#group.start("caller", programCommand(import.meta, "caller", address)).next("ready");
    await warmUp(this.#group);
  }

  measure(load: StateLoad, seconds: number): Promise<Round> {
    return measureCaller(this.#group, load, seconds);
  }

  async stop(): Promise<void> {
    await this.#group.stop();
    await this.#store?.remove();
  }
}

/** Calls of a warm-up, and the seconds that it takes at most. */
const warmUpCalls = 10_000;
const warmUpSeconds = 5;

/** Calls until the code of all processes is compiled. On a busy machine that takes longer than the warm-up of a comparison. */
export async function warmUp(group: ProcessGroup): Promise<void> {
  const caller = group.get("caller");
  for (let [calls, seconds] = [0, 0]; calls < warmUpCalls && seconds < warmUpSeconds; seconds += 0.5) {
    caller.send({ ...usualLoad, seconds: 0.5 });
    calls += Number((await caller.next("round")).count);
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
