// Compiled, not run: what the client promises by types of messages alone.
import { defineMessage } from "troupe";
import { createClient } from "troupe/client";
import { z } from "zod";

const Line = defineMessage("Line", z.object({ text: z.string() }));
const Poem = defineMessage("Poem", z.object({ text: z.string(), tags: z.array(z.string()) }));
const AskPoem = defineMessage("AskPoem", z.object({ topic: z.string(), lines: z.number().default(4) }), {
  answer: Poem,
  chunk: Line,
});
const News = defineMessage("News", z.object({ at: z.string() }));

export async function use(): Promise<void> {
  const client = createClient({ url: "/api" });
  // A field with a default may be left out.
  const poem = await client.call<typeof AskPoem>("AskPoem", { topic: "sea" }, "poet/default");
  const text: string = poem.text;
  const tags: readonly string[] = poem.tags;
  void [text, tags];

  // @ts-expect-error another name than that of the type
  await client.call<typeof AskPoem>("AskPoems", { topic: "sea" }, "poet/default");
  // @ts-expect-error a field that is missing
  await client.call<typeof AskPoem>("AskPoem", {}, "poet/default");
  // @ts-expect-error a field of a wrong type
  await client.call<typeof AskPoem>("AskPoem", { topic: 7 }, "poet/default");
  // @ts-expect-error a field that the answer has not
  void poem.title;

  const run = await client.run<typeof AskPoem>("AskPoem", { topic: "sea" }, "poet/default");
  for await (const line of run) {
    const read: string = line.text;
    void read;
    // @ts-expect-error a field that a chunk has not
    void line.tags;
  }
  const whole: string = (await run.answer).text;
  void whole;

  for await (const { type, event } of client.subscribe<typeof News>("news/tech")) {
    const name: "News" = type;
    const at: string = event.at;
    void [name, at];
    // @ts-expect-error a field that the event has not
    void event.text;
  }
}
