import { readFile } from "node:fs/promises";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { extname, join } from "node:path";
import { Prompt, ReadChat } from "troupe/ai";
import { GrpcWorkerAgentRuntime, GrpcWorkerAgentRuntimeHost } from "troupe/grpc";
import { MemoryStateStore } from "troupe/storage";
import { createGateway, toNodeHandler } from "troupe/web";
import { ChatChanged } from "../messages.ts";
import { KeptProgram } from "./programs.ts";

const root = join(import.meta.dirname, "../..");

export interface ServedChat extends AsyncDisposable {
  readonly url: string;
  /** The worker of the agents that think. */
  readonly thinkers: KeptProgram;
  /** The Python worker. */
  readonly forecaster: KeptProgram;
  /** Ends every connection of the pages, as a network does. */
  cutConnections(): void;
}

export interface ServeChatOptions {
  readonly port: number;
  readonly python: string;
  /** The Python program of the forecaster. */
  readonly forecasterFile?: string;
}

/** Starts a host, its two workers, and a server with the page and a gateway. */
export async function serveChat(options: ServeChatOptions): Promise<ServedChat> {
  const { port, python, forecasterFile = "forecaster.py" } = options;
  const parts: AsyncDisposable[] = [];
  const opened = <Part extends AsyncDisposable>(part: Part): Part => {
    parts.unshift(part);
    return part;
  };
  const close = async () => {
    for (const part of parts.splice(0)) await part[Symbol.asyncDispose]();
  };
  try {
    const host = opened(new GrpcWorkerAgentRuntimeHost("127.0.0.1:0", { stateStore: new MemoryStateStore() }));
    await host.start();
    const forecasterProgram = [join(root, forecasterFile), host.address];
    const forecaster = opened(new KeptProgram(python, forecasterProgram, { readyLine: "the forecaster is ready" }));
    const thinkersProgram = ["--import", "tsx", join(root, "src/server/thinkers.ts"), host.address];
    const thinkers = opened(
      new KeptProgram(process.execPath, thinkersProgram, { readyLine: "the thinkers are ready" }),
    );
    await Promise.all([forecaster.ready(), thinkers.ready()]);

    const runtime = opened(new GrpcWorkerAgentRuntime(host.address));
    await runtime.start();
    const gateway = createGateway(runtime, {
      expose: { concierge: { messages: [], chat: Prompt, history: ReadChat } },
      topics: { chats: { subscribe: [ChatChanged] } },
      basePath: "/api",
    });
    opened(gateway);
    const api = toNodeHandler(gateway);
    const server = createServer((request, response) =>
      request.url?.startsWith("/api/") ? api(request, response) : servePage(request, response),
    );
    await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
    const closeServer = () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      });
    opened({ [Symbol.asyncDispose]: closeServer });
    // A server that listens on TCP has such an address.
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const cutConnections = () => server.closeAllConnections();
    return { url, thinkers, forecaster, cutConnections, [Symbol.asyncDispose]: close };
  } catch (error) {
    await close();
    throw error;
  }
}

const types: Record<string, string> = { ".html": "text/html", ".js": "text/javascript", ".css": "text/css" };

/** Sends what `vite build` has made. */
const servePage: RequestListener = async ({ url = "/" }, response) => {
  const [, name = "index.html"] = /^\/(assets\/[\w.-]+)$/.exec(url) ?? [];
  try {
    const file = await readFile(join(root, "dist", name));
    response.setHeader("content-type", types[extname(name)] ?? "application/octet-stream").end(file);
  } catch {
    response.writeHead(404).end();
  }
};
