import { describe, expect, test } from "vitest";
import { Opened } from "../support/opened.ts";
import { StateCluster, stateClusterAbsence } from "../support/state-cluster.ts";
import { generations } from "./support/generations.ts";
import { MyMessage } from "./support/messages.ts";
import type { PythonPeer } from "./support/python-peer.ts";
import { startPythonWorker } from "./support/python-peers.ts";
import { TypeScriptWorker } from "./support/typescript-worker.ts";

const hi = MyMessage({ content: "hi" });
const whenServed = { waitForTarget: 30_000 };
const keys = Array.from({ length: 12 }, (_, at) => `k${at}`);

for (const generation of generations) {
  const absence = generation.skipReason ?? stateClusterAbsence();
  describe.skipIf(absence)(`two workers of ${generation.title} at two hosts of a cluster`, { timeout: 120_000 }, () => {
    test("share a type that the hosts name: each agent is in one of them, and goes to the other when that is lost", async () => {
      await using opened = new Opened();
      const cluster = opened.use(await StateCluster.start(2, "--shared-types", "writer"));
      const pythons: PythonPeer[] = [];
      for (const { address } of cluster.hosts)
        pythons.push(opened.use(await startPythonWorker(generation, address, [{ kind: "echo", type: "writer" }])));
      const [one = "", two = ""] = cluster.addresses;
      const callers = [
        opened.use(await TypeScriptWorker.start(one, { types: [MyMessage] })),
        opened.use(await TypeScriptWorker.start(two, { types: [MyMessage] })),
      ];
      /** The workers that the calls to an agent have reached, once for each call. */
      const reached = (key: string) =>
        pythons.flatMap((worker, at) =>
          worker.eventsNamed("received").flatMap((event) => (event.agent === `writer/${key}` ? [at] : [])),
        );
      for (const caller of callers)
        for (const key of keys) expect(await caller.call(`writer/${key}`, hi, whenServed)).toEqual(hi);
      for (const key of keys) {
        const [holder] = reached(key);
        expect(reached(key)).toEqual([holder, holder]);
      }
      expect(new Set(keys.map((key) => reached(key)[0])).size).toBe(2);
      const [first] = pythons;
      await first?.kill();
      // A call that is sent before its host knows of the loss has no outcome.
      await cluster.hosts[0]?.program.errorOutput(/a worker has left/);
      const [caller] = callers;
      const moved = keys.filter((key) => reached(key)[0] === 0);
      for (const key of moved) expect(await caller?.call(`writer/${key}`, hi, whenServed)).toEqual(hi);
      for (const key of moved) expect(reached(key).at(-1)).toBe(1);
    });
  });
}
