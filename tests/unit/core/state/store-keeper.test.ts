import { expect, test } from "vitest";
import { z } from "zod";
import {
  AgentId,
  defineMessage,
  defineState,
  handlerTable,
  persistentAgent,
  RoutedAgent,
  SingleThreadedAgentRuntime,
} from "../../../../src/core/index.ts";
import { StoreError } from "../../../../src/storage/index.ts";
import { RecordingLogger } from "../../../support/recording-logger.ts";
import { WatchedStore } from "../../../support/watched-store.ts";

const Total = defineMessage("Total", z.object({ value: z.number() }));
const Add = defineMessage("Add", z.object({ value: z.number() }), { answer: Total });
const Count = defineState(z.object({ total: z.number() }), { initial: { total: 0 } });
const id = new AgentId("counter", "k");

class Counter extends persistentAgent(Count) {
  static override readonly handlers = handlerTable<Counter>().rpc(Add, function ({ value }) {
    this.state.total += value;
    return Total({ value: this.state.total });
  });
}

class Plain extends RoutedAgent {
  static override readonly handlers = handlerTable<Plain>().rpc(Add, ({ value }) => Total({ value }));
}

function opening(store: WatchedStore): { readonly opened: number[]; fails: boolean } {
  const seen = { opened: [] as number[], fails: false };
  const open = store.inner.open.bind(store.inner);
  store.open = async (options) => {
    seen.opened.push(seen.opened.length + 1);
    if (seen.fails) throw new StoreError("in-use", "Another process holds the store.");
    return open(options);
  };
  return seen;
}

test("a runtime opens its store once, when it starts, since that may hold reminders", async () => {
  const store = new WatchedStore();
  const { opened } = opening(store);
  await using runtime = new SingleThreadedAgentRuntime({ stateStore: store });
  await runtime.start();
  await Plain.register(runtime, "plain", () => new Plain("plain"));
  await runtime.sendMessage(Add({ value: 1 }), new AgentId("plain", "k"));
  await Counter.register(runtime, "counter", () => new Counter("counts"));
  await Promise.all([1, 2].map((key) => runtime.sendMessage(Add({ value: 1 }), new AgentId("counter", String(key)))));
  expect(opened).toEqual([1]);
});

test("a store that can't be opened fails the messages that need it, and is tried again by the next one", async () => {
  const store = new WatchedStore();
  const seen = opening(store);
  await using runtime = new SingleThreadedAgentRuntime({ stateStore: store, logger: new RecordingLogger() });
  seen.fails = true;
  await runtime.start();
  await Counter.register(runtime, "counter", () => new Counter("counts"));
  await expect(runtime.sendMessage(Add({ value: 1 }), id)).rejects.toMatchObject({ storeCode: "in-use" });
  seen.fails = false;
  expect(await runtime.sendMessage(Add({ value: 1 }), id)).toEqual(Total({ value: 1 }));
});

test("states in memory live as long as the runtime object, also over its close", async () => {
  const runtime = new SingleThreadedAgentRuntime();
  await runtime.start();
  await Counter.register(runtime, "counter", () => new Counter("counts"));
  await runtime.sendMessage(Add({ value: 1 }), id);
  await runtime.close();
  await runtime.start();
  expect(await runtime.sendMessage(Add({ value: 2 }), id)).toEqual(Total({ value: 3 }));
  await runtime.close();
});

test("in production no readOnly handler is compared", async () => {
  class Reader extends persistentAgent(Count) {
    static override readonly handlers = handlerTable<Reader>().rpc(
      Add,
      function ({ value }) {
        this.state.total += value;
        return Total({ value });
      },
      { readOnly: true },
    );
  }
  const before = process.env.NODE_ENV;
  process.env.NODE_ENV = "production";
  try {
    await using runtime = new SingleThreadedAgentRuntime();
    await runtime.start();
    await Reader.register(runtime, "counter", () => new Reader("reads"));
    expect(await runtime.sendMessage(Add({ value: 1 }), id)).toEqual(Total({ value: 1 }));
  } finally {
    process.env.NODE_ENV = before;
  }
});
