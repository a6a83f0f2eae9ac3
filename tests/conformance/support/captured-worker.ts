import { once } from "node:events";
import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect,
  constants,
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
} from "node:http2";
import type { Inbox } from "../../support/inbox.ts";
import { framed, messagesOf } from "./grpc-framing.ts";
import { type CapturedCall, pythonWire } from "./python-wire.ts";

/** What a server answered to a unary call. */
export interface UnaryOutcome {
  readonly headers: IncomingHttpHeaders;
  readonly message: Uint8Array | undefined;
  readonly status: number;
  readonly details: string;
  /** The status came in the first and only block of headers. */
  readonly isTrailersOnly: boolean;
}

/** A worker's channel as the capture shows it: frames both ways, ended by RST_STREAM. */
export interface CapturedChannel {
  readonly headers: Promise<IncomingHttpHeaders>;
  readonly inbox: Inbox<Uint8Array>;
  write(message: Uint8Array): void;
  /** Ends it as `worker.stop()` of Python does: RST_STREAM with CANCEL, no half-close before. */
  cancel(): Promise<void>;
}

/** Python's side of one connection: bare HTTP/2 with the settings and the request headers of the capture. */
export class CapturedWorker implements AsyncDisposable {
  readonly #address: string;
  readonly #session: ClientHttp2Session;

  constructor(address: string) {
    const { enablePush, headerTableSize, initialWindowSize, maxFrameSize, maxHeaderListSize, maxConcurrentStreams } =
      pythonWire.http2Settings.client;
    this.#address = address;
    this.#session = connect(`http://${address}`, {
      settings: {
        enablePush,
        headerTableSize,
        initialWindowSize,
        maxFrameSize,
        maxHeaderListSize,
        maxConcurrentStreams,
      },
    });
  }

  openChannel(call: CapturedCall): CapturedChannel {
    const stream = this.#request(call);
    const headers = once(stream, "response").then(([first]): IncomingHttpHeaders => first);
    return {
      headers,
      inbox: messagesOf(stream),
      write: (message) => stream.write(framed(message)),
      cancel: async () => {
        const closed = once(stream, "close");
        stream.close(constants.NGHTTP2_CANCEL);
        await closed;
      },
    };
  }

  async unary(call: CapturedCall, request: Uint8Array): Promise<UnaryOutcome> {
    const stream = this.#request(call);
    const inbox = messagesOf(stream);
    let trailers: IncomingHttpHeaders | undefined;
    stream.on("trailers", (block: IncomingHttpHeaders) => {
      trailers = block;
    });
    const ended = once(stream, "end");
    stream.end(framed(request));
    const [headers]: IncomingHttpHeaders[] = await once(stream, "response");
    await ended;
    const end = trailers ?? headers;
    return {
      headers: headers ?? {},
      message: inbox.rest[0],
      status: Number(end?.["grpc-status"]),
      details: decodeURIComponent(String(end?.["grpc-message"] ?? "")),
      isTrailersOnly: headers?.["grpc-status"] !== undefined,
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#session.destroyed) return;
    const closed = once(this.#session, "close");
    this.#session.destroy();
    await closed;
  }

  #request({ path, clientId }: CapturedCall): ClientHttp2Stream {
    const headers: OutgoingHttpHeaders = { ":path": path, ":authority": this.#address };
    for (const [name, value] of pythonWire.requestHeaders) headers[name] = value;
    if (clientId !== null) headers["client-id"] = clientId;
    return this.#session.request(headers);
  }
}
