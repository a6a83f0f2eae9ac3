import { describe, expect, it } from "vitest";
import { AgentId } from "../../../src/core/index.ts";
import { nextTurn } from "../../../src/core/internal.ts";
import { createMemoryNetwork, type Dialer, type Link } from "../../../src/transport/index.ts";
import { WorkerRuntime } from "../../../src/worker/index.ts";
import { type ClusterHostRig, clusterTransports } from "../../support/cluster-rig.ts";
import { RecordingLogger } from "../../support/recording-logger.ts";
import { FunctionAgent } from "../../support/worker/function-agent.ts";
import { Ask, Reply } from "../../support/worker/messages.ts";

/** A dialer whose way to a host can be cut for good. */
class Ways implements Dialer {
  readonly #hosts: readonly ClusterHostRig[];
  readonly #links = new Map<string, Set<Link>>();
  readonly #cut = new Set<string>();
  readonly #nowhere = createMemoryNetwork();

  constructor(...hosts: ClusterHostRig[]) {
    this.#hosts = hosts;
  }

  dial(address: string): Link {
    const host = this.#hosts.find((one) => one.host.address === address);
    if (host === undefined || this.#cut.has(address)) return this.#nowhere.dial(address);
    const link = host.dial();
    const links = this.#links.get(address) ?? new Set();
    this.#links.set(address, links.add(link));
    return link;
  }

  /** The links to a host end, and it can't be reached again. */
  cut({ host }: ClusterHostRig): void {
    this.#cut.add(host.address);
    for (const link of this.#links.get(host.address) ?? []) void link.close();
  }
}

describe.each(clusterTransports)("a worker in a cluster of two hosts over $name", ({ start }) => {
  const addresses = (...hosts: ClusterHostRig[]) => hosts.map(({ host }) => host.address);
  const options = { logger: new RecordingLogger(), reconnect: { initialDelayMs: 1, maxDelayMs: 10 } };

  it.each([
    ["an exclusive type", false],
    ["a shared type", true],
  ])("keeps its agents of %s when it loses its host, and is called by the other one", async (_which, shared) => {
    await using rig = await start();
    const ways = new Ways(rig.one, rig.two);
    await using worker = new WorkerRuntime({ dialer: ways, address: addresses(rig.one, rig.two), ...options });
    await using caller = new WorkerRuntime({ dialer: new Ways(rig.two), address: addresses(rig.two), ...options });
    for (const runtime of [worker, caller]) {
      runtime.addMessageSerializer([Ask, Reply]);
      await runtime.start();
    }
    let made = 0;
    const makeCounter = () => {
      made += 1;
      let count = 0;
      return new FunctionAgent(() => {
        count += 1;
        return Reply({ content: String(count) });
      });
    };
    await worker.registerFactory("counter", makeCounter, { shared });
    const id = new AgentId("counter", "k");
    const ask = () => caller.sendMessage(Ask({ content: "x" }), id, { waitForTarget: 10_000 });
    expect([await ask(), await ask()]).toMatchObject([{ content: "1" }, { content: "2" }]);
    ways.cut(rig.one);
    for await (const status of worker.status())
      if (status.at === "connected" && status.address === rig.two.host.address) break;
    expect([await ask(), made]).toMatchObject([{ content: "3" }, 1]);
  });

  it.each([
    ["an exclusive type", false],
    ["a shared type", true],
  ])("loses no call to an agent of %s when its host leaves in order, and keeps the agent", async (_which, shared) => {
    await using rig = await start();
    const ways = new Ways(rig.one, rig.two);
    await using worker = new WorkerRuntime({ dialer: ways, address: addresses(rig.one), ...options });
    await using caller = new WorkerRuntime({ dialer: new Ways(rig.two), address: addresses(rig.two), ...options });
    for (const runtime of [worker, caller]) {
      runtime.addMessageSerializer([Ask, Reply]);
      await runtime.start();
    }
    let made = 0;
    const makeCounter = () => {
      made += 1;
      let count = 0;
      return new FunctionAgent(async () => {
        count += 1;
        await nextTurn();
        return Reply({ content: String(count) });
      });
    };
    await worker.registerFactory("counter", makeCounter, { shared });
    const id = new AgentId("counter", "k");
    const ask = () => caller.sendMessage(Ask({ content: "x" }), id);
    expect(await ask()).toMatchObject({ content: "1" });
    let isOver = false;
    let calls = 1;
    const calling = (async () => {
      for (let more = 20; !isOver || more > 0; more -= isOver ? 1 : 0) {
        await ask();
        calls += 1;
      }
    })();
    const stopped = rig.one.host.stop({ graceMs: 5_000 });
    for await (const status of worker.status())
      if (status.at === "connected" && status.address === rig.two.host.address) break;
    await stopped;
    isOver = true;
    await calling;
    expect([made, worker.counters()]).toMatchObject([1, { lostEvents: 0, droppedEvents: 0 }]);
    expect(await ask()).toMatchObject({ content: String(calls + 1) });
  });
});
