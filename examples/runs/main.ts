// A run: a stream that outlives its readers. Two readers read one poem. The first leaves after a line and comes back, the second comes when the
// poet has ended. Both have every line once. Host and workers are in this process to keep it short.
import assert from "node:assert/strict";
import { setTimeout as pause } from "node:timers/promises";
import { AgentId, defineMessage, handlerTable, RoutedAgent } from "troupe";
import { GrpcWorkerAgentRuntime, GrpcWorkerAgentRuntimeHost } from "troupe/grpc";
import { z } from "zod";

const Line = defineMessage("Line", z.object({ text: z.string() }));
const Poem = defineMessage("Poem", z.object({ text: z.string() }));
const AskPoem = defineMessage("AskPoem", z.object({ lines: z.number() }), { answer: Poem, chunk: Line });

let begun = 0;

class Poet extends RoutedAgent {
  static override readonly handlers = handlerTable<Poet>().rpc(AskPoem, async function* ({ lines }) {
    begun += 1;
    const texts: string[] = [];
    while (texts.length < lines) {
      const text = `line ${texts.length + 1}`;
      texts.push(text);
      yield Line({ text });
      await pause(5); // the next line must be thought of
    }
    return Poem({ text: texts.join(" / ") });
  });
}

await using host = new GrpcWorkerAgentRuntimeHost("127.0.0.1:0");
await host.start();
await using poets = new GrpcWorkerAgentRuntime(host.address);
await poets.start();
await Poet.register(poets, "poet", () => new Poet("writes poems"));
const poet = new AgentId("poet", "default");
const ask = AskPoem({ lines: 4 });

await using first = new GrpcWorkerAgentRuntime(host.address);
await first.start();
const run = await first.startRun(ask, poet, { id: "poem-42", owner: "ada" });
const seen: string[] = [];
let next = 0;
for await (const { offset, chunk } of run.read()) {
  seen.push(chunk.text);
  next = offset + 1;
  break; // the reader leaves: the poet goes on
}
// A start that may have got no answer is repeated: it finds the same run.
await first.startRun(ask, poet, { id: "poem-42", owner: "ada" });
for await (const { chunk } of run.read({ from: next })) seen.push(chunk.text);
console.log(`The first reader: ${seen.join(", ")}`);
assert.deepEqual(seen, ["line 1", "line 2", "line 3", "line 4"]);

await using late = new GrpcWorkerAgentRuntime(host.address);
await late.start();
const same = late.attachRun(poet, "poem-42", { owner: "ada", message: AskPoem });
const lines: string[] = [];
for await (const { text } of same) lines.push(text);
const { text } = await same.answer();
console.log(`The late reader: ${lines.join(", ")}. The poem: ${text}`);
assert.deepEqual(lines, seen);
assert.equal(begun, 1);

// Only callers that give its owner find a run.
await assert.rejects(late.attachRun(poet, "poem-42").status(), { code: "not-found" });
