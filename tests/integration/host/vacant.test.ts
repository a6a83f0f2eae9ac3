import { describe, expect, it } from "vitest";
import { type HostRig, hostTransports } from "../../support/host-transports.ts";
import { RawControl } from "../../support/raw-control.ts";
import { exact, prefix, RawWorker } from "../../support/raw-worker.ts";

/** A worker with something of everything that a host keeps. */
async function busyWorker(rig: HostRig, name: string) {
  const link = rig.dial();
  const worker = await new RawWorker(link, name, { isAnnounced: true }).join();
  await worker.register(name);
  await worker.subscribe(`${name}-exact`, exact("t", name));
  await worker.subscribe(`${name}-prefix`, prefix("t", name));
  await RawControl.open(link, name);
  return { link, worker };
}

describe.each(hostTransports)("a host over $name", ({ start }) => {
  it("holds nothing of its workers when all have gone, however they went, with calls between them under way", async () => {
    await using rig = await start();
    const names = ["leaves", "cancels", "is-lost"] as const;
    const workers = await Promise.all(names.map((name) => busyWorker(rig, name)));
    for (const { worker } of workers) {
      for (const name of names) worker.request(`to-${name}`, `${name}/k`);
      worker.publish("t");
      await worker.settled();
    }
    expect(rig.host.counters()).toMatchObject({ channels: 3, controlChannels: 3, agentTypes: 3, subscriptions: 6 });
    expect(rig.host.counters().pendingCalls).toBe(9);
    const [leaves, cancels, isLost] = workers;
    leaves?.worker.stream.end();
    cancels?.worker.stream.cancel();
    await isLost?.link.close();
    await Promise.all([leaves?.link.close(), cancels?.link.close()]);
    const gauges = () => {
      const { channels, controlChannels, pendingCalls, agentTypes } = rig.host.counters();
      const { subscriptions, reservedClients, queuedFrames, queuedBytes } = rig.host.counters();
      return [
        ...[channels, controlChannels, pendingCalls, agentTypes],
        ...[subscriptions, reservedClients, queuedFrames, queuedBytes],
      ];
    };
    while (gauges().some((gauge) => gauge > 0)) await new Promise((resolve) => setImmediate(resolve));
    expect(rig.host.sessions()).toEqual([]);
  });
});
