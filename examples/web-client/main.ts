// Agents on the web: a gateway in a server of Node.js, and the client that a page would have. A run outlives its reader, who comes back to it by
// its id. Agents that are not exposed are not there. A user does not find the run of another one.
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { setTimeout as pause } from "node:timers/promises";
import { defineMessage, handlerTable, RoutedAgent, SingleThreadedAgentRuntime } from "troupe";
import { ClientError, createClient } from "troupe/client";
import { tokenAuthenticator } from "troupe/security";
import { createGateway, toNodeHandler } from "troupe/web";
import { z } from "zod";

const Line = defineMessage("Line", z.object({ text: z.string() }));
const Poem = defineMessage("Poem", z.object({ text: z.string() }));
const AskPoem = defineMessage("AskPoem", z.object({ lines: z.number() }), { answer: Poem, chunk: Line });
const News = defineMessage("News", z.object({ text: z.string() }));

class Poet extends RoutedAgent {
  static override readonly handlers = handlerTable<Poet>().rpc(AskPoem, async function* ({ lines }) {
    for (let line = 1; line <= lines; line += 1) {
      yield Line({ text: `line ${line}` });
      await pause(5); // the next line must be thought of
    }
    return Poem({ text: `${lines} lines` });
  });
}

// The agents may be in this process, as here, or at any worker of a host.
await using runtime = new SingleThreadedAgentRuntime();
await Poet.register(runtime, "poet", () => new Poet("writes poems"));
await runtime.start();

await using gateway = createGateway(runtime, {
  expose: { poet: { messages: [AskPoem] } },
  topics: { news: { subscribe: [News], publish: [News] } },
  authenticate: tokenAuthenticator({
    tokens: [
      { name: "ada", token: "ada-6f1d0c5a98b24e73" },
      { name: "bob", token: "bob-0c5a98b24e736f1d" },
    ],
  }),
  basePath: "/api",
});
const server = createServer(toNodeHandler(gateway));
await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
const address = server.address();
assert(typeof address === "object" && address !== null);
const url = `http://127.0.0.1:${address.port}/api`;
const ada = createClient({ url, headers: { authorization: "Bearer ada-6f1d0c5a98b24e73" } });
const bob = createClient({ url, headers: { authorization: "Bearer bob-0c5a98b24e736f1d" } });

const poem = await ada.call<typeof AskPoem>("AskPoem", { lines: 2 }, "poet/default");
console.log(`A call: ${poem.text}.`);
assert.equal(poem.text, "2 lines");

const run = await ada.run<typeof AskPoem>("AskPoem", { lines: 4 }, "poet/default", { id: "poem-7" });
for await (const { text } of run) {
  console.log(`A run: ${text}, then its reader leaves.`);
  break;
}
const again = ada.attach<typeof AskPoem>("poet/default", "poem-7");
const lines: string[] = [];
for await (const { text } of again) lines.push(text);
console.log(`It comes back by the id of the run: ${lines.join(", ")}.`);
assert.deepEqual(lines, ["line 1", "line 2", "line 3", "line 4"]);

const refusals: string[] = [];
for (const asking of [
  bob.attach<typeof AskPoem>("poet/default", "poem-7").status(),
  ada.call<typeof AskPoem>("AskPoem", { lines: 1 }, "painter/default"),
  createClient({ url }).call<typeof AskPoem>("AskPoem", { lines: 1 }, "poet/default"),
]) {
  await asking.catch((error: unknown) => {
    assert(error instanceof ClientError);
    refusals.push(`${error.status}`);
  });
}
console.log(`Another's run, an agent that is not exposed, a stranger: ${refusals.join(", ")}.`);
assert.deepEqual(refusals, ["404", "404", "401"]);

const events = bob.subscribe<typeof News>("news/tech")[Symbol.asyncIterator]();
const first = events.next();
let isThere = false;
void first.then(() => {
  isThere = true;
});
// Events are not kept: one that comes before the subscriber is there is not seen.
while (!isThere) {
  await ada.publish<typeof News>("News", { text: "a poem is out" }, "news/tech");
  await pause(5);
}
const { value: news } = await first;
console.log(`An event: ${news.event.text}.`);
assert.equal(news.event.text, "a poem is out");
await events.return?.(undefined);
server.closeAllConnections();
server.close();
