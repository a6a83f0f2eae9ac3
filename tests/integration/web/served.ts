import { createServer, type Server } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { type GatewayOptions, toNodeHandler } from "troupe/web";
import type { Stage } from "../../contract/gateway/world.ts";
import { openStage } from "./web-stage.ts";

/** A gateway in a server of Node.js. */
export interface Serving extends AsyncDisposable {
  readonly stage: Stage;
  readonly server: Server;
  readonly port: number;
  post(path: string, body: unknown, signal?: AbortSignal): Promise<Response>;
}

export async function serve(options: GatewayOptions = {}): Promise<Serving> {
  const opened = await openStage(options);
  const server = createServer(toNodeHandler(opened.stage.gateway));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  // A server that listens on TCP has such an address.
  const { port } = server.address() as AddressInfo;
  return {
    stage: opened.stage,
    server,
    port,
    post: (path, body, signal) =>
      fetch(`http://127.0.0.1:${port}${path}`, {
        method: "POST",
        body: JSON.stringify(body),
        headers: { "content-type": "application/json" },
        ...(signal === undefined ? {} : { signal }),
      }),
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      await opened[Symbol.asyncDispose]();
    },
  };
}

/** Sends bytes, and returns the first line of the answer. */
export function sendRaw(port: number, text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, "127.0.0.1", () => socket.write(text));
    socket.once("data", (data) => {
      socket.destroy();
      resolve(data.toString().split("\r\n")[0] ?? "");
    });
    socket.once("error", reject);
  });
}
