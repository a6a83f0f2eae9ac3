import type { IncomingMessage, ServerResponse } from "node:http";
import { Readable } from "node:stream";
import { TLSSocket } from "node:tls";
import { TroupeError } from "../core/internal.ts";
import { partyOf } from "../transport/accounting/internal.ts";
import type { Gateway } from "./gateway.ts";
import { isFirst, untilFirst } from "./pipelined.ts";
import { UnreadAnswers } from "./unread-answers.ts";

/** Milliseconds after which a client that takes nothing of its answer loses its connection. */
const unreadMs = 60_000;
const drains = ["drain", "finish", "close"] as const;

/**
 * Makes a handler for `createServer` of `node:http` and `node:https`, and for frameworks that take such a handler. It tells the gateway the address of each
 * client.
 *
 * @example
 * ```ts
 * createServer(toNodeHandler(gateway)).listen(8080, "127.0.0.1");
 * ```
 */
export function toNodeHandler(
  gateway: Pick<Gateway, "fetch">,
): (request: IncomingMessage, response: ServerResponse) => void {
  if (typeof gateway?.fetch !== "function") {
    throw new TroupeError(
      "invalid-argument",
      "toNodeHandler takes a gateway: toNodeHandler(createGateway(runtime, options)).",
    );
  }
  return handlerWithin(gateway, new UnreadAnswers());
}

/** Makes such a handler, whose answers wait within these bounds for their clients. */
export function handlerWithin(
  { fetch }: Pick<Gateway, "fetch">,
  unread: UnreadAnswers,
): (request: IncomingMessage, response: ServerResponse) => void {
  return (request, response) => {
    // What fails here is the connection, or a request that is not one.
    answer(fetch, request, { response, unread }).catch(() => response.destroy());
  };
}

interface Answering {
  readonly response: ServerResponse;
  readonly unread: UnreadAnswers;
}

async function answer(fetch: Gateway["fetch"], incoming: IncomingMessage, answering: Answering): Promise<void> {
  const { response } = answering;
  if (!isFirst(response) && !(await untilFirst(incoming, response))) return;
  const gone = new AbortController();
  response.once("close", () => gone.abort());
  const request = requestOf(incoming, gone.signal);
  if (request === undefined) {
    response.writeHead(400, { connection: "close" }).end();
    return;
  }
  const answered = await fetch(request, { remoteAddress: incoming.socket.remoteAddress });
  if (response.destroyed) {
    await answered.body?.cancel();
    return;
  }
  // An unread body would be read to its end before the next request of the connection.
  const closes = !incoming.complete && hasBody(incoming) ? { connection: "close" } : {};
  response.writeHead(answered.status, { ...Object.fromEntries(answered.headers), ...closes });
  if (answered.body === null || incoming.method === "HEAD") {
    response.end();
    return;
  }
  response.flushHeaders();
  await send(answered.body.getReader(), answering, gone.signal);
}

async function send(
  reader: ReadableStreamDefaultReader<Uint8Array>,
  { response, unread }: Answering,
  gone: AbortSignal,
): Promise<void> {
  const party = partyOf(response.req.socket.remoteAddress);
  const taken = async (): Promise<void> => {
    const release = unread.add(party, response.writableLength, () => response.destroy());
    try {
      await drained(response, gone);
    } finally {
      release();
    }
  };
  const leave = (): void => void reader.cancel().catch(() => undefined);
  gone.addEventListener("abort", leave, { once: true });
  if (gone.aborted) leave();
  // The gateway ends a stream also while its reader takes nothing.
  reader.closed.catch(() => response.destroy());
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    if (!response.write(value)) await taken();
  }
  response.end();
  // A short answer is in one piece, and its reader may take nothing of that.
  if (!response.writableFinished) await taken();
}

/** Waits until the client has taken what was sent. A client that takes nothing loses its connection. */
function drained(response: ServerResponse, gone: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      clearTimeout(timer);
      for (const event of drains) response.off(event, end);
      gone.removeEventListener("abort", end);
      resolve();
    };
    const timer = setTimeout(() => response.destroy(), unreadMs);
    for (const event of drains) response.once(event, end);
    gone.addEventListener("abort", end, { once: true });
    if (gone.aborted) end();
  });
}

/** A host and a port, without what would be a path, a query or a name of a user in an address. */
const hostForm = /^[^\s/?#@\\]+$/;

/** Undefined: its address or its headers are not valid. */
function requestOf(incoming: IncomingMessage, signal: AbortSignal): Request | undefined {
  const { method = "GET", headers, url = "/", socket } = incoming;
  if (headers.host !== undefined && !hostForm.test(headers.host)) return undefined;
  const scheme = socket instanceof TLSSocket ? "https" : "http";
  try {
    // A path that begins with two slashes is still a path.
    const address = new URL(`${scheme}://${headers.host ?? "localhost"}${url.startsWith("/") ? url : "/"}`);
    const sent = new Headers();
    for (const [name, value] of Object.entries(headers)) {
      for (const one of Array.isArray(value) ? value : [value]) if (one !== undefined) sent.append(name, one);
    }
    if (!hasBody(incoming) || method === "GET" || method === "HEAD")
      return new Request(address, { method, headers: sent, signal });
    // `Readable.toWeb` returns the stream of `node:stream/web`, which is the global one.
    const body = Readable.toWeb(incoming) as ReadableStream<Uint8Array>;
    return new Request(address, { method, headers: sent, signal, body, duplex: "half" });
  } catch {
    return undefined;
  }
}

function hasBody({ headers }: IncomingMessage): boolean {
  return headers["transfer-encoding"] !== undefined || Number(headers["content-length"] ?? 0) > 0;
}
