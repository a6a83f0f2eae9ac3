import { getEventListeners } from "node:events";
import { createClient } from "troupe/client";
import { expect, test, vi } from "vitest";
import { allEvents } from "../../contract/gateway/world.ts";
import { ListenedSignals } from "../../support/listened-signals.ts";
import { as, byToken, openStage } from "./web-stage.ts";

const poet = "/agents/poet/default";
const sea = { type: "AskPoem", message: { topic: "sea" } };
const news = { type: "News", message: { text: "x" } };

test("a gateway that lives on keeps nothing of requests and streams that have ended", async () => {
  await using opened = await openStage({ authenticate: byToken });
  const { stage } = opened;
  const headers = as("ada");
  using listened = new ListenedSignals();
  expect((await stage.ask("POST", `${poet}/calls`, { body: sea, headers })).status).toBe(200);
  expect((await stage.ask("POST", `${poet}/calls`, { body: {}, headers })).status).toBe(400);
  expect((await stage.ask("GET", "/nowhere", { headers })).status).toBe(404);
  expect((await stage.ask("GET", "/nowhere")).status).toBe(401);
  expect(await allEvents(await stage.ask("POST", `${poet}/streams`, { body: sea, headers }))).toHaveLength(3);
  await stage.ask("PUT", `${poet}/runs/one`, { body: sea, headers });
  expect(await allEvents(await stage.ask("GET", `${poet}/runs/one`, { headers }))).toHaveLength(3);
  const topic = await stage.ask("GET", "/topics/news/tech", { headers });
  expect((await stage.ask("POST", "/topics/news/tech", { body: news, headers })).status).toBe(202);
  await topic.body?.cancel();
  // What a cancelled stream and an ended run let go of, they let go of in some turns.
  while (listened.left > 0) await new Promise(setImmediate);
  expect(listened.seen).toBeGreaterThan(5);
});

test("a signal of a page that lives on keeps nothing of the waits for another attempt", async () => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  try {
    let asked = 0;
    const lost: typeof fetch = () => {
      asked += 1;
      return Promise.reject(new TypeError("network error"));
    };
    const lives = new AbortController();
    const client = createClient({ url: "http://127.0.0.1:1", fetch: lost });
    const run = client.attach("poet/default", "one", { signal: lives.signal });
    const read = run[Symbol.asyncIterator]().next();
    read.catch(() => undefined);
    while (asked < 5) {
      await vi.advanceTimersToNextTimerAsync();
      expect(getEventListeners(lives.signal, "abort").length).toBeLessThanOrEqual(1);
    }
    lives.abort(new Error("left"));
    await expect(read).rejects.toThrow("left");
  } finally {
    vi.useRealTimers();
  }
});
