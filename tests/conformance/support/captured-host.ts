import { once } from "node:events";
import {
  constants,
  createServer,
  type Http2Server,
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from "node:http2";
import type { AddressInfo } from "node:net";
import { Inbox } from "../../support/inbox.ts";
import { framed, messagesOf } from "./grpc-framing.ts";
import { type CapturedEnd, pythonWire } from "./python-wire.ts";

/** What the host answers to a unary call: a message and OK, or a refusal in trailers alone. */
export type HostAnswer = { readonly message: Uint8Array } | { readonly refusal: CapturedEnd };

/** One unary call that a worker made. */
export interface WorkerCall {
  readonly method: string;
  readonly headers: IncomingHttpHeaders;
  readonly request: Uint8Array;
}

/** How the worker's data channel went away. */
export interface ChannelEnd {
  readonly isHalfClosed: boolean;
  readonly resetCode: number;
}

/** The worker's data channel as the host holds it. Without headers until the host has something to say, as Python's. */
export interface HostChannel {
  readonly headers: IncomingHttpHeaders;
  readonly inbox: Inbox<Uint8Array>;
  readonly ended: Promise<ChannelEnd>;
  write(message: Uint8Array): void;
}

/** Python's host as the capture shows it: bare HTTP/2, the captured settings and headers, and answers as it is told. */
export class CapturedHost implements AsyncDisposable {
  readonly calls: WorkerCall[] = [];
  readonly channels = new Inbox<HostChannel>();
  readonly #server: Http2Server;
  readonly #sessions = new Set<ServerHttp2Session>();
  readonly #answer: (call: WorkerCall) => HostAnswer;

  private constructor(answer: (call: WorkerCall) => HostAnswer) {
    this.#answer = answer;
    const { headerTableSize, initialWindowSize, maxFrameSize, maxHeaderListSize, maxConcurrentStreams } =
      pythonWire.http2Settings.server;
    this.#server = createServer({
      settings: { headerTableSize, initialWindowSize, maxFrameSize, maxHeaderListSize, maxConcurrentStreams },
    });
    this.#server.on("session", (session) => this.#sessions.add(session));
    this.#server.on("stream", (stream, headers) => this.#take(stream, headers));
  }

  static async start(answer: (call: WorkerCall) => HostAnswer): Promise<CapturedHost> {
    const host = new CapturedHost(answer);
    host.#server.listen(0, "127.0.0.1");
    await once(host.#server, "listening");
    return host;
  }

  get address(): string {
    // A TCP server that listens has an address of this form.
    const { port } = this.#server.address() as AddressInfo;
    return `127.0.0.1:${port}`;
  }

  /** What the worker has asked by unary calls of these methods, in order. */
  requests(...methods: string[]): readonly Uint8Array[] {
    return this.calls.filter(({ method }) => methods.includes(method)).map(({ request }) => request);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.#server, "close");
    for (const session of this.#sessions) session.destroy();
    this.#server.close();
    await closed;
  }

  #take(stream: ServerHttp2Stream, headers: IncomingHttpHeaders): void {
    const method = String(headers[":path"]).replace("/agents.AgentRpc/", "");
    // A worker that goes away resets its streams; how it did is told by `ended`.
    stream.on("error", () => {});
    if (method === "OpenChannel") this.channels.put(openChannel(stream, headers));
    else if (method === "OpenControlChannel") messagesOf(stream);
    else void this.#serve(stream, method, headers);
  }

  async #serve(stream: ServerHttp2Stream, method: string, headers: IncomingHttpHeaders): Promise<void> {
    const inbox = messagesOf(stream);
    await once(stream, "end");
    const call = { method, headers, request: await inbox.take() };
    this.calls.push(call);
    const answer = this.#answer(call);
    if ("refusal" in answer) {
      const { grpcStatus, grpcMessage } = answer.refusal;
      const status = { "grpc-status": String(grpcStatus), "grpc-message": grpcMessage };
      stream.respond({ ":status": 200, "content-type": "application/grpc", ...status }, { endStream: true });
      return;
    }
    stream.respond(responseHeaders(), { waitForTrailers: true });
    stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0", "grpc-message": "" }));
    stream.end(framed(answer.message));
  }
}

function openChannel(stream: ServerHttp2Stream, headers: IncomingHttpHeaders): HostChannel {
  let isHalfClosed = false;
  stream.on("end", () => {
    isHalfClosed = !stream.aborted;
  });
  return {
    headers,
    inbox: messagesOf(stream),
    ended: once(stream, "close").then(() => ({
      isHalfClosed,
      resetCode: stream.rstCode ?? constants.NGHTTP2_NO_ERROR,
    })),
    write: (message) => {
      if (!stream.headersSent) stream.respond(responseHeaders());
      stream.write(framed(message));
    },
  };
}

function responseHeaders(): OutgoingHttpHeaders {
  const headers: OutgoingHttpHeaders = {};
  for (const [name, value] of pythonWire.responseHeaders) headers[name] = name === ":status" ? Number(value) : value;
  return headers;
}
