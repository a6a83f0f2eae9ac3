import { expect, test } from "vitest";
import * as z from "zod";
import { AgentId, defineMessage, event, RoutedAgent, rpc, TopicId, TypeSubscription } from "../../../src/core/index.ts";
import { accessRules, tokenAuthenticator } from "../../../src/security/index.ts";
import { WorkerRuntime } from "../../../src/worker/index.ts";
import { RawHttp, requestText } from "../../support/http/raw-http.ts";
import { readStream } from "../../support/http/read-stream.ts";
import { Opened } from "../../support/opened.ts";
import { TestAuthority } from "../../support/security/authority.ts";
import { AdminRig } from "./admin-rig.ts";

const Draft = defineMessage("FeedDraft", z.object({ text: z.string() }));

class Writer extends RoutedAgent {
  @rpc(Draft)
  draft() {}

  @event(Draft)
  drafted() {}
}

async function openWorker(rig: AdminRig): Promise<WorkerRuntime> {
  const worker = new WorkerRuntime({ dialer: rig.dialer, address: "host:1" });
  await worker.start();
  for (const type of ["writer", "vault"]) await Writer.register(worker, type, () => new Writer("writes"));
  for (const topic of ["news", "secrets"]) await worker.addSubscription(new TypeSubscription(topic, "writer"));
  return worker;
}

async function sendAll(worker: WorkerRuntime): Promise<void> {
  for (const type of ["writer", "vault"])
    await worker.sendMessage(Draft({ text: `to ${type}` }), new AgentId(type, "1"));
  for (const topic of ["news", "secrets"])
    await worker.publishMessage(Draft({ text: `on ${topic}` }), new TopicId(topic, "s"));
  await worker.sendMessage(Draft({ text: "the last one" }), new AgentId("writer", "last"));
}

test("a reader that asks for what messages say gets it, and another one does not", async () => {
  await using opened = new Opened();
  const rig = opened.use(await AdminRig.open());
  const worker = opened.use(await openWorker(rig));
  const read = async (query: string) => {
    const raw = await RawHttp.connect(Number(new URL(rig.entry.url).port));
    raw.send(requestText({ target: `/v1/feed?kind=call${query}`, token: "rig-token" }));
    await raw.until(/retry: \d+\n\n|HTTP\/1\.1 [45]/);
    return raw;
  };
  const [plain, full] = [await read(""), await read("&payloads=1")];
  await sendAll(worker);
  for (const reader of [plain, full]) await reader.until(/"key":"last"[^\n]*\n\n/);
  expect(full.text).toMatch(
    /"type":"vault"[^\n]*"payload":{"messageType":"FeedDraft","contentType":"application\/json","bytes":19,"text":"{\\"text\\":\\"to vault\\"}"}}/,
  );
  expect(plain.text).not.toMatch(/payload|to vault/);
  expect((await read("&payloads=2")).text).toMatch(/HTTP\/1\.1 400 /);
  for (const reader of [plain, full]) reader.end();
});

test("a principal reads calls whose agents' state it may read, and events whose topic it may subscribe to", async () => {
  await using opened = new Opened();
  const authority = await TestAuthority.create();
  const rules = accessRules([
    { principal: "*", allow: ["see", "watch"], types: "*", topics: "*" },
    { principal: "editor", allow: "read-state", types: "writer" },
    { principal: "editor", allow: "subscribe", topics: "news" },
  ]);
  const text = ["editor", "guest"].map((name) => `${name} token-of-${name}-0123456789`).join("\n");
  const rig = opened.use(
    await AdminRig.open(
      {},
      {
        open: {
          ...{ host: "127.0.0.1", port: 0, tls: await authority.server(), rules },
          authenticator: tokenAuthenticator({ text }),
        },
      },
    ),
  );
  const worker = opened.use(await openWorker(rig));
  const read = (who: string) =>
    readStream(`${rig.entry.openUrl}/v1/feed?payloads=1`, {
      ca: authority.ca,
      headers: { authorization: `Bearer token-of-${who}-0123456789` },
    });
  const [editor, guest] = [await read("editor"), await read("guest")];
  await sendAll(worker);
  for (const reader of [editor, guest]) await reader.until(/"key":"last"[^\n]*\n\n/);
  for (const [name, isRead] of [
    ...[["to writer", true] as const, ["to vault", false] as const, ["on news", true] as const],
    ["on secrets", false] as const,
  ])
    expect(editor.text.includes(name), name).toBe(isRead);
  // It sees that they happened.
  expect(editor.text).toContain('"type":"vault"');
  expect(guest.text).not.toMatch(/payload|to writer|on news/);
  for (const reader of [editor, guest]) reader.end();
  await rig.entry.close(1_000);
  const readers = rig.logger.lines.filter(({ text }) => text === "a principal reads contents");
  expect(new Set(readers.map(({ fields = {} }) => `${fields.principal} ${fields.what}`))).toEqual(
    new Set(["editor messages"]),
  );
  // Calls to the writer, the last one among them, and the event.
  expect(readers.reduce((sum, { fields = {} }) => sum + Number(fields.count), 0)).toBe(3);
});
