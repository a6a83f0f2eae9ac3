import {
  createServer,
  type Http2Server,
  type Http2Session,
  type IncomingHttpHeaders,
  type ServerHttp2Stream,
} from "node:http2";
import { decodeFrame, encodeFrame, type Frame } from "../../src/protocol/index.ts";
import {
  decodeAddSubscriptionRequest,
  decodeRegisterAgentRequest,
  decodeRemoveSubscriptionRequest,
} from "../../src/protocol/internal.ts";
import { Inbox } from "./inbox.ts";
import { listenOnFreePort } from "./listen-on-free-port.ts";

/**
 * How a call is answered: with a gRPC status alone, with an HTTP status as proxies do, with a reset of the stream, or not at all
 * yet.
 */
export type RawAnswer =
  | { readonly grpc: number; readonly text?: string }
  | { readonly http: number }
  | { readonly reset: number }
  | "take"
  | "wait";

/** One data channel at a raw host. */
export class RawChannel {
  readonly clientId: string;
  readonly session: Http2Session | undefined;
  readonly received = new Inbox<Frame>();
  /** Every frame so far, in order. */
  readonly frames: Frame[] = [];
  readonly ended: Promise<void>;
  /** The worker sends nothing more here. */
  readonly halfClosed: Promise<void>;
  readonly #stream: ServerHttp2Stream;
  #rest = Buffer.alloc(0);

  constructor(stream: ServerHttp2Stream, headers: IncomingHttpHeaders) {
    this.#stream = stream;
    this.session = stream.session;
    this.clientId = String(headers["client-id"]);
    this.ended = new Promise((resolve) => stream.once("close", resolve));
    this.halfClosed = new Promise((resolve) => stream.once("end", resolve));
    stream.on("data", (bytes: Buffer) => this.#read(bytes));
  }

  answer(answer: RawAnswer, headers: IncomingHttpHeaders = {}): void {
    answerWith(this.#stream, answer, headers);
  }

  send(frame: Frame): void {
    const bytes = encodeFrame(frame);
    const head = Buffer.alloc(5);
    head.writeUInt32BE(bytes.length, 1);
    this.#stream.write(Buffer.concat([head, bytes]));
  }

  #read(bytes: Buffer): void {
    this.#rest = Buffer.concat([this.#rest, bytes]);
    while (this.#rest.length >= 5) {
      const length = this.#rest.readUInt32BE(1);
      if (this.#rest.length < 5 + length) return;
      const frame = decodeFrame(this.#rest.subarray(5, 5 + length));
      this.#rest = this.#rest.subarray(5 + length);
      this.frames.push(frame);
      this.received.put(frame);
    }
  }
}

export interface RawUnary {
  readonly method: string;
  readonly clientId: string;
  readonly session: Http2Session | undefined;
  /** The number of its stream. */
  readonly stream: number;
  /** The agent type, or the id of the subscription. */
  readonly subject: string;
  /** Answers a call that waits. */
  readonly answer: (answer: RawAnswer) => void;
}

/** A host on bare `node:http2`, which does what a test says: it can refuse channels, answer as a proxy does, and send GOAWAY. */
export class RawGrpcHost implements AsyncDisposable {
  readonly channels = new Inbox<RawChannel>();
  readonly calls: RawUnary[] = [];
  readonly sessions: Http2Session[] = [];
  /** How a data channel is answered when it is opened. */
  onChannel: (channel: RawChannel) => RawAnswer = () => "take";
  /** The capability words of the answer to a data channel. */
  capabilities: string | undefined;
  /** How a unary call is answered. */
  onCall: (call: RawUnary) => RawAnswer = ({ method }) => (method === "AreYouThere" ? { grpc: 12 } : "take");
  readonly #server: Http2Server;
  #address = "";

  constructor() {
    this.#server = createServer();
    this.#server.on("session", (session) => {
      this.sessions.push(session);
      session.on("error", () => undefined);
    });
    this.#server.on("stream", (stream, headers) => this.#take(stream, headers));
  }

  async listen(): Promise<this> {
    this.#address = await listenOnFreePort(this.#server);
    return this;
  }

  get address(): string {
    return this.#address;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const session of this.sessions) session.destroy();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  #take(stream: ServerHttp2Stream, headers: IncomingHttpHeaders): void {
    stream.on("error", () => undefined);
    const method = String(headers[":path"]).split("/").at(-1) ?? "";
    const { session } = stream;
    if (method === "OpenChannel") {
      const channel = new RawChannel(stream, headers);
      const words = this.capabilities === undefined ? {} : { agcaps: this.capabilities };
      channel.answer(this.onChannel(channel), words);
      this.channels.put(channel);
      return;
    }
    if (method === "OpenControlChannel") {
      stream.resume();
      return answerWith(stream, { grpc: 12 });
    }
    const parts: Buffer[] = [];
    stream.on("data", (bytes: Buffer) => parts.push(bytes));
    stream.once("end", () => {
      const subject = subjectOf(method, Buffer.concat(parts).subarray(5));
      const answer = (how: RawAnswer) => answerCall(stream, how);
      const clientId = String(headers["client-id"]);
      const call = { ...{ method, clientId, session, subject, answer }, stream: stream.id ?? 0 };
      this.calls.push(call);
      answer(this.onCall(call));
    });
  }
}

function subjectOf(method: string, request: Buffer): string {
  if (method === "RegisterAgent") return decodeRegisterAgentRequest(request);
  if (method === "AddSubscription") return decodeAddSubscriptionRequest(request).id;
  if (method === "RemoveSubscription") return decodeRemoveSubscriptionRequest(request);
  return "";
}

function answerCall(stream: ServerHttp2Stream, answer: RawAnswer): void {
  if (answer !== "take" || stream.destroyed) return answerWith(stream, answer);
  stream.respond({ ":status": 200, "content-type": "application/grpc" }, { waitForTrailers: true });
  stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
  stream.end(Buffer.alloc(5));
}

function answerWith(stream: ServerHttp2Stream, answer: RawAnswer, headers: IncomingHttpHeaders = {}): void {
  if (answer === "wait" || stream.destroyed) return;
  if (answer === "take")
    stream.respond({ ":status": 200, "content-type": "application/grpc", agtroupe: "1", ...headers });
  else if ("reset" in answer) stream.close(answer.reset);
  else if ("http" in answer)
    stream.respond({ ":status": answer.http, "content-type": "text/html" }, { endStream: true });
  else {
    const status = { "grpc-status": String(answer.grpc), "grpc-message": answer.text ?? "" };
    stream.respond({ ":status": 200, "content-type": "application/grpc", ...status }, { endStream: true });
  }
}
