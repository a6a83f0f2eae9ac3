import type { ServerHttp2Session } from "node:http2";
import { formatHost } from "../address.ts";
import { describeLoss } from "../system-error.ts";
import { startKeepAlive } from "./keep-alive.ts";

/** One client's connection, seen from the server. */
export class ServerSession {
  /** `host:port` of the client, for logs. */
  readonly peer: string;
  readonly #http2: ServerHttp2Session;
  #reason: string | undefined;

  constructor(http2: ServerHttp2Session) {
    this.#http2 = http2;
    const { remoteAddress, remotePort } = http2.socket;
    this.peer = remoteAddress === undefined ? "local socket" : `${formatHost(remoteAddress)}:${remotePort}`;
    http2.on("error", (error) => {
      this.#reason ??= describeLoss(this.peer, error);
    });
  }

  /** Why the connection is gone; undefined while it stands. */
  readonly lossReason = (): string | undefined => {
    if (!this.#http2.destroyed) return undefined;
    return this.#reason ?? `${this.peer} closed the connection.`;
  };

  /** From now on a client that is silent for too long counts as gone. */
  watch(keepAliveMs: number, keepAliveTimeoutMs: number): void {
    const onDead = (): void =>
      this.cut(`${this.peer} did not answer a keep-alive ping within ${keepAliveTimeoutMs} ms.`);
    const stop = startKeepAlive(this.#http2, { intervalMs: keepAliveMs, timeoutMs: keepAliveTimeoutMs, onDead });
    this.#http2.once("close", stop);
  }

  /** No new calls; the connection ends with its last one. */
  goAway(): void {
    this.#http2.close();
  }

  /** Ends the connection and with it every call. */
  cut(reason: string): void {
    this.#reason ??= reason;
    this.#http2.destroy();
  }
}
