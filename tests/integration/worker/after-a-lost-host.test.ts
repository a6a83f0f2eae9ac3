import { expect, test } from "vitest";
import { z } from "zod";
import { AgentId, defineMessage, defineState, handlerTable, persistentAgent } from "../../../src/core/index.ts";
import { Host } from "../../../src/host/index.ts";
import { MemoryStateStore } from "../../../src/storage/index.ts";
import { createMemoryNetwork } from "../../../src/transport/index.ts";
import { WorkerRuntime } from "../../../src/worker/index.ts";

const Total = defineMessage("Total", z.object({ value: z.number(), made: z.number() }));
const Add = defineMessage("Add", z.object({ value: z.number() }), { answer: Total });
const Read = defineMessage("Read", z.object({}), { answer: Total });
const Count = defineState(z.object({ total: z.number() }), { initial: { total: 0 } });
const id = new AgentId("counter", "a");

test.each([
  { change: false, answer: { value: 3, made: 1 } },
  { change: true, answer: { value: 102, made: 2 } },
])("an exclusive persistent agent asks after a lost host whether its state is the stored one: $answer", async (row) => {
  const network = createMemoryNetwork();
  const store = new MemoryStateStore();
  const address = "127.0.0.1:4100";
  const openHost = async (stateStore: MemoryStateStore) => {
    const host = new Host({ listener: network, address }, { stateStore });
    await host.start();
    return host;
  };
  const first = await openHost(store);
  let made = 0;
  class Counter extends persistentAgent(Count) {
    static override readonly handlers = handlerTable<Counter>()
      .rpc(Add, function ({ value }) {
        this.state.total += value;
        return Total({ value: this.state.total, made });
      })
      .rpc(
        Read,
        function () {
          return Total({ value: this.state.total, made });
        },
        { readOnly: true },
      );
  }
  await using worker = new WorkerRuntime({ dialer: network, address, reconnect: { initialDelayMs: 1 } });
  await worker.start();
  await Counter.register(worker, "counter", () => {
    made += 1;
    return new Counter("counts");
  });
  expect(await worker.sendMessage(Add({ value: 1 }), id)).toEqual(Total({ value: 1, made: 1 }));
  await first.stop({ graceMs: 0 });
  const next = store.reopen();
  if (row.change) {
    await next.open();
    const write = { at: "put", contentType: "application/json", schemaVersion: 1 } as const;
    const data = new TextEncoder().encode(JSON.stringify({ total: 100 }));
    const agent = { type: "counter", key: "a" };
    const nothingElse = { reminders: [], mail: [], remembered: [] };
    await next.commit([
      { agent, epoch: undefined, expected: { at: "anything" }, write: { ...write, data }, ...nothingElse },
    ]);
    await next.close();
  }
  const second = await openHost(row.change ? next.reopen() : next);
  for await (const status of worker.status()) if (status.at === "connected") break;
  // A handler that only reads commits nothing, so that no conflict would tell.
  expect(await worker.sendMessage(Read({}), id)).toEqual(Total({ ...row.answer, value: row.answer.value - 2 }));
  expect(await worker.sendMessage(Add({ value: 2 }), id)).toEqual(Total(row.answer));
  await worker.stop();
  await second.stop({ graceMs: 0 });
});
