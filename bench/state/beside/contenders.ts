import { startHost } from "../../peers/start-host.ts";
import type { CallRound } from "../../support/call-rounds.ts";
import type { Contender, Round } from "../../support/contender.ts";
import { ProcessGroup, roundOf } from "../../support/process-group.ts";
import { programCommand } from "../../support/project.ts";
import { type Keeping, type KeptStore, makeStore } from "../calls/kept.ts";
import { usualLoad } from "../calls/loads.ts";

/** Calls under way that write states, while others are measured. */
export type BesideLoad = number;

/** Calls without a state, one in flight, through a host whose store writes for another worker meanwhile. */
export class BesideContender implements Contender<BesideLoad> {
  readonly name: string;
  readonly #keeping: Keeping;
  readonly #group: ProcessGroup;
  #store: KeptStore | undefined;

  constructor(name: string, keeping: Keeping) {
    this.name = name;
    this.#keeping = keeping;
    this.#group = new ProcessGroup(name);
  }

  async start(): Promise<void> {
    this.#store = await makeStore(this.#keeping);
    const address = await startHost(this.#group, "troupe", this.#store.flags);
    const programs = [
      ["writer", programCommand(import.meta, "../calls/target", address, "stored")],
      ["writing caller", programCommand(import.meta, "../calls/caller", address)],
      ["target", programCommand(import.meta, "../../rpc/target", address)],
      ["caller", programCommand(import.meta, "../../rpc/caller", address)],
    ] as const;
    for (const [role, command] of programs) await this.#group.start(role, command).next("ready");
  }

  /** `written`: how many calls a second wrote a state meanwhile. */
  async measure(inFlight: BesideLoad, seconds: number): Promise<Round> {
    const writing = this.#group.get("writing caller");
    const caller = this.#group.get("caller");
    writing.send({ ...usualLoad, seconds, inFlight });
    caller.send({ seconds, inFlight: 1, payloadBytes: 100 } satisfies CallRound);
    const [written, measured] = [roundOf(await writing.next("round")), roundOf(await caller.next("round"))];
    return { ...measured, written: written.perSecond ?? Number.NaN };
  }

  async stop(): Promise<void> {
    await this.#group.stop();
    await this.#store?.remove();
  }
}
