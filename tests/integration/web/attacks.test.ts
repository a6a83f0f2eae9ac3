import { TopicId } from "troupe";
import { tokenAuthenticator } from "troupe/security";
import { ManualClock } from "troupe/testing";
import { describe, expect, test } from "vitest";
import { AskPoem, eventsOf, local, News, problemOf, Secret } from "../../contract/gateway/world.ts";
import { as, byToken, openStage } from "./web-stage.ts";

const poet = "/agents/poet/default";
const sea = { type: "AskPoem", message: { topic: "sea" } };
const waits = { type: "AskPoem", message: { topic: "waits" } };
const base = "http://127.0.0.1:8080";

describe("what is not exposed", () => {
  test("is the same 404 as what is not there: types, messages, topics, chats and paths", async () => {
    await using opened = await openStage({ topics: { news: { subscribe: [News] } } });
    const { stage } = opened;
    await stage.world.agents.registerFactory("hidden", () => {
      throw new Error("must not be made");
    });
    const told = new Set<string>();
    const asks = [
      ["POST", "/agents/hidden/default/calls", sea],
      ["POST", "/agents/absent/default/calls", sea],
      ["PUT", "/agents/hidden/default/runs/one", sea],
      ["GET", "/topics/secret/tech"],
      ["POST", "/chat/poet", { id: "c", messages: [] }],
      ["GET", "/chat/poet/c/stream"],
      ["GET", "/nowhere"],
      ["GET", "/"],
      ["POST", "/agents/constructor/x/calls", sea],
    ] as const;
    for (const [method, path, body] of asks) {
      const response = await stage.ask(method, path, body === undefined ? {} : { body });
      expect(response.status, path).toBe(404);
      told.add(await response.text());
    }
    expect([...told]).toHaveLength(1);
    // The agent takes this message, and clients may not send it.
    const body = { type: "Secret", message: { word: "x" } };
    const refused = await stage.ask("POST", `${poet}/calls`, { body });
    expect(refused.status).toBe(404);
    expect(await refused.text()).not.toContain("AskPoem");
    // Subscribing is exposed, and publishing is not.
    const publish = await stage.ask("POST", "/topics/news/tech", { body: { type: "News", message: { text: "x" } } });
    expect(await problemOf(publish)).toEqual([405, "invalid-argument"]);
    expect(stage.poetry.keys).toEqual([]);
  });

  test("a subscriber does not see messages of types that its topic does not expose", async () => {
    await using opened = await openStage({ topics: { news: { subscribe: [News] } } });
    const { stage } = opened;
    const response = await stage.ask("GET", "/topics/news/tech");
    await stage.world.agents.publishMessage(Secret({ word: "x" }), new TopicId("news", "tech"));
    await stage.world.agents.publishMessage(News({ text: "y" }), new TopicId("news", "tech"));
    for await (const { data } of eventsOf(response)) {
      expect(data).toEqual({ type: "News", message: { text: "y" } });
      break;
    }
  });

  test("no agent of a gateway takes a message of runs", async () => {
    await using opened = await openStage();
    const { stage } = opened;
    const body = { type: "TroupeCancelRun", message: { run_id: "one", reason: "", owner: "web" } };
    expect((await stage.ask("POST", `${poet}/calls`, { body })).status).toBe(404);
  });
});

describe("without authenticate", () => {
  const answerTo = async (url: string, headers: Record<string, string>, peer?: { remoteAddress?: string }) => {
    await using opened = await openStage();
    const { gateway } = opened.stage;
    const type = { "content-type": "application/json" };
    const given = { method: "POST", headers: { ...type, ...headers }, body: JSON.stringify(sea) };
    return (await gateway.fetch(new Request(`${url}${poet}/calls`, given), peer)).status;
  };

  test("only a client on this machine is answered, by a name of this machine and through no proxy", async () => {
    const here = { remoteAddress: "127.0.0.1" };
    expect(await answerTo(base, {}, here)).toBe(200);
    expect(await answerTo("http://[::1]:8080", {}, { remoteAddress: "::1" })).toBe(200);
    expect(await answerTo(base, {}, { remoteAddress: "192.0.2.7" })).toBe(403);
    expect(await answerTo(base, {})).toBe(403);
    expect(await answerTo("http://evil.example", {}, here)).toBe(403);
    for (const name of ["x-forwarded-for", "forwarded", "x-real-ip", "via"]) {
      expect(await answerTo(base, { [name]: "192.0.2.7" }, here), name).toBe(403);
    }
  });
});

describe("a client that is not known", () => {
  test("gets 401 for every path, and nothing of its body is read", async () => {
    await using opened = await openStage({ authenticate: byToken });
    const { stage } = opened;
    for (const path of [`${poet}/calls`, "/nowhere", "/agents/hidden/x/calls"]) {
      const response = await stage.ask("POST", path, { body: sea });
      expect(await problemOf(response)).toEqual([401, "not-authorized"]);
      expect(response.headers.get("www-authenticate")).toBe("Bearer");
    }
    const body = new ReadableStream(
      {
        pull() {
          throw new Error("must not be read");
        },
      },
      { highWaterMark: 0 },
    );
    const given = { method: "POST", body, duplex: "half" as const, headers: { "content-type": "application/json" } };
    expect((await stage.gateway.fetch(new Request(`${base}${poet}/calls`, given))).status).toBe(401);
    expect(stage.poetry.keys).toEqual([]);
  });

  test("is known by an authenticator of troupe/security", async () => {
    const authenticate = tokenAuthenticator({ tokens: [{ name: "ada", token: "6f1d0c5a98b24e73" }] });
    await using opened = await openStage({ authenticate });
    const { stage } = opened;
    expect((await stage.ask("POST", `${poet}/calls`, { body: sea, headers: as("6f1d0c5a98b24e73") })).status).toBe(200);
    expect((await stage.ask("POST", `${poet}/calls`, { body: sea, headers: as("6f1d0c5a98b24e74") })).status).toBe(401);
  });

  test("is refused when the authenticator fails, answers with no name, or never answers", async () => {
    const clock = new ManualClock();
    const fails = [
      () => Promise.reject(new Error("the directory is down")),
      () => ({ name: "" }),
      () => ({ name: "a\nb" }),
      () => ({ name: "x".repeat(241) }),
    ];
    for (const authenticate of fails) {
      await using opened = await openStage({ authenticate });
      expect((await opened.stage.ask("POST", `${poet}/calls`, { body: sea })).status).toBe(401);
    }
    await using opened = await openStage({ authenticate: () => new Promise(() => undefined), clock });
    const answer = opened.stage.ask("POST", `${poet}/calls`, { body: sea });
    await Promise.resolve();
    clock.advance(30_000);
    expect((await answer).status).toBe(401);
  });
});

describe("what a principal may do", () => {
  test("is what may says: any other value than true refuses, and the agent hears nothing", async () => {
    const asked: unknown[] = [];
    const answers = [false, undefined, "yes", Promise.resolve(false)];
    for (const answer of answers) {
      // A function of plain JavaScript returns anything.
      const may = (ask: unknown) => {
        asked.push(ask);
        return answer as boolean;
      };
      await using opened = await openStage({ authenticate: byToken, may });
      const { stage } = opened;
      const response = await stage.ask("POST", `${poet}/calls`, { body: sea, headers: as("ada") });
      expect(await problemOf(response)).toEqual([403, "not-authorized"]);
      expect(stage.poetry.keys).toEqual([]);
    }
    const ask = { principal: { name: "ada" }, action: "call", target: "poet/default", messageType: "AskPoem" };
    expect(asked[0]).toEqual(ask);
  });

  test("every action is asked about by its name", async () => {
    const actions: string[] = [];
    const may = ({ action }: { readonly action: string }) => {
      actions.push(action);
      return false;
    };
    await using opened = await openStage({ may });
    const { stage } = opened;
    const asks = [
      ["POST", `${poet}/calls`, sea],
      ["POST", `${poet}/streams`, sea],
      ["PUT", `${poet}/runs/one`, sea],
      ["GET", `${poet}/runs/one`],
      ["HEAD", `${poet}/runs/one`],
      ["DELETE", `${poet}/runs/one`],
      ["GET", "/topics/news/tech"],
      ["POST", "/topics/news/tech", { type: "News", message: { text: "x" } }],
    ] as const;
    for (const [method, path, body] of asks) {
      expect((await stage.ask(method, path, body === undefined ? {} : { body })).status, `${method} ${path}`).toBe(403);
    }
    const reads = ["read-run", "read-run", "cancel-run"];
    expect(actions).toEqual(["call", "stream", "run", ...reads, "subscribe", "publish"]);
  });

  test("key decides which agent a principal reaches, and undefined refuses", async () => {
    const key = ({
      principal,
      key,
    }: {
      readonly principal?: { readonly name: string } | undefined;
      readonly key: string;
    }) => (key === "mine" ? principal?.name : undefined);
    await using opened = await openStage({ authenticate: byToken, expose: { poet: { messages: [AskPoem], key } } });
    const { stage } = opened;
    await stage.ask("POST", "/agents/poet/mine/calls", { body: sea, headers: as("ada") });
    const other = await stage.ask("POST", "/agents/poet/bob/calls", { body: sea, headers: as("ada") });
    expect(other.status).toBe(403);
    expect(stage.poetry.keys).toEqual(["ada"]);
  });

  test("a run of another principal is 404 to read, to end and to ask about, and its id is taken", async () => {
    await using opened = await openStage({ authenticate: byToken });
    const { stage } = opened;
    await stage.ask("PUT", `${poet}/runs/one`, { body: waits, headers: as("ada") });
    for (const method of ["GET", "HEAD", "DELETE"]) {
      expect((await stage.ask(method, `${poet}/runs/one`, { headers: as("bob") })).status, method).toBe(404);
    }
    const start = await stage.ask("PUT", `${poet}/runs/one`, { body: waits, headers: as("bob") });
    expect(await problemOf(start)).toEqual([409, "already-exists"]);
    const mine = await stage.ask("HEAD", `${poet}/runs/one`, { headers: as("ada") });
    expect(mine.headers.get("troupe-run-status")).toBe("working");
  });
});

describe("pages of other sites", () => {
  const evil = { origin: "https://evil.example" };

  test("may not ask: no origin, no site and no preflight that is not listed", async () => {
    await using opened = await openStage({ origins: ["https://app.example.com"] });
    const { stage } = opened;
    const headers = [
      evil,
      { origin: "null" },
      { "sec-fetch-site": "cross-site" },
      { "sec-fetch-site": "same-site" },
      { cookie: "session=1" },
    ];
    for (const one of headers) {
      const response = await stage.ask("POST", `${poet}/calls`, { body: sea, headers: one });
      expect(response.status, JSON.stringify(one)).toBe(403);
      expect(response.headers.has("access-control-allow-origin")).toBe(false);
    }
    expect((await stage.ask("OPTIONS", `${poet}/calls`, { headers: evil })).status).toBe(403);
    expect(stage.poetry.keys).toEqual([]);
  });

  test("may ask from a listed origin and from the gateway's own site", async () => {
    await using opened = await openStage({ origins: ["https://app.example.com"] });
    const { stage } = opened;
    const app = { origin: "https://app.example.com", "sec-fetch-site": "cross-site" };
    const preflight = await stage.ask("OPTIONS", `${poet}/calls`, { headers: app });
    expect(preflight.headers.get("access-control-allow-headers")).toContain("authorization");
    const response = await stage.ask("POST", `${poet}/calls`, { body: sea, headers: app });
    expect([response.status, response.headers.get("access-control-allow-origin")]).toEqual([200, app.origin]);
    expect(response.headers.has("access-control-allow-credentials")).toBe(false);
    const own = await stage.ask("POST", `${poet}/calls`, {
      body: sea,
      headers: { origin: base, cookie: "session=1", "sec-fetch-site": "same-origin" },
    });
    expect([own.status, own.headers.has("access-control-allow-origin")]).toEqual([200, false]);
  });

  test("can't send what a form sends", async () => {
    await using opened = await openStage();
    const { stage } = opened;
    for (const type of [
      "text/plain",
      "application/x-www-form-urlencoded",
      "multipart/form-data",
      "application/jsonx",
    ]) {
      const response = await stage.ask("POST", `${poet}/calls`, { body: sea, headers: { "content-type": type } });
      expect(response.status, type).toBe(415);
    }
  });
});

describe("bodies and paths", () => {
  test("a body beyond its bound is 413, whether its length is told or not, and is read no further", async () => {
    await using opened = await openStage({ limits: { maxBodyBytes: 1_000 } });
    const { stage } = opened;
    const told = await stage.ask("POST", `${poet}/calls`, {
      body: { type: "AskPoem", message: { topic: "x".repeat(1_000) } },
    });
    expect(await problemOf(told)).toEqual([413, "message-too-large"]);
    let pulled = 0;
    const body = new ReadableStream(
      {
        pull(controller) {
          pulled += 1;
          controller.enqueue(new Uint8Array(400));
        },
      },
      { highWaterMark: 0 },
    );
    const given = { method: "POST", body, duplex: "half" as const, headers: { "content-type": "application/json" } };
    expect((await stage.gateway.fetch(new Request(`${base}${poet}/calls`, given), local)).status).toBe(413);
    expect(pulled).toBe(3);
  });

  test("what is no message is 400, and nothing reaches an agent", async () => {
    await using opened = await openStage();
    const { stage } = opened;
    const bodies = [
      [],
      "x",
      null,
      {},
      { type: "AskPoem" },
      { type: 7, message: {} },
      { type: "AskPoem", message: { topic: 7 } },
      { type: "AskPoem", message: "sea" },
      { ...sea, timeoutMs: "1" },
      { ...sea, timeoutMs: 0 },
    ];
    for (const body of bodies) {
      expect((await stage.ask("POST", `${poet}/calls`, { body })).status, JSON.stringify(body)).toBe(400);
    }
    expect((await stage.ask("POST", "/agents/poet/%ff/calls", { body: sea })).status).toBe(400);
    expect((await stage.ask("POST", "/agents/poet//calls", { body: sea })).status).toBe(400);
    expect((await stage.ask("POST", `/agents/poet/${"k".repeat(1_025)}/calls`, { body: sea })).status).toBe(400);
    expect((await stage.ask("POST", `/agents/poet/${"k".repeat(20_000)}/calls`, { body: sea })).status).toBe(414);
    expect((await stage.ask("PUT", `${poet}/runs/${"r".repeat(257)}`, { body: sea })).status).toBe(400);
    expect(stage.poetry.keys).toEqual([]);
  });

  test("a name with a control character is 400: of an agent, a topic, a run, a chat and a message of it", async () => {
    await using opened = await openStage({ expose: { poet: { messages: [AskPoem], chat: AskPoem } } });
    const { stage } = opened;
    const chatOf = (chat: string, id: string) => ({ id: chat, messages: [{ id, role: "user", parts: [] }] });
    const news = { type: "News", message: { text: "x" } };
    const asks = [
      ["POST", "/agents/poet/%00/calls", sea],
      ["POST", "/agents/poet/a%0Ab/calls", sea],
      ["PUT", `${poet}/runs/%00`, sea],
      ["POST", "/topics/news/%00", news],
      ["GET", "/topics/news/a%7F", undefined],
      ["GET", "/chat/poet/%00/stream", undefined],
      ["POST", "/chat/poet", chatOf("\0", "m")],
      ["POST", "/chat/poet", chatOf("c", "\0")],
    ] as const;
    for (const [method, path, body] of asks) {
      const response = await stage.ask(method, path, body === undefined ? {} : { body });
      expect(response.status, `${method} ${path} ${JSON.stringify(body)}`).toBe(400);
      expect(await response.text()).toMatch(/control character/);
    }
    expect(stage.poetry.keys).toEqual([]);
  });

  test("a message that is nested too deeply is told so", async () => {
    await using opened = await openStage();
    const deep = `{"type":"AskPoem","message":{"topic":${"[".repeat(200_000)}${"]".repeat(200_000)}}}`;
    const headers = { "content-type": "application/json" };
    const request = new Request(`${base}${poet}/calls`, { method: "POST", headers, body: deep });
    const response = await opened.stage.gateway.fetch(request, local);
    expect(await response.json()).toMatchObject({ status: 400, detail: "The message is nested too deeply." });
  });

  test("HEAD of the description is GET without its body", async () => {
    await using opened = await openStage();
    const [head, get] = [
      await opened.stage.ask("HEAD", "/openapi.json"),
      await opened.stage.ask("GET", "/openapi.json"),
    ];
    expect([head.status, await head.text()]).toEqual([200, ""]);
    expect([...head.headers]).toEqual([...get.headers]);
  });

  test("an error tells nothing of the agent, and the log tells it in one line", async () => {
    await using opened = await openStage();
    const { stage, logger } = opened;
    const response = await stage.ask("POST", `${poet}/calls`, {
      body: { type: "AskPoem", message: { topic: "fails" } },
    });
    expect(response.status).toBe(502);
    expect(await response.text()).not.toContain("1234");
    expect(logger.texts("warn")).toContain("a request of the web failed");
  });

  test("an answer of any kind has the headers that keep a browser from using it as a page", async () => {
    await using opened = await openStage();
    for (const path of ["/nowhere", "/openapi.json"]) {
      const { headers } = await opened.stage.ask("GET", path);
      expect([headers.get("x-content-type-options"), headers.get("cache-control")]).toEqual(["nosniff", "no-store"]);
      expect(headers.get("content-security-policy")).toContain("default-src 'none'");
    }
  });
});
