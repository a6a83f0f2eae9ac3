import { describe, expect, test } from "vitest";
import { AskPoem, allEvents, eventsOf, News, type OpenWorld, problemOf, Stage } from "./world.ts";

const poet = "/agents/poet/default";
const sea = { type: "AskPoem", message: { topic: "sea" } };
const waits = { type: "AskPoem", message: { topic: "waits" } };
const chunk = (text: string) => JSON.stringify({ type: "Line", message: { text } });
const answer = (text: string) => JSON.stringify({ type: "Poem", message: { text } });
const whole = [`chunk 0 ${chunk("sea 1")}`, `chunk 1 ${chunk("sea 2\nindented")}`, `answer end ${answer("on sea")}`];

interface OpenApi {
  readonly paths: object;
  readonly components: { readonly schemas: object };
  readonly servers: unknown;
}

/** What a gateway does over any runtime. */
export function describeRoutes(openWorld: OpenWorld): void {
  describe("calls and streams", () => {
    test("a call is answered by the answer as JSON, with its type in a header", async () => {
      await using stage = await Stage.open(openWorld);
      const response = await stage.ask("POST", `${poet}/calls`, { body: sea });
      expect([response.status, response.headers.get("troupe-type")]).toEqual([200, "Poem"]);
      expect(await response.json()).toEqual({ text: "on sea" });
    });

    test("a call without an answer is answered by 204", async () => {
      await using stage = await Stage.open(openWorld);
      const body = { type: "Forget", message: { topic: "sea" } };
      expect((await stage.ask("POST", `${poet}/calls`, { body })).status).toBe(204);
    });

    test("a call ends at the time that the client gives", async () => {
      await using stage = await Stage.open(openWorld);
      const response = await stage.ask("POST", `${poet}/calls`, { body: { ...waits, timeoutMs: 1 } });
      expect(await problemOf(response)).toEqual([504, "timed-out"]);
    });

    test("the key in the path names the agent, percent-encoded", async () => {
      await using stage = await Stage.open(openWorld);
      await stage.ask("POST", `/agents/poet/${encodeURIComponent("a/b ü")}/calls`, { body: sea });
      expect(stage.poetry.keys).toEqual(["a/b ü"]);
    });

    test("a stream sends each chunk as an event, then the answer", async () => {
      await using stage = await Stage.open(openWorld);
      const response = await stage.ask("POST", `${poet}/streams`, { body: sea });
      expect(response.headers.get("content-type")).toBe("text/event-stream; charset=utf-8");
      expect(await allEvents(response)).toEqual([
        `chunk - ${chunk("sea 1")}`,
        `chunk - ${chunk("sea 2\nindented")}`,
        `answer - ${answer("on sea")}`,
      ]);
    });

    test("a stream ends its handler when the client leaves", async () => {
      await using stage = await Stage.open(openWorld);
      const response = await stage.ask("POST", `${poet}/streams`, { body: waits });
      for await (const { data } of eventsOf(response)) {
        expect(data).toEqual({ type: "Line", message: { text: "waits 1" } });
        break;
      }
      expect(await stage.poetry.ended.take()).toBe("cancelled");
    });

    test("a stream whose handler fails ends with an error that does not tell its text", async () => {
      await using stage = await Stage.open(openWorld);
      const response = await stage.ask("POST", `${poet}/streams`, {
        body: { type: "AskPoem", message: { topic: "fails" } },
      });
      const events = await allEvents(response);
      expect(events).toHaveLength(2);
      expect(events[1]).toContain('"code":"handler-failed"');
      expect(events[1]).not.toContain("1234");
    });
  });

  describe("runs", () => {
    test("PUT starts a run with 201, and finds it with 200 when it is repeated", async () => {
      await using stage = await Stage.open(openWorld);
      const first = await stage.ask("PUT", `${poet}/runs/one`, { body: waits });
      const second = await stage.ask("PUT", `${poet}/runs/one`, { body: waits });
      expect([first.status, second.status]).toEqual([201, 200]);
      expect(await second.json()).toMatchObject({ id: "one", status: "working" });
      expect(stage.poetry.keys).toEqual(["default"]);
      const other = await stage.ask("PUT", `${poet}/runs/one`, { body: sea });
      expect(await problemOf(other)).toEqual([409, "already-exists"]);
    });

    test("GET reads a run from its beginning, from an offset, and behind the last event of the client", async () => {
      await using stage = await Stage.open(openWorld);
      await stage.ask("PUT", `${poet}/runs/one`, { body: sea });
      expect(await allEvents(await stage.ask("GET", `${poet}/runs/one`))).toEqual(whole);
      expect(await allEvents(await stage.ask("GET", `${poet}/runs/one?offset=1`))).toEqual(whole.slice(1));
      const behind = { headers: { "last-event-id": "1" } };
      expect(await allEvents(await stage.ask("GET", `${poet}/runs/one`, behind))).toEqual(whole.slice(2));
      const after = await stage.ask("GET", `${poet}/runs/one`, { headers: { "last-event-id": "end" } });
      expect(after.status).toBe(204);
    });

    test("a reader that leaves does not end a run, and another one reads on where it was", async () => {
      await using stage = await Stage.open(openWorld);
      await stage.ask("PUT", `${poet}/runs/one`, { body: waits });
      let last: string | undefined;
      for await (const { id } of eventsOf(await stage.ask("GET", `${poet}/runs/one`))) {
        last = id;
        break;
      }
      stage.poetry.gate.open();
      const response = await stage.ask("GET", `${poet}/runs/one`, { headers: { "last-event-id": last ?? "" } });
      expect(await allEvents(response)).toEqual([
        `chunk 1 ${chunk("waits 2\nindented")}`,
        `answer end ${answer("on waits")}`,
      ]);
    });

    test("HEAD tells how far a run is, and DELETE ends it", async () => {
      await using stage = await Stage.open(openWorld);
      await stage.ask("PUT", `${poet}/runs/one`, { body: waits });
      await stage.poetry.hasBegun.take();
      const head = await stage.ask("HEAD", `${poet}/runs/one`);
      expect(head.headers.get("troupe-run-status")).toBe("working");
      expect(head.headers.get("troupe-run-next")).toBe("1");
      const ended = await stage.ask("DELETE", `${poet}/runs/one`);
      expect(await ended.json()).toMatchObject({ status: "cancelled", code: "cancelled" });
      expect(await stage.poetry.ended.take()).toBe("cancelled");
      const events = await allEvents(await stage.ask("GET", `${poet}/runs/one`));
      expect(events.at(-1)).toContain('"code":"cancelled"');
    });

    test("a run that is not there is 404", async () => {
      await using stage = await Stage.open(openWorld);
      for (const method of ["GET", "DELETE"]) {
        expect(await problemOf(await stage.ask(method, `${poet}/runs/none`))).toEqual([404, "not-found"]);
      }
      expect((await stage.ask("HEAD", `${poet}/runs/none`)).status).toBe(404);
    });
  });

  describe("topics", () => {
    test("a subscriber gets the events of its topic, and of no other source or type", async () => {
      await using stage = await Stage.open(openWorld);
      const response = await stage.ask("GET", "/topics/news/tech");
      const publish = (source: string, text: string) =>
        stage.ask("POST", `/topics/news/${source}`, { body: { type: "News", message: { text } } });
      await publish("sport", "goal");
      expect((await publish("tech", "chip")).status).toBe(202);
      for await (const { event, data } of eventsOf(response)) {
        expect([event, data]).toEqual(["event", { type: "News", message: { text: "chip" } }]);
        break;
      }
    });

    test("a CloudEvent is published in binary and in structured mode", async () => {
      await using stage = await Stage.open(openWorld);
      const response = await stage.ask("GET", "/topics/news/tech");
      const binary = {
        "ce-id": "1",
        "ce-type": "news",
        "ce-source": "tech",
        "ce-specversion": "1.0",
        "ce-messagetype": "News",
      };
      const first = await stage.ask("POST", "/topics/news/tech", { body: { text: "binary" }, headers: binary });
      const event = { specversion: "1.0", id: "2", type: "news", source: "tech", messagetype: "News" };
      const second = await stage.ask("POST", "/topics/news/tech", {
        body: { ...event, data: { text: "structured" } },
        headers: { "content-type": "application/cloudevents+json" },
      });
      expect([first.status, second.status]).toEqual([202, 202]);
      const texts: unknown[] = [];
      for await (const { data } of eventsOf(response)) {
        texts.push(data);
        if (texts.length === 2) break;
      }
      expect(texts).toEqual(["binary", "structured"].map((text) => ({ type: "News", message: { text } })));
      const elsewhere = await stage.ask("POST", "/topics/news/sport", { body: { text: "x" }, headers: binary });
      expect(await problemOf(elsewhere)).toEqual([400, "invalid-message"]);
    });
  });

  test("openapi.json describes what is exposed, with the schemas of the messages", async () => {
    await using stage = await Stage.open(openWorld, {
      expose: { poet: { messages: [AskPoem] } },
      topics: { news: { subscribe: [News] } },
      basePath: "/api",
    });
    const response = await stage.ask("GET", "/api/openapi.json");
    // An OpenAPI document has these parts.
    const { paths, components, servers } = (await response.json()) as OpenApi;
    expect(Object.keys(paths)).toEqual([
      "/agents/poet/{key}/calls",
      "/agents/poet/{key}/streams",
      "/agents/poet/{key}/runs/{id}",
      "/topics/news/{source}",
    ]);
    expect(Object.keys(components.schemas)).toEqual(["AskPoem", "Poem", "Line", "News"]);
    expect(servers).toEqual([{ url: "/api" }]);
  });
}
