import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { build } from "esbuild";
import type { Browser, Page } from "playwright-core";
import { AgentId, defineMessage, handlerTable, RoutedAgent } from "troupe";
import { GrpcWorkerAgentRuntime, GrpcWorkerAgentRuntimeHost } from "troupe/grpc";
import { createGateway, toNodeHandler } from "troupe/web";
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { z } from "zod";
import { Gate } from "../../support/gate.ts";
import { noBrowser, startBrowser } from "../../support/page/browser.ts";

// On a loaded machine the browser takes long for what takes milliseconds here.
vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 });

const Line = defineMessage("Line", z.object({ text: z.string() }));
const Poem = defineMessage("Poem", z.object({ text: z.string() }));
const AskPoem = defineMessage("AskPoem", z.object({ topic: z.string() }), { answer: Poem, chunk: Line });
const News = defineMessage("News", z.object({ text: z.string() }));
const poet = new AgentId("poet", "default");

class Poet extends RoutedAgent {
  readonly #gate: Gate;

  static override readonly handlers = handlerTable<Poet>().rpc(AskPoem, async function* ({ topic }) {
    yield Line({ text: `${topic} 1` });
    await this.#gate.opened;
    yield Line({ text: `${topic} 2` });
    return Poem({ text: `on ${topic}` });
  });

  constructor(gate: Gate) {
    super("writes poems");
    this.#gate = gate;
  }
}

/** A host, a worker with the agents, and a worker with the gateway, which also serves a page with the client in it. */
class World implements AsyncDisposable {
  readonly gate = new Gate();
  readonly url: string;
  readonly #server: Server;
  readonly #parts: readonly { stop(): Promise<unknown> }[];
  readonly gatewayWorker: GrpcWorkerAgentRuntime;

  private constructor(
    url: string,
    server: Server,
    parts: readonly { stop(): Promise<unknown> }[],
    gatewayWorker: GrpcWorkerAgentRuntime,
    gate: Gate,
  ) {
    this.url = url;
    this.#server = server;
    this.#parts = parts;
    this.gatewayWorker = gatewayWorker;
    this.gate = gate;
  }

  static async open(): Promise<World> {
    const gate = new Gate();
    const host = new GrpcWorkerAgentRuntimeHost("127.0.0.1:0");
    await host.start();
    const agents = new GrpcWorkerAgentRuntime(host.address);
    const front = new GrpcWorkerAgentRuntime(host.address);
    await Promise.all([agents.start(), front.start()]);
    await Poet.register(agents, "poet", () => new Poet(gate));
    const expose = { poet: { messages: [AskPoem] } };
    const topics = { news: { subscribe: [News], publish: [News] } };
    const gateway = createGateway(front, { expose, topics, basePath: "/api" });
    const answer = toNodeHandler(gateway);
    const script = await clientScript();
    const server = createServer((request, response) => {
      if (request.url?.startsWith("/api/")) return answer(request, response);
      const isScript = request.url === "/client.js";
      response.setHeader("content-type", isScript ? "text/javascript" : "text/html");
      response.end(isScript ? script : `<!doctype html><title>A page</title><link rel="icon" href="data:,">`);
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    // A server that listens on TCP has such an address.
    const { port } = server.address() as AddressInfo;
    const parts = [{ stop: () => gateway.close() }, front, agents, host];
    return new World(`http://127.0.0.1:${port}`, server, parts, front, gate);
  }

  /** Ends every connection of the page, as a network does. */
  cutConnections(): void {
    this.#server.closeAllConnections();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.gate.open();
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
    for (const part of this.#parts) await part.stop();
  }
}

async function clientScript(): Promise<string> {
  const root = new URL("../../..", import.meta.url).pathname;
  const { outputFiles } = await build({
    ...{ bundle: true, minify: true, write: false, format: "esm", target: "es2022", platform: "browser" },
    ...{ entryPoints: ["src/client/index.ts"], absWorkingDir: root },
  });
  return outputFiles[0]?.text ?? "";
}

let browser: Browser;

beforeAll(async () => {
  if (noBrowser === undefined) browser = await startBrowser();
});

afterAll(async () => browser?.close());

/** Opens a page in which `client` is a client of the gateway. */
async function openPage(url: string): Promise<Page> {
  const page = await browser.newPage();
  await page.goto(url);
  await page.evaluate(
    `import("/client.js").then(({ createClient }) => { globalThis.client = createClient({ url: "/api" }); })`,
  );
  return page;
}

describe("the client in a browser, at a real host", () => {
  beforeEach((context) => {
    if (noBrowser !== undefined) context.skip(noBrowser);
  });

  test("calls an agent, reads a stream, and gets events", async () => {
    await using world = await World.open();
    world.gate.open();
    const page = await openPage(world.url);
    expect(await page.evaluate(`client.call("AskPoem", { topic: "sea" }, "poet/default")`)).toEqual({ text: "on sea" });
    const read = await page.evaluate(`(async () => {
      const stream = client.stream("AskPoem", { topic: "sky" }, "poet/default");
      const lines = [];
      for await (const { text } of stream) lines.push(text);
      return [...lines, (await stream.answer).text];
    })()`);
    expect(read).toEqual(["sky 1", "sky 2", "on sky"]);
    const event = await page.evaluate(`(async () => {
      const events = client.subscribe("news/tech")[Symbol.asyncIterator]();
      const first = events.next();
      let found;
      first.then(({ value }) => { found = value; });
      while (found === undefined) await client.publish("News", { text: "chip" }, "news/tech");
      return found;
    })()`);
    expect(event).toEqual({ type: "News", event: { text: "chip" } });
    await page.close();
  });

  test("reads a run on when its connection was cut, and again after the page was loaded anew", async () => {
    await using world = await World.open();
    const page = await openPage(world.url);
    await page.evaluate(`(async () => {
      globalThis.lines = [];
      const run = await client.run("AskPoem", { topic: "sea" }, "poet/default", { id: "one" });
      globalThis.ended = (async () => {
        for await (const { text } of run) lines.push(text);
        return (await run.answer).text;
      })();
    })()`);
    await page.waitForFunction("lines.length === 1");
    world.cutConnections();
    world.gate.open();
    expect(await page.evaluate("ended")).toBe("on sea");
    expect(await page.evaluate("lines")).toEqual(["sea 1", "sea 2"]);
    const other = await openPage(world.url);
    const again = await other.evaluate(`(async () => {
      const lines = [];
      for await (const { text } of client.attach("poet/default", "one")) lines.push(text);
      return lines;
    })()`);
    expect(again).toEqual(["sea 1", "sea 2"]);
    expect((await world.gatewayWorker.listRuns(poet, { owner: "web" })).runs).toHaveLength(1);
    await page.close();
    await other.close();
  });

  test("a page of another site is refused by the gateway, and its browser shows it no answer", async () => {
    await using world = await World.open();
    world.gate.open();
    await using elsewhere = await World.open();
    const page = await openPage(elsewhere.url);
    const asked = await page.evaluate(`fetch(${JSON.stringify(world.url)} + "/api/openapi.json").then(
      ({ status }) => status,
      ({ name }) => name,
    )`);
    expect(asked).toBe("TypeError");
    await page.close();
  });
});
