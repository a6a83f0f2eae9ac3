import { describe, expect, test } from "vitest";
import { AskPoem, allEvents, problemOf } from "../../contract/gateway/world.ts";
import { as, byToken, openStage } from "./web-stage.ts";

const poet = "/agents/poet/default";
const sea = { type: "AskPoem", message: { topic: "sea" } };
const waits = { type: "AskPoem", message: { topic: "waits" } };

describe("an offset", () => {
  test("that a run has not had is 410, and the next one of a run that works is not", async () => {
    await using opened = await openStage();
    const { stage } = opened;
    await stage.ask("PUT", `${poet}/runs/ended`, { body: sea });
    await allEvents(await stage.ask("GET", `${poet}/runs/ended`));
    await stage.ask("PUT", `${poet}/runs/works`, { body: waits });
    await stage.poetry.hasBegun.take();
    for (const run of ["ended", "works"]) {
      const path = `${poet}/runs/${run}`;
      const far = await stage.ask("GET", `${path}?offset=999999999999999`);
      expect(await problemOf(far), run).toEqual([410, "gone"]);
      const seen = await stage.ask("GET", path, { headers: { "last-event-id": "7" } });
      expect(await problemOf(seen), run).toEqual([410, "gone"]);
    }
    const next = await stage.ask("GET", `${poet}/runs/works?offset=1`);
    expect(next.status).toBe(200);
    stage.poetry.gate.open();
    expect(await allEvents(next)).toHaveLength(2);
    expect(await allEvents(await stage.ask("GET", `${poet}/runs/ended?offset=2`))).toHaveLength(1);
  });

  test("of another form is 400, as is such an id of an event", async () => {
    await using opened = await openStage();
    const { stage } = opened;
    await stage.ask("PUT", `${poet}/runs/one`, { body: sea });
    for (const offset of ["-1", "NaN", "1e3", "0x10", "", "%2B1", "1.5", "9".repeat(16)]) {
      const response = await stage.ask("GET", `${poet}/runs/one?offset=${offset}`);
      expect(await problemOf(response), offset).toEqual([400, "invalid-message"]);
    }
    for (const id of ["-1", "NaN", "", "1, 2", "END", "0 x"]) {
      const response = await stage.ask("GET", `${poet}/runs/one`, { headers: { "last-event-id": id } });
      expect(await problemOf(response), id).toEqual([400, "invalid-message"]);
    }
  });
});

test("a name that is too long for stores is 400 and says how long it may be: of a run and of the source of a topic", async () => {
  await using opened = await openStage();
  const { stage } = opened;
  const news = { type: "News", message: { text: "x" } };
  const asks = [
    ["PUT", `${poet}/runs/${"r".repeat(257)}`, sea, "1 to 256 characters"],
    ["GET", `${poet}/runs/${"r".repeat(10_000)}`, undefined, "1 to 256 characters"],
    ["GET", `/topics/news/${"s".repeat(1_025)}`, undefined, "1 to 1024 characters"],
    ["POST", `/topics/news/${"s".repeat(10_000)}`, news, "1 to 1024 characters"],
  ] as const;
  for (const [method, path, body, told] of asks) {
    const response = await stage.ask(method, path, body === undefined ? {} : { body });
    expect(response.status, path).toBe(400);
    expect(await response.text()).toContain(told);
  }
  expect((await stage.ask("POST", `/topics/news/${"s".repeat(1_024)}`, { body: news })).status).toBe(202);
  expect(stage.poetry.keys).toEqual([]);
});

test("names with slashes, blanks and characters of any script are whole names: of agents, runs and topics", async () => {
  await using opened = await openStage();
  const { stage } = opened;
  for (const name of ["a/b", "a%2Fb", "a b;*", "☃😀", "..%"]) {
    const coded = encodeURIComponent(name);
    expect((await stage.ask("PUT", `/agents/poet/${coded}/runs/${coded}`, { body: sea })).status, name).toBe(201);
    expect((await stage.ask("HEAD", `/agents/poet/${coded}/runs/${coded}`)).status, name).toBe(200);
    const reading = await stage.ask("GET", `/topics/news/${coded}`);
    const sent = await stage.ask("POST", `/topics/news/${coded}`, { body: { type: "News", message: { text: "x" } } });
    expect([reading.status, sent.status], name).toEqual([200, 202]);
    await reading.body?.cancel();
  }
  expect(stage.poetry.keys).toEqual(["a/b", "a%2Fb", "a b;*", "☃😀", "..%"]);
});

test("calls and runs of a type with chats reach no agent of another principal, unless key says otherwise", async () => {
  await using opened = await openStage({
    authenticate: byToken,
    expose: { poet: { messages: [AskPoem], chat: AskPoem } },
  });
  const { stage } = opened;
  for (const [name, key] of [
    ["ada", "trip-7"],
    ["bob", "ada:trip-7"],
    ["bob", "ada%3Atrip-7"],
    ["ada:trip-7", "x"],
  ] as const) {
    await stage.ask("POST", `/agents/poet/${key}/calls`, { body: sea, headers: as(name) });
  }
  expect(stage.poetry.keys).toEqual(["ada:trip-7", "bob:ada:trip-7", "bob:ada:trip-7", "ada%3Atrip-7:x"]);
});
