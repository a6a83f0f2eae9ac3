import type { OutgoingHttpHeaders } from "node:http2";
import { parseAddress } from "../../address.ts";
import { callUnary, deadStream, toMethodPath } from "../../calls/client-call.ts";
import type { Dialer, FrameStream, Link, Metadata, StreamOptions, StreamReceiver, UnaryOptions } from "../../link.ts";
import { toMetadataHeaders } from "../../metadata.ts";
import { RpcError } from "../../rpc-status.ts";
import { ACCEPTED_ENCODINGS } from "../framing/compression.ts";
import { formatTimeout, GRPC_CONTENT_TYPE } from "../framing/headers.ts";
import { ClientConnection } from "./client-connection.ts";
import { type GrpcDialerOptions, type GrpcDialerSettings, toDialerSettings } from "./client-options.ts";
import { GrpcClientStream } from "./client-stream.ts";

/**
 * Makes links over gRPC (HTTP/2, plaintext unless `tls` or an `https://` address says otherwise). `dial` throws
 * `RpcError` (invalid-argument) for an address that it can't read. It does not connect: the first use of the link does.
 */
export function grpcDialer(options: GrpcDialerOptions = {}): Dialer {
  const settings = toDialerSettings(options);
  return { dial: (address) => new GrpcLink(new ClientConnection(parseAddress(address), settings), settings) };
}

class GrpcLink implements Link {
  readonly leaving: Promise<string>;
  readonly closed: Promise<string>;
  readonly #connection: ClientConnection;
  readonly #settings: GrpcDialerSettings;
  readonly #streams = new Set<FrameStream>();

  constructor(connection: ClientConnection, settings: GrpcDialerSettings) {
    this.#connection = connection;
    this.#settings = settings;
    this.leaving = connection.leaving;
    this.closed = connection.closed;
  }

  ready(options: { readonly signal?: AbortSignal | undefined } = {}): Promise<void> {
    return this.#connection.ready(options.signal);
  }

  async unary(method: string, request: Uint8Array, options: UnaryOptions = {}): Promise<Uint8Array> {
    const prepared = this.#connection.prepared(options.signal);
    if (prepared !== undefined) await prepared;
    const headers = this.#headers(method, options.metadata ?? {});
    if (options.timeoutMs !== undefined) headers["grpc-timeout"] = formatTimeout(options.timeoutMs);
    return callUnary((receiver) => this.#open(() => headers, receiver), request, options);
  }

  openStream(method: string, receiver: StreamReceiver, options: StreamOptions = {}): FrameStream {
    const metadata = options.metadata ?? {};
    // Checked first: bad metadata throws, whatever the connection does.
    toMetadataHeaders(metadata);
    return this.#open(() => this.#headers(method, metadata), receiver);
  }

  async close(): Promise<void> {
    for (const stream of this.#streams) stream.cancel();
    this.#connection.close();
    await this.closed;
  }

  #open(headersOf: () => OutgoingHttpHeaders, receiver: StreamReceiver): FrameStream {
    try {
      const stream: FrameStream = new GrpcClientStream(headersOf(), receiver, {
        connection: this.#connection,
        limits: this.#settings.limits,
        onClosed: () => this.#streams.delete(stream),
      });
      this.#streams.add(stream);
      return stream;
    } catch (error) {
      if (!(error instanceof RpcError)) throw error;
      return deadStream(receiver, error.status);
    }
  }

  #headers(method: string, metadata: Metadata): OutgoingHttpHeaders {
    return {
      ":method": "POST",
      ":path": toMethodPath(method),
      te: "trailers",
      "content-type": GRPC_CONTENT_TYPE,
      "user-agent": this.#settings.userAgent,
      "grpc-accept-encoding": ACCEPTED_ENCODINGS,
      ...this.#connection.metadata,
      ...toMetadataHeaders(metadata),
    };
  }
}
