import { once } from "node:events";
import { createServer } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import { toNodeHandler } from "troupe/web";
import { describe, expect, onTestFinished, test } from "vitest";
import { Inbox } from "../../support/inbox.ts";
import { serve } from "./served.ts";

const poet = "/agents/poet/default";

function post(path: string, topic: string): string {
  const body = JSON.stringify({ type: "AskPoem", message: { topic } });
  return `POST ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
}

const get = (path: string) => `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n`;

async function open(port: number): Promise<Socket> {
  const socket = connect(port, "127.0.0.1");
  // The server may end it.
  socket.on("error", () => undefined);
  await once(socket, "connect");
  return socket;
}

/** A server whose answers never come, and the requests that it has begun with. */
async function serveNothing() {
  const asked = new Inbox<string>();
  const left = new Inbox<string>();
  const fetch = ({ url, signal }: Request) => {
    const { pathname } = new URL(url);
    asked.put(pathname);
    return new Promise<Response>((_, reject) => {
      signal.addEventListener("abort", () => {
        left.put(pathname);
        reject(new Error("left"));
      });
    });
  };
  const server = createServer(toNodeHandler({ fetch }));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  // A server that listens on TCP has such an address.
  const { port } = server.address() as AddressInfo;
  return { server, port, asked, left };
}

describe("requests that a client sends before it has an answer", () => {
  test("are answered one after the other, in their order", async () => {
    await using serving = await serve();
    const socket = await open(serving.port);
    socket.write(post(`${poet}/calls`, "waits") + post(`${poet}/calls`, "sea") + post(`${poet}/calls`, "sky"));
    await serving.stage.poetry.hasBegun.take();
    expect(serving.stage.poetry.keys).toHaveLength(1);
    serving.stage.poetry.gate.open();
    let text = "";
    while (!text.includes("on sky")) text += String((await once(socket, "data"))[0]);
    expect(text.match(/on \w+/g)).toEqual(["on waits", "on sea", "on sky"]);
    socket.destroy();
  });

  test("never begin when the connection ends before their turn", async () => {
    const { server, port, asked, left } = await serveNothing();
    const accepted = once(server, "connection");
    const socket = await open(port);
    // The event has the connection as its one argument.
    const [served] = (await accepted) as [Socket];
    let received = 0;
    const all = new Promise<void>((resolve) => {
      server.on("request", () => {
        received += 1;
        if (received === 4) resolve();
      });
    });
    socket.write(get("/1") + get("/2") + get("/3") + get("/4"));
    await all;
    expect(await asked.take()).toBe("/1");
    const closed = once(served, "close");
    socket.destroy();
    await closed;
    expect(await left.take()).toBe("/1");
    await new Promise(setImmediate);
    expect(asked.rest).toEqual([]);
  });

  test("end the connection when more than 32 wait", async () => {
    const { port, asked, left } = await serveNothing();
    const within = await open(port);
    within.write(get("/within").repeat(33));
    expect(await asked.take()).toBe("/within");
    const beyond = await open(port);
    const closed = once(beyond, "close");
    beyond.write(get("/beyond").repeat(34));
    expect(await asked.take()).toBe("/beyond");
    await closed;
    expect(await left.take()).toBe("/beyond");
    expect(within.destroyed).toBe(false);
    within.destroy();
    expect(await left.take()).toBe("/within");
  });
});
