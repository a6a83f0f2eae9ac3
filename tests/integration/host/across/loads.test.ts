import { expect, it } from "vitest";
import { partsOf } from "../../../../src/host/servicer.ts";
import { clientOf, clusterWorker, startAcross } from "../../../support/across-rooms.ts";
import type { ClusterHostRig } from "../../../support/cluster-rig.ts";
import { HonestRoom } from "../../../support/honest-room.ts";
import { type RawWorker, textOf } from "../../../support/raw-worker.ts";

async function ask(caller: RawWorker, key: string): Promise<string> {
  caller.request(key, `room/${key}`, { metadata: { n: "1" } });
  return textOf(await caller.nextResponse());
}

/** The agents that a host believes a worker of another host to have. */
function agentsAt({ host }: ClusterHostRig, workerId: string): number | undefined {
  return partsOf(host.servicer).others.now.workerOf(workerId)?.loadWith(0).agents;
}

it("a new agent goes to the worker with the least load, which hosts tell each other, not only what passes a host itself", async () => {
  await using rig = await startAcross({ placement: "least-loaded" });
  const first = await clusterWorker(rig.one, "W1");
  new HonestRoom(first, "W1", () => undefined);
  const near = await clientOf(rig.one, "C1");
  for (let key = 0; key < 6; key += 1) expect(await ask(near, `a${key}`)).toBe("W1");
  new HonestRoom(await clusterWorker(rig.two, "W2"), "W2", () => undefined);
  const far = await clientOf(rig.two, "C2");
  // The other host has sent W1 nothing: it knows its load only by what W1's host tells.
  while (agentsAt(rig.two, "W1") !== 6) await new Promise((resolve) => setImmediate(resolve));
  for (let key = 0; key < 5; key += 1) expect(await ask(far, `b${key}`)).toBe("W2");
});
