import { startHost } from "../../peers/start-host.ts";
import type { Contender, Round } from "../../support/contender.ts";
import { PeerProcess } from "../../support/peer-process.ts";
import { ProcessGroup } from "../../support/process-group.ts";
import { programCommand } from "../../support/project.ts";
import { type Keeping, makeStore } from "../calls/kept.ts";

/** Agents of a worker that is killed. */
export type PlacesLoad = number;

/** A host and two workers of a shared type, new for each round. One of them has all agents, and is killed. */
export class PlacesContender implements Contender<PlacesLoad> {
  readonly name: string;
  readonly #type: "plain" | "stored";
  readonly #keeping: Keeping;

  constructor(name: string, type: "plain" | "stored", keeping: Keeping) {
    this.name = name;
    this.#type = type;
    this.#keeping = keeping;
  }

  async start(): Promise<void> {}

  /** `ms`: from the worker's end until another one has answered a call to each agent. */
  async measure(count: PlacesLoad): Promise<Round> {
    const group = new ProcessGroup(this.name);
    const store = await makeStore(this.#keeping);
    try {
      const address = await startHost(group, "troupe", store.flags);
      const [command = "", ...args] = programCommand(import.meta, "worker", address);
      const lost = new PeerProcess(`${this.name}: worker that is killed`, command, args);
      await lost.next("ready");
      const caller = group.start("caller", programCommand(import.meta, "caller", address));
      await caller.next("ready");
      const callAll = async (): Promise<number> => {
        caller.send({ type: this.#type, count });
        return Number((await caller.next("called")).ms);
      };
      await callAll();
      // Both ends have run for a while before the time counts.
      const liveMs = await callAll();
      await group.start("worker", [command, ...args]).next("ready");
      await lost.kill();
      return { ms: await callAll(), liveMs };
    } finally {
      await group.stop();
      await store.remove();
    }
  }

  async stop(): Promise<void> {}
}
