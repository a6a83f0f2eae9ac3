import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { AgentId, defineMessage, handlerTable, RoutedAgent, SingleThreadedAgentRuntime } from "troupe";
import { expect, test } from "vitest";
import { z } from "zod";

const Total = defineMessage("MillionTotal", z.object({ value: z.number() }));
const Add = defineMessage("MillionAdd", z.object({ value: z.number() }), { answer: Total });

const agents = 1_000_000;
const cap = 10_000;
const atOnce = 1_000;

/** What the agents keep, in the place of a store: one number each. */
const kept = new Float64Array(agents);
const begun = new Uint8Array(agents);
let mixedUp = 0;

class Counter extends RoutedAgent {
  #total = 0;

  static override readonly handlers = handlerTable<Counter>().rpc(Add, function ({ value }) {
    this.#total += value;
    return Total({ value: this.#total });
  });

  constructor() {
    super("counts");
  }

  get #place(): number {
    return Number(this.id.key);
  }

  override onActivate(): void {
    // Two activations of one agent at a time would each have half of the truth.
    if (begun[this.#place] === 1) mixedUp += 1;
    begun[this.#place] = 1;
    this.#total = kept[this.#place] ?? 0;
  }

  override onDeactivate(): void {
    begun[this.#place] = 0;
    kept[this.#place] = this.#total;
  }
}

setFlagsFromString("--expose-gc");
// The function is there only after the flag.
const collect: () => void = runInNewContext("gc");

function heapBytes(): number {
  collect();
  return process.memoryUsage().heapUsed;
}

test("a million agents live in turn within a cap of 10 000: every total is right, and the heap stays flat", async () => {
  const runtime = new SingleThreadedAgentRuntime();
  await runtime.start();
  await Counter.register(runtime, "counter", () => new Counter(), { maxLive: cap });
  const ask = (index: number) => runtime.sendMessage(Add({ value: 1 }), new AgentId("counter", String(index)));
  const askAll = async (from: number, to: number, total: number) => {
    let wrong = 0;
    for (let first = from; first < to; first += atOnce) {
      const answers = await Promise.all(Array.from({ length: atOnce }, (_, index) => ask(first + index)));
      for (const { value } of answers) if (value !== total) wrong += 1;
    }
    return wrong;
  };
  let wrong = await askAll(0, 100_000, 1);
  const before = heapBytes();
  wrong += await askAll(100_000, agents, 1);
  wrong += await askAll(0, agents, 2);
  const grown = heapBytes() - before;
  expect({ wrong, mixedUp }).toEqual({ wrong: 0, mixedUp: 0 });
  const { activations, deactivations } = runtime.counters();
  expect(activations).toBe(2 * agents);
  expect(deactivations.capacity).toBe(2 * agents - cap);
  expect(grown).toBeLessThan(8 * 1024 * 1024);
  await runtime.close();
  expect(runtime.counters().deactivations["shutting-down"]).toBe(cap);
  expect(kept.every((total) => total === 2)).toBe(true);
}, 600_000);
