import { request } from "node:https";
import { type } from "arktype";
import { beforeAll, describe, expect, test } from "vitest";
import * as z from "zod";
import type { CallAnswer, MessagesAnswer, StoryAnswer } from "../../../src/admin/internal.ts";
import {
  ClosureAgent,
  classMessage,
  defineMessage,
  event,
  type MessageContext,
  type MessageOf,
  RoutedAgent,
  rpc,
} from "../../../src/core/index.ts";
import type { HostOptions } from "../../../src/host/index.ts";
import { accessRules, quotaRules, tokenAuthenticator } from "../../../src/security/index.ts";
import { ManualClock } from "../../../src/testing/index.ts";
import type { Dialer } from "../../../src/transport/index.ts";
import { WorkerRuntime } from "../../../src/worker/index.ts";
import { clusterTransports } from "../../support/cluster-rig.ts";
import { Gate } from "../../support/gate.ts";
import { Inbox } from "../../support/inbox.ts";
import { Opened } from "../../support/opened.ts";
import { RawWorker } from "../../support/raw-worker.ts";
import { TestAuthority } from "../../support/security/authority.ts";
import { AdminRig, EntryRig } from "./admin-rig.ts";

const Sum = defineMessage("HttpSum", z.object({ total: z.number() }));
const Add = defineMessage("HttpAdd", z.object({ one: z.number(), other: z.number() }), { answer: Sum });
const Wait = defineMessage("HttpWait", z.object({}));
const Grow = defineMessage("HttpGrow", z.object({ chars: z.number() }));
const Note = defineMessage("HttpNote", z.object({ at: z.date().optional(), text: z.string() }));
const Point = defineMessage("HttpPoint", type({ x: "number", "y?": "number" }));
const Old = classMessage("HttpOld", class HttpOldMessage {});
const euro = { type: "object", properties: { cents: { type: "integer" } }, required: ["cents"] };
const Euro = classMessage("HttpEuro", class HttpEuroMessage {}, { jsonSchema: euro });

/** What the agents of one test have seen. */
class Seen {
  readonly signals = new Inbox<AbortSignal>();
  readonly principals = new Inbox<string>();
  readonly gate = new Gate();
  made = 0;
}

class Counter extends RoutedAgent {
  readonly #seen: Seen;

  constructor(seen: Seen) {
    super("counts");
    this.#seen = seen;
    seen.made += 1;
  }

  @rpc(Add)
  add({ one, other }: MessageOf<typeof Add>, context: MessageContext) {
    this.#seen.principals.put(context.principal ?? "nobody");
    return Sum({ total: one + other });
  }

  @rpc(Wait)
  async wait(_wait: MessageOf<typeof Wait>, context: MessageContext) {
    this.#seen.signals.put(context.signal);
    await this.#seen.gate.opened;
  }

  @rpc(Grow)
  grow({ chars }: MessageOf<typeof Grow>): MessageOf<typeof Note> {
    if (chars < 0) throw new RangeError("nothing shrinks");
    return Note({ text: "x".repeat(chars) });
  }

  @event([Note, Point, Old, Euro])
  note() {}
}

interface Posted {
  readonly status: number;
  readonly content: CallAnswer & { readonly code?: string; readonly detail?: string };
  readonly headers: Headers;
}

async function post(
  url: string,
  parameters: Record<string, string>,
  body: unknown,
  { headers = {}, signal }: { readonly headers?: Record<string, string>; readonly signal?: AbortSignal } = {},
): Promise<Posted> {
  const response = await fetch(`${url}/v1/calls?${new URLSearchParams(parameters)}`, {
    method: "POST",
    headers: { authorization: "Bearer rig-token", "content-type": "application/json", ...headers },
    body: typeof body === "string" ? body : JSON.stringify(body),
    ...(signal !== undefined && { signal }),
  });
  return { status: response.status, content: (await response.json()) as Posted["content"], headers: response.headers };
}

async function startWorker(
  dialer: Dialer,
  seen: Seen,
  { address = "host:1", shared = false } = {},
): Promise<WorkerRuntime> {
  const worker = new WorkerRuntime({ dialer, address });
  await worker.start();
  await Counter.register(worker, "counter", () => new Counter(seen), { shared, tellsPrincipal: true });
  return worker;
}

async function open(options: HostOptions = {}) {
  const rig = await AdminRig.open(options);
  const seen = new Seen();
  const worker = await startWorker(rig.dialer, seen);
  const counters = async () =>
    (await rig.client.ask<{ counters: Record<string, number> }>("GET", "/v1/counters")).counters;
  return { rig, worker, seen, counters };
}

const agent = { type: "counter", key: "c" };
const of = (message: string) => ({ ...agent, message });

describe("POST /v1/calls", () => {
  test("calls an agent and answers with what it answers, with its type and time", async () => {
    const { rig, worker, seen } = await open();
    await using _rig = rig;
    await using _worker = worker;
    // The client of the rig holds the answer to the description.
    const body = JSON.stringify({ one: 2, other: 3 });
    const asked = await rig.client.ask<CallAnswer>("POST", "/v1/calls", of("HttpAdd"), { body: Buffer.from(body) });
    expect(asked).toEqual({
      ...{ messageType: "HttpSum", contentType: "application/json", data: { total: 5 }, base64: null },
      ms: expect.any(Number),
    });
    seen.gate.open();
    const nothing = await rig.client.ask<CallAnswer>("POST", "/v1/calls", of("HttpWait"), { body: Buffer.from("{}") });
    expect(nothing).toMatchObject({ messageType: null, contentType: null, data: null, base64: null });
    await seen.signals.take();
    expect(await seen.principals.take()).toBe("nobody");
  });

  test("ends with the typed error that a worker would get, and says what to do", async () => {
    const { rig, worker } = await open();
    await using _rig = rig;
    await using _worker = worker;
    const wrong: [number, string, RegExp, Record<string, string>, unknown][] = [
      [404, "undeliverable", /Agent type nobody not found\. Start a worker/, { ...of("HttpAdd"), type: "nobody" }, {}],
      [502, "handler-failed", /^counter\/c failed: .*nothing shrinks/, of("HttpGrow"), { chars: -1 }],
      [413, "message-too-large", /exceeds what the caller can receive/, of("HttpGrow"), { chars: 2 ** 20 }],
      [400, "invalid-message", /Not a valid HttpAdd: /, of("HttpAdd"), { one: "2" }],
      [400, "invalid-message", /message is not JSON/, of("HttpAdd"), "{"],
      [400, "invalid-argument", /parameter key is missing/, { type: "counter", message: "HttpAdd" }, {}],
      [400, "invalid-argument", /parameter message is missing/, agent, {}],
      [400, "invalid-argument", /can't be an agent type/, { ...of("HttpAdd"), type: "no type" }, {}],
      [400, "invalid-argument", /"troupe\.x" is reserved/, { ...of("HttpAdd"), type: "troupe.x" }, {}],
      [400, "invalid-argument", /"TroupeTick" is reserved/, of("TroupeTick"), {}],
      [400, "invalid-argument", /whole number from 1 to 300000/, { ...of("HttpAdd"), timeoutMs: "0" }, {}],
      [413, "message-too-large", /may have 1048576 bytes/, of("HttpAdd"), "x".repeat(2 ** 20 + 1)],
    ];
    for (const [status, code, text, parameters, body] of wrong) {
      const answer = await post(rig.entry.url, parameters, body).catch(() => undefined);
      // A body that is too long ends the connection, perhaps before the client has read the answer.
      if (answer === undefined && status === 413) continue;
      expect([answer?.status, answer?.content.code, answer?.content.detail]).toEqual([
        status,
        code,
        expect.stringMatching(text),
      ]);
    }
  });

  test("ends its call when its time is up and when its client goes, and the handler is told", async () => {
    const clock = new ManualClock();
    const { rig, worker, seen, counters } = await open({ clock });
    await using _rig = rig;
    await using _worker = worker;
    const held = (await counters()).heldBytes;
    const late = post(rig.entry.url, { ...of("HttpWait"), timeoutMs: "5000" }, {});
    const first = await seen.signals.take();
    clock.advance(5_000);
    expect(await late).toMatchObject({ status: 504, content: { code: "timed-out" } });
    if (!first.aborted) await new Promise((resolve) => first.addEventListener("abort", resolve));
    const leaving = new AbortController();
    const left = post(rig.entry.url, of("HttpWait"), {}, { signal: leaving.signal });
    const second = await seen.signals.take();
    expect((await counters()).pendingCalls).toBe(1);
    leaving.abort();
    await expect(left).rejects.toThrow();
    await new Promise((resolve) => second.addEventListener("abort", resolve));
    const now = await counters();
    expect([now.pendingCalls, now.heldBytes]).toEqual([0, held]);
    seen.gate.open();
  });

  test("records the trace that its caller names, under which the story of the call is found", async () => {
    const { rig, worker } = await open();
    await using _rig = rig;
    await using _worker = worker;
    const id = "0af7651916cd43dd8448eb211c80319c";
    // From the first question on the host keeps traces.
    expect(await rig.client.ask("GET", "/v1/traces")).toMatchObject({ rows: [] });
    const headers = { traceparent: `00-${id}-b7ad6b7169203331-01` };
    await post(rig.entry.url, of("HttpAdd"), { one: 1, other: 1 }, { headers });
    await post(rig.entry.url, of("HttpAdd"), { one: 1, other: 1 }, { headers: { traceparent: "01-else" } });
    const { hops } = await rig.client.ask<StoryAnswer>("GET", "/v1/trace", { id });
    expect(hops).toMatchObject([{ kind: "call", sender: null, type: "counter", key: "c", outcome: "answered" }]);
    expect(await rig.client.ask("GET", "/v1/traces")).toMatchObject({ rows: [{ traceId: id, calls: 1 }] });
  });

  test("has the quotas of its caller: messages and calls under way", async () => {
    const clock = new ManualClock();
    const quotas = quotaRules([{ address: "*", messagesPerSecond: 5, calls: 2 }]);
    const { rig, worker, seen } = await open({ clock, quotas });
    await using _rig = rig;
    await using _worker = worker;
    // The address of the memory link is another one than that of the HTTP client.
    const waiting = [1, 2].map(() => post(rig.entry.url, of("HttpWait"), {}));
    await Promise.all([seen.signals.take(), seen.signals.take()]);
    expect(await post(rig.entry.url, of("HttpAdd"), { one: 1, other: 1 })).toMatchObject({
      ...{ status: 429, content: { code: "overloaded", detail: expect.stringMatching(/may have 2 calls under way/) } },
    });
    seen.gate.open();
    expect((await Promise.all(waiting)).map(({ status }) => status)).toEqual([200, 200]);
    for (let sent = 3; sent < 5; sent += 1) await post(rig.entry.url, of("HttpAdd"), { one: 1, other: 1 });
    const refused = await post(rig.entry.url, of("HttpAdd"), { one: 1, other: 1 });
    expect(refused).toMatchObject({ status: 429, content: { detail: expect.stringMatching(/may send 5 messages/) } });
    expect(refused.headers.get("retry-after")).toBe("1");
  });
});

describe("at an address for principals", () => {
  let authority: TestAuthority;
  let tls: Awaited<ReturnType<TestAuthority["server"]>>;
  beforeAll(async () => {
    authority = await TestAuthority.create();
    tls = await authority.server();
  });
  const tokens = ["clerk token-of-clerk-0123456789", "guest token-of-guest-0123456789"].join("\n");
  const rules = accessRules([
    { principal: "*", allow: ["register"], types: "*" },
    { principal: "clerk", allow: "call", types: "counter" },
    { name: "no secrets", principal: "clerk", deny: "call", types: "secret" },
  ]);

  const askByTls = (
    url: string,
    { method, who, body }: { readonly method: string; readonly who: string; readonly body?: string | undefined },
  ): Promise<{ readonly status: number | undefined; readonly content: unknown }> =>
    new Promise((resolve, reject) => {
      const headers = { authorization: `Bearer token-of-${who}-0123456789`, "content-type": "application/json" };
      const asked = request(url, { method, ca: authority.ca, agent: false, headers }, (response) => {
        let text = "";
        response.setEncoding("utf8").on("data", (piece: string) => {
          text += piece;
        });
        response.once("end", () => resolve({ status: response.statusCode, content: JSON.parse(text) }));
      });
      asked.once("error", reject).end(body);
    });

  test("a principal calls what the rules let it call, as itself, and is told which rule is missing", async () => {
    await using opened = new Opened();
    const authenticator = tokenAuthenticator({ text: tokens });
    const rig = opened.use(
      await AdminRig.open(
        { authorize: ({ metadata }) => ({ name: metadata["client-id"] ?? "" }), rules },
        { open: { host: "127.0.0.1", port: 0, tls, authenticator, rules } },
      ),
    );
    const seen = new Seen();
    opened.use(await startWorker(rig.dialer, seen));
    const ask = (method: string, path: string, who: string, body?: string) =>
      askByTls(`${rig.entry.openUrl}${path}`, { method, who, body });
    const path = `/v1/calls?${new URLSearchParams(of("HttpAdd"))}`;
    const body = '{"one":1,"other":2}';
    const before = (await rig.client.ask<{ counters: { deniedByRules: number } }>("GET", "/v1/counters")).counters;
    expect(await ask("POST", path, "clerk", body)).toMatchObject({ status: 200, content: { data: { total: 3 } } });
    expect(await seen.principals.take()).toBe("clerk");
    expect(before.deniedByRules).toBe(0);
    expect(await ask("POST", path, "guest", body)).toMatchObject({
      status: 403,
      content: { detail: "Not authorized to call this agent type. No rule of this host allows it. Ask its operator." },
    });
    const may = (who: string, action: string, name: string) =>
      ask("GET", `/v1/permission?action=${action}&name=${name}`, who);
    expect(await may("clerk", "call", "counter")).toMatchObject({ content: { isAllowed: true, why: null } });
    expect(await may("clerk", "call", "secret")).toMatchObject({
      content: { isAllowed: false, why: expect.stringContaining('The rule "no secrets" of this host denies it') },
    });
    expect(await may("clerk", "publish", "orders")).toMatchObject({ content: { isAllowed: false } });
    expect((await may("clerk", "register", "counter")).status).toBe(400);
    // Who may call a type sees the messages that it takes.
    expect((await ask("GET", "/v1/messages?type=counter", "clerk")).status).toBe(200);
    expect((await ask("GET", "/v1/messages?type=counter", "guest")).status).toBe(403);
  });

  test("a principal that the rules of the host refuse is refused there, too, and counted", async () => {
    await using opened = new Opened();
    const rig = opened.use(
      await AdminRig.open(
        { authorize: ({ metadata }) => ({ name: metadata["client-id"] ?? "" }), rules },
        {
          open: {
            ...{ host: "127.0.0.1", port: 0, tls, authenticator: tokenAuthenticator({ text: tokens }) },
            // Of another revision than those of the host.
            rules: accessRules([{ principal: "*", allow: "*", types: "*", topics: "*" }]),
          },
        },
      ),
    );
    const url = `${rig.entry.openUrl}/v1/calls?${new URLSearchParams(of("HttpAdd"))}`;
    const answer = await askByTls(url, { method: "POST", who: "guest", body: "{}" });
    expect(answer).toMatchObject({ status: 403, content: { code: "not-authorized" } });
    const { counters } = await rig.client.ask<{ counters: { deniedByRules: number } }>("GET", "/v1/counters");
    expect(counters.deniedByRules).toBe(1);
  });
});

describe("GET /v1/messages", () => {
  test("tells the messages of a type with the JSON Schemas of their libraries or their own, and makes no agent", async () => {
    const { rig, worker, seen } = await open();
    await using _rig = rig;
    await using _worker = worker;
    await ClosureAgent.registerClosure(worker, "ear", () => undefined, { types: [Point] });
    await worker.registerFactory("bare", () => new Counter(seen));
    const messagesOf = (name: string) => rig.client.ask<MessagesAnswer>("GET", "/v1/messages", { type: name });
    const before = seen.made;
    const { messages, why } = await messagesOf("counter");
    expect([why, seen.made]).toEqual([null, before]);
    expect(messages.map(({ name, takes, answer }) => [name, takes, answer]).sort()).toEqual([
      ["HttpAdd", "call", "HttpSum"],
      ["HttpEuro", "event", null],
      ["HttpGrow", "call", null],
      ["HttpNote", "event", null],
      ["HttpOld", "event", null],
      ["HttpPoint", "event", null],
      ["HttpWait", "call", null],
    ]);
    const schemaOf = (name: string) => messages.find((message) => message.name === name)?.schema;
    expect(schemaOf("HttpAdd")).toMatchObject({
      type: "object",
      properties: { one: { type: "number" } },
      required: ["one", "other"],
    });
    // JSON Schema has no dates: what the field may be is left open.
    expect(schemaOf("HttpNote")).toMatchObject({ properties: { at: {}, text: { type: "string" } } });
    expect(schemaOf("HttpPoint")).toMatchObject({ properties: { x: { type: "number" } }, required: ["x"] });
    expect(schemaOf("HttpOld")).toBeNull();
    expect(schemaOf("HttpEuro")).toEqual(euro);
    expect((await messagesOf("ear")).messages).toMatchObject([{ name: "HttpPoint", takes: "message" }]);
    expect(await messagesOf("bare")).toMatchObject({ messages: [], why: "Its worker declares none." });
    expect(await messagesOf("nobody")).toMatchObject({ messages: [], why: "No worker serves the agent type nobody." });
    const link = rig.dial();
    const stock = await new RawWorker(link, "stock").join();
    await stock.register("python");
    expect((await messagesOf("python")).why).toMatch(/one of AutoGen's/);
    await link.close();
  });
});

describe("in a cluster", () => {
  test.each([false, true])(
    "an agent at another host answers, and its messages are told (shared: %s)",
    async (shared) => {
      await using opened = new Opened();
      const [transport] = clusterTransports;
      if (transport === undefined) throw new Error("There are memory links.");
      const rig = opened.use(await transport.start());
      const seen = new Seen();
      opened.use(await startWorker({ dial: () => rig.two.dial() }, seen, { address: rig.two.host.address, shared }));
      const entry = opened.use(await EntryRig.open(rig.one.host));
      // The host learns of the type from the other one.
      let told = await entry.client.ask<MessagesAnswer>("GET", "/v1/messages", { type: "counter" });
      while (told.messages.length === 0)
        told = await entry.client.ask<MessagesAnswer>("GET", "/v1/messages", { type: "counter" });
      expect(told.messages.map(({ name }) => name)).toContain("HttpAdd");
      const body = Buffer.from(JSON.stringify({ one: 2, other: 2 }));
      const add = () => entry.client.ask<CallAnswer>("POST", "/v1/calls", of("HttpAdd"), { body });
      let answer = await add().catch(() => undefined);
      while (answer === undefined) answer = await add().catch(() => undefined);
      expect(answer.data).toEqual({ total: 4 });
    },
  );
});
