import { request } from "node:http";
import type { Socket } from "node:net";
import { TroupeError } from "../../../core/internal.ts";
import { RpcError, StatusCode } from "../../rpc-status.ts";
import { messageOf } from "../../system-error.ts";
import type { DialedConnection } from "./connection-setup.ts";

/** An HTTP proxy that opens tunnels. */
export interface Proxy {
  /** `host:port`, without the credentials. */
  readonly name: string;
  readonly host: string;
  readonly port: number;
  /** `user:password` for the proxy. */
  readonly credentials: string | undefined;
}

/** Reads `http://user:password@host:port`. The port is 80 by default. Throws `invalid-argument`. */
export function parseProxy(text: string): Proxy {
  // The text may hold a password, so the error does not show it.
  const url = typeof text === "string" && URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || url.protocol !== "http:" || url.hostname === "") {
    throw new TroupeError(
      "invalid-argument",
      "The option proxy must be the address of an HTTP proxy: http://host:port or http://user:password@host:port.",
    );
  }
  const port = url.port === "" ? 80 : Number(url.port);
  const user = decodeURIComponent(url.username);
  return {
    name: `${url.hostname}:${port}`,
    host: url.hostname.replace(/^\[|\]$/g, ""),
    port,
    credentials: user === "" ? undefined : `${user}:${decodeURIComponent(url.password)}`,
  };
}

/** Asks the proxy for a tunnel (HTTP CONNECT). Resolves to the connected socket; rejects with `RpcError` (unavailable). */
export function openTunnel(proxy: Proxy, { address, signal }: DialedConnection): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const fail = (why: string, cause?: unknown): void =>
      reject(new RpcError(StatusCode.unavailable, `The proxy ${proxy.name} ${why}`, { cause }));
    const asking = request({
      ...{ method: "CONNECT", host: proxy.host, port: proxy.port, path: address, agent: false, signal },
      headers: {
        host: address,
        ...(proxy.credentials !== undefined && {
          "proxy-authorization": `Basic ${Buffer.from(proxy.credentials).toString("base64")}`,
        }),
      },
    });
    asking.once("connect", ({ statusCode = 0, statusMessage = "" }, socket: Socket, head) => {
      if (statusCode < 200 || statusCode > 299) {
        socket.destroy();
        fail(`refused a tunnel to ${address}: ${statusCode} ${statusMessage}`.trimEnd());
        return;
      }
      if (head.length > 0) socket.unshift(head);
      resolve(socket);
    });
    asking.once("response", (response) => {
      response.destroy();
      fail(`does not open tunnels: it answered CONNECT with ${response.statusCode}.`);
    });
    asking.once("error", (error) => fail(`gave no tunnel to ${address}: ${messageOf(error)}`, error));
    asking.end();
  });
}
