// An answer that comes in parts: a poet streams its lines, an editor passes them on and changes the answer. The reader prints each line when it
// comes. Then it leaves a second poem in the middle, which ends both handlers. Host and workers are in this process to keep it short.
import assert from "node:assert/strict";
import { setTimeout as pause } from "node:timers/promises";
import { AgentId, defineMessage, handlerTable, RoutedAgent } from "troupe";
import { GrpcWorkerAgentRuntime, GrpcWorkerAgentRuntimeHost } from "troupe/grpc";
import { z } from "zod";

const Line = defineMessage("Line", z.object({ text: z.string() }));
const Poem = defineMessage("Poem", z.object({ text: z.string() }));
const AskPoem = defineMessage("AskPoem", z.object({ lines: z.number() }), { answer: Poem, chunk: Line });

const ended: string[] = [];

class Poet extends RoutedAgent {
  static override readonly handlers = handlerTable<Poet>().rpc(AskPoem, async function* ({ lines }) {
    const texts: string[] = [];
    try {
      while (texts.length < lines) {
        const text = `line ${texts.length + 1}`;
        texts.push(text);
        yield Line({ text });
        await pause(5); // the next line must be thought of
      }
      return Poem({ text: texts.join(" / ") });
    } finally {
      ended.push("poet");
    }
  });
}

class Editor extends RoutedAgent {
  static override readonly handlers = handlerTable<Editor>().rpc(AskPoem, async function* (ask, { signal }) {
    try {
      const poem = yield* this.stream(ask, new AgentId("poet", "default"), { signal });
      return Poem({ text: `${poem.text}.` });
    } finally {
      ended.push("editor");
    }
  });
}

await using host = new GrpcWorkerAgentRuntimeHost("127.0.0.1:0");
await host.start();
await using poets = new GrpcWorkerAgentRuntime(host.address);
await poets.start();
await Poet.register(poets, "poet", () => new Poet("writes poems"));
await using editors = new GrpcWorkerAgentRuntime(host.address);
await editors.start();
await Editor.register(editors, "editor", () => new Editor("edits poems"));
await using reader = new GrpcWorkerAgentRuntime(host.address);
await reader.start();
const editor = new AgentId("editor", "default");

const stream = reader.stream(AskPoem({ lines: 3 }), editor);
for await (const line of stream) console.log(line.text);
const poem = await stream.answer;
console.log(`The poem: ${poem.text}`);
assert.equal(poem.text, "line 1 / line 2 / line 3.");

for await (const line of reader.stream(AskPoem({ lines: 1_000_000 }), editor)) if (line.text === "line 2") break;
while (ended.length < 4) await pause(1);
console.log("Both handlers of the poem without end have ended.");
assert.deepEqual(ended.sort(), ["editor", "editor", "poet", "poet"]);
