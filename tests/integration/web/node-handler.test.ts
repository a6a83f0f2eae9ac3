import { request as httpRequest } from "node:http";
import { describe, expect, test } from "vitest";
import { allEvents, eventsOf } from "../../contract/gateway/world.ts";
import { sendRaw, serve } from "./served.ts";

const poet = "/agents/poet/default";
const sea = { type: "AskPoem", message: { topic: "sea" } };
const waits = { type: "AskPoem", message: { topic: "waits" } };

describe("a gateway in a server of node:http", () => {
  test("answers calls and streams of clients on this machine", async () => {
    await using serving = await serve();
    const call = await serving.post(`${poet}/calls`, sea);
    expect([call.status, await call.json()]).toEqual([200, { text: "on sea" }]);
    expect(await allEvents(await serving.post(`${poet}/streams`, sea))).toHaveLength(3);
  });

  test("ends the handler of a stream when the connection ends", async () => {
    await using serving = await serve();
    const leaves = new AbortController();
    const response = await serving.post(`${poet}/streams`, waits, leaves.signal);
    const events = eventsOf(response);
    expect((await events.next()).value?.event).toBe("chunk");
    leaves.abort();
    expect(await serving.stage.poetry.ended.take()).toBe("cancelled");
  });

  test("ends the handler of a call when the client leaves before its answer", async () => {
    await using serving = await serve();
    const leaves = new AbortController();
    const response = serving.post(`${poet}/calls`, waits, leaves.signal);
    await serving.stage.poetry.hasBegun.take();
    leaves.abort();
    await expect(response).rejects.toThrow();
    expect(await serving.stage.poetry.ended.take()).toBe("cancelled");
  });

  test("closes the connection of a body that is too long, and reads no more of it", async () => {
    await using serving = await serve();
    const { port } = serving;
    const status = await new Promise((resolve, reject) => {
      const headers = { "content-type": "application/json", "content-length": String(2 ** 30) };
      const asked = httpRequest(
        { port, host: "127.0.0.1", method: "POST", path: `${poet}/calls`, headers },
        (response) => {
          resolve([response.statusCode, response.headers.connection]);
          response.destroy();
        },
      );
      asked.on("error", reject);
      asked.write("{");
    });
    expect(status).toEqual([413, "close"]);
  });

  test("refuses another name of this machine's address, and survives addresses that are none", async () => {
    await using serving = await serve();
    const { port } = serving;
    const ask = (target: string, host: string) => sendRaw(port, `GET ${target} HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
    expect(await ask("/openapi.json", "evil.example")).toBe("HTTP/1.1 403 Forbidden");
    expect(await ask("/openapi.json", "user@127.0.0.1")).toBe("HTTP/1.1 400 Bad Request");
    expect(await ask("/openapi.json", "[::")).toBe("HTTP/1.1 400 Bad Request");
    expect(await ask("//evil.example/x", "127.0.0.1")).toBe("HTTP/1.1 404 Not Found");
    expect(await ask("/openapi.json", "127.0.0.1")).toBe("HTTP/1.1 200 OK");
  });
});
