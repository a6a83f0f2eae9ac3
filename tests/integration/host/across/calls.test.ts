import { describe, expect, it } from "vitest";
import { claimOf, clientOf, clusterWorker, startAcross } from "../../../support/across-rooms.ts";
import { clusterTransports } from "../../../support/cluster-rig.ts";
import { type RawWorker, textOf } from "../../../support/raw-worker.ts";

/** Answers each call with the name of the worker. */
function answering(worker: RawWorker, name: string, seen: string[] = []): void {
  void (async () => {
    for (;;) {
      const frame = await worker.next();
      if (frame.kind !== "request") continue;
      seen.push(`${frame.target?.key} ${frame.metadata.n ?? ""}`.trim());
      worker.respond(frame.requestId, name);
    }
  })().catch(() => undefined);
}

async function ask(caller: RawWorker, id: string, target: string): Promise<string> {
  caller.request(id, target);
  const answer = await caller.nextResponse();
  expect(answer.requestId).toBe(id);
  return answer.error === "" ? textOf(answer) : answer.error;
}

describe.each(clusterTransports.map(({ name }, at) => [name, at] as const))(
  "calls to agents of a type that workers of two hosts share, over %s",
  (_name, transport) => {
    it("reach one worker each, whichever host they come from", async () => {
      await using rig = await startAcross({ transport });
      const workers = [await clusterWorker(rig.one, "W1"), await clusterWorker(rig.two, "W2")];
      for (const [at, worker] of workers.entries()) answering(worker, `W${at + 1}`);
      const [one, two] = [await clientOf(rig.one, "C1"), await clientOf(rig.two, "C2")];
      const places: string[] = [];
      for (let key = 0; key < 16; key += 1) {
        const first = await ask(key % 2 === 0 ? one : two, `a${key}`, `room/${key}`);
        const second = await ask(key % 2 === 0 ? two : one, `b${key}`, `room/${key}`);
        expect(second).toBe(first);
        places.push(first);
      }
      expect(new Set(places)).toEqual(new Set(["W1", "W2"]));
    });

    it("wait in order for the first one to an agent, and follow it", async () => {
      await using rig = await startAcross({ transport });
      const target = await clusterWorker(rig.two, "W");
      const caller = await clientOf(rig.one, "C");
      for (let number = 1; number <= 50; number += 1)
        caller.request(String(number), "room/k", { metadata: { n: String(number) } });
      const order: string[] = [];
      for (let number = 1; number <= 50; number += 1) order.push((await target.nextRequest()).metadata.n ?? "");
      expect(order).toEqual(Array.from({ length: 50 }, (_, at) => String(at + 1)));
      expect(rig.one.host.counters()).toMatchObject({ pendingCalls: 50, heldMessages: 0 });
    });

    it("carry the epoch of the claim to the worker", async () => {
      await using rig = await startAcross({ transport });
      const target = await clusterWorker(rig.two, "W");
      const caller = await clientOf(rig.one, "C");
      caller.request("1", "room/k");
      const first = await target.nextRequest();
      caller.request("2", "room/k");
      const second = await target.nextRequest();
      expect(claimOf(second)).toEqual(claimOf(first));
      expect(claimOf(first).epoch.number).toBeGreaterThan(0);
    });
  },
);
