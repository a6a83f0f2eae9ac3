import { expect, test } from "vitest";
import { z } from "zod";
import { AgentId, defineMessage, handlerTable, RoutedAgent } from "../../../src/core/index.ts";
import { startTestHost } from "../../../src/testing/index.ts";
import { WorkerRuntime } from "../../../src/worker/index.ts";
import { Gate } from "../../support/gate.ts";
import { Opened } from "../../support/opened.ts";

const Line = defineMessage("LeavingLine", z.object({ text: z.string() }));
const Poem = defineMessage("LeavingPoem", z.object({ text: z.string() }));
const Ask = defineMessage("LeavingAsk", z.object({ lines: z.number() }), { answer: Poem, chunk: Line });
const poet = new AgentId("poet", "k");
/** More than one of them does not fit into the window of a reader. */
const longLine = "x".repeat(40_000);

class Poet extends RoutedAgent {
  readonly gate: Gate;

  static override readonly handlers = handlerTable<Poet>().rpc(Ask, function ({ lines }) {
    return this.compose(lines);
  });

  constructor(gate: Gate) {
    super("a poet");
    this.gate = gate;
  }

  async *compose(lines: number) {
    for (let line = 0; line < lines; line += 1) yield Line({ text: longLine });
    await this.gate.opened;
    return Poem({ text: "done" });
  }
}

test("an agent leaves when its run has ended; its readers hear the answer, and those behind or late hear that it is gone", async () => {
  await using opened = new Opened();
  const host = opened.use(await startTestHost({ sharedTypes: ["poet"] }));
  const join = async () => {
    const worker = opened.use(new WorkerRuntime({ ...host }));
    await worker.start();
    worker.addMessageSerializer([Ask]);
    return worker;
  };
  const [worker, caller] = [await join(), await join()];
  const gate = new Gate();
  await Poet.register(worker, "poet", () => new Poet(gate), { shared: true });
  const run = await caller.startRun(Ask({ lines: 8 }), poet, { id: "r" });
  const slow = run[Symbol.asyncIterator]();
  await slow.next();
  const answer = run.answer();
  const order: string[] = [];
  const left = worker.deactivateAgent(poet).then(() => order.push("left"));
  await caller.attachRun(poet, "r").status();
  order.push("run ends");
  gate.open();
  expect(await answer).toEqual({ text: "done" });
  await left;
  expect(order).toEqual(["run ends", "left"]);
  await expect(readOn(slow)).rejects.toMatchObject({ code: "gone" });
  await expect(run.status()).rejects.toMatchObject({ code: "gone" });
  await expect(caller.attachRun(poet, "r").status()).rejects.toMatchObject({ code: "not-found" });
});

async function readOn(chunks: AsyncIterator<unknown, unknown>): Promise<void> {
  while ((await chunks.next()).done !== true);
}
