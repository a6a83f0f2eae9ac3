import { TypeSubscription } from "troupe";
import { describe, expect, test } from "vitest";
import { generations } from "./support/generations.ts";
import { Laboratory } from "./support/laboratory.ts";
import { MyMessage } from "./support/messages.ts";
import type { PythonAgent } from "./support/peer-protocol.ts";
import { Collector, Echo } from "./support/typescript-agents.ts";

const hi = MyMessage({ content: "hi" });
// The ids of the workers decide where a key is. Of 12 keys, one worker had none in one run of forty.
const keys = Array.from({ length: 64 }, (_, at) => `k${at}`);
const agents: readonly PythonAgent[] = [
  { kind: "echo", type: "writer" },
  { kind: "collector", type: "reader", subscriptions: [{ topicType: "news" }] },
];

for (const generation of generations) {
  describe.skipIf(generation.skipReason)(`two workers of ${generation.title} and one of ours`, () => {
    test("share agent types that the host names: each agent is in one of them, for calls and for events", async () => {
      await using lab = await Laboratory.start(generation, { sharedTypes: ["writer", "read*"] });
      const pythons = [await lab.python(agents), await lab.python(agents)];
      const ours = await lab.typescript();
      await Echo.register(ours.runtime, "writer", () => new Echo(ours.seen), { shared: true });
      await Collector.register(ours.runtime, "reader", () => new Collector(ours.seen), { shared: true });
      await ours.runtime.addSubscription(new TypeSubscription("news", "reader"));
      const caller = await lab.typescript({ types: [MyMessage] });

      /** The workers that a message for the agent has reached, once for each message. */
      const reached = (agent: string) => [
        ...pythons.flatMap((worker, at) =>
          worker.eventsNamed("received").flatMap((event) => (event.agent === agent ? [at] : [])),
        ),
        ...ours.seen.rest.flatMap((message) => (message.agent === agent ? [pythons.length] : [])),
      ];
      for (const key of keys) expect(await caller.callShown(`writer/${key}`, hi)).toMatchObject({ type: "MyMessage" });
      for (const key of keys) await caller.publish(`news/${key}`, hi);
      // Each worker reads its messages in order, so what these calls find is behind the events.
      for (const key of keys) await caller.callShown(`writer/${key}`, hi);
      while (keys.some((key) => reached(`reader/${key}`).length === 0)) {
        await new Promise((resolve) => setImmediate(resolve));
      }
      const holders = new Set<number | undefined>();
      for (const key of keys) {
        const [holder] = reached(`writer/${key}`);
        expect([reached(`writer/${key}`), reached(`reader/${key}`)]).toEqual([[holder, holder], [holder]]);
        holders.add(holder);
      }
      expect(holders.size).toBe(3);
      expect(lab.host.counters()).toMatchObject({ splitUnits: 0, agentTypes: 2 });
    });
  });
}
