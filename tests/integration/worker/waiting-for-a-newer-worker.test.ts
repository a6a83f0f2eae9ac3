import { describe, expect, test } from "vitest";
import { z } from "zod";
import { AgentId, defineMessage, defineState, handlerTable, persistentAgent } from "../../../src/core/index.ts";
import type { WorkerRuntime } from "../../../src/worker/index.ts";
import { Inbox } from "../../support/inbox.ts";
import { startRig, type WorkerRig } from "../../support/worker/worker-rig.ts";

const Total = defineMessage("Total", z.object({ value: z.number() }));
const Add = defineMessage("Add", z.object({ value: z.number() }), { answer: Total });

const older = defineState(z.object({ total: z.number() }), { initial: { total: 0 } });
const newer = defineState(z.object({ total: z.number() }), {
  initial: { total: 0 },
  version: 2,
  migrations: { 1: (old: { total: number }) => old },
});

/** The counter of a program whose state has this version. */
function counterOf(state: typeof older) {
  return class Counter extends persistentAgent(state) {
    readonly #handled: Inbox<number> | undefined;

    /** `handled`: gets the total after each message. */
    constructor(description: string, handled?: Inbox<number>) {
      super(description);
      this.#handled = handled;
    }

    static override readonly handlers = handlerTable<Counter>().rpc(Add, function ({ value }) {
      this.state.total += value;
      this.#handled?.put(this.state.total);
      return Total({ value: this.state.total });
    });
  };
}

const [Older, Newer] = [counterOf(older), counterOf(newer)];
const id = new AgentId("counter", "a");
const wait = { waitForTarget: 60_000, timeoutMs: 60_000 };

describe.each([
  { kind: "shared", shared: true },
  { kind: "exclusive", shared: false },
])(
  "a message for an agent of a $kind type whose state a newer program has written, while only an older worker is there",
  ({ shared }) => {
    async function newerWorker(rig: WorkerRig, handled?: Inbox<number>): Promise<WorkerRuntime> {
      const worker = await rig.worker({ version: "2" });
      await Newer.register(worker, "counter", () => new Newer("newer", handled), { shared });
      return worker;
    }

    /** An older worker beside the state that a newer one has left. `made`: its attempts to make the agent. */
    async function openOlder(rig: WorkerRig) {
      const caller = await rig.worker();
      caller.addMessageSerializer([Add, Total]);
      const first = await newerWorker(rig);
      expect(await caller.sendMessage(Add({ value: 1 }), id)).toEqual(Total({ value: 1 }));
      await first.stop();
      const made = new Inbox<string>();
      const make = () => {
        made.put("made");
        return new Older("older");
      };
      const worker = await rig.worker({ version: "1" });
      await Older.register(worker, "counter", make, { shared });
      return { caller, worker, made };
    }

    test("waits with waitForTarget for a newer worker, which handles it once", async () => {
      await using rig = await startRig();
      const { caller, worker, made } = await openOlder(rig);
      const call = caller.sendMessage(Add({ value: 1 }), id, { ...wait, idempotencyKey: "order-7" });
      await made.takeMany(2);
      if (!shared) await worker.stop();
      await newerWorker(rig);
      expect(await call).toEqual(Total({ value: 2 }));
      expect(await caller.sendMessage(Add({ value: 1 }), id)).toEqual(Total({ value: 3 }));
    });

    test("is kept if it is a told message, and a newer worker that comes gets it once", async () => {
      await using rig = await startRig();
      const { caller, worker, made } = await openOlder(rig);
      await caller.tell(Add({ value: 1 }), id, { idempotencyKey: "told-7" });
      await made.takeMany(2);
      if (!shared) await worker.stop();
      const handled = new Inbox<number>();
      await newerWorker(rig, handled);
      expect(await handled.take()).toBe(2);
      expect(await caller.sendMessage(Add({ value: 1 }), id)).toEqual(Total({ value: 3 }));
    });

    test("fails as state-too-new without waitForTarget, and when that time is over", async () => {
      await using rig = await startRig();
      const { caller } = await openOlder(rig);
      const tooNew = { code: "state-too-new" };
      await expect(caller.sendMessage(Add({ value: 1 }), id)).rejects.toMatchObject(tooNew);
      await expect(caller.sendMessage(Add({ value: 1 }), id, { waitForTarget: 0 })).rejects.toMatchObject(tooNew);
    });
  },
);
