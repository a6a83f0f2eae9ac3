import { AgentId, handlerTable, RoutedAgent } from "troupe";
import { Prompt, Reply } from "troupe/ai";
import { UiPart } from "troupe/teams";
import { startTestHost } from "troupe/testing";
import { createGateway } from "troupe/web";
import { WorkerRuntime } from "troupe/worker";
import { expect, test } from "vitest";
import { Gate } from "../../support/gate.ts";
import { Opened } from "../../support/opened.ts";

/** More than one of them does not fit into the window of a reader. */
const longText = "x".repeat(40_000);
const events = 8;

class Speaker extends RoutedAgent {
  readonly gate: Gate;

  static override readonly handlers = handlerTable<Speaker>().rpc(Prompt, function () {
    return this.speak();
  });

  constructor(gate: Gate) {
    super("says much");
    this.gate = gate;
  }

  async *speak() {
    yield UiPart({ type: "start" });
    yield UiPart({ type: "text-start", id: "1" });
    for (let at = 0; at < events; at += 1) yield UiPart({ type: "text-delta", id: "1", delta: longText });
    await this.gate.opened;
    return Reply({ text: "done" });
  }
}

test("a chat page is told to ask again when the rest of its answer is lost with its worker", async () => {
  await using opened = new Opened();
  const host = opened.use(await startTestHost({ sharedTypes: ["speaker"] }));
  const join = async () => {
    const worker = opened.use(new WorkerRuntime({ ...host }));
    await worker.start();
    return worker;
  };
  const [worker, front] = [await join(), await join()];
  const gate = new Gate();
  await Speaker.register(worker, "speaker", () => new Speaker(gate), { shared: true });
  const gateway = opened.use(createGateway(front, { expose: { speaker: { messages: [], chat: Prompt } } }));
  const request = new Request("http://127.0.0.1:8080/chat/speaker", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({
      id: "c",
      messages: [{ id: "m1", role: "user", parts: [{ type: "text", text: "Speak" }] }],
    }),
  });
  const response = await gateway.fetch(request, { remoteAddress: "127.0.0.1" });
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  while (!text.includes("text-delta")) text += (await reader?.read())?.value ?? "";
  // The page reads no more for a while. Meanwhile its agent, and the run with it, leaves the worker.
  const left = worker.deactivateAgent(new AgentId("speaker", "c"));
  gate.open();
  await left;
  for (let next = await reader?.read(); next?.done === false; next = await reader?.read()) text += next.value;
  expect(text.split("text-delta").length - 1).toBeLessThan(events);
  expect(text).toContain('{"type":"error","errorText":"The rest of this answer is lost. Ask again."}');
  expect(text.endsWith("data: [DONE]\n\n")).toBe(true);
});
