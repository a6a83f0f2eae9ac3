import { once } from "node:events";
import { type ClientHttp2Session, type ClientHttp2Stream, connect } from "node:http2";
import { messagesOf } from "../../conformance/support/grpc-framing.ts";
import type { Inbox } from "../../support/inbox.ts";

/** How a call ended: its gRPC status, or why there was none. */
export interface CallEnd {
  readonly status: string;
  readonly text: string;
}

/** A client that speaks HTTP/2 properly and puts whatever it likes into it. */
export class Offender {
  readonly session: ClientHttp2Session;
  readonly clientId: string;

  constructor(session: ClientHttp2Session, clientId: string) {
    this.session = session;
    this.clientId = clientId;
    session.on("error", () => undefined);
  }

  static async connect(address: string, clientId = "offender"): Promise<Offender> {
    const session = connect(`http://${address}`, { settings: { initialWindowSize: 1024 * 1024 } });
    const offender = new Offender(session, clientId);
    await once(session, "connect");
    return offender;
  }

  open(method: string, headers: Record<string, string> = {}): OffendingCall {
    const stream = this.session.request({
      ":method": "POST",
      ":path": `/agents.AgentRpc/${method}`,
      "content-type": "application/grpc",
      te: "trailers",
      "client-id": this.clientId,
      ...headers,
    });
    return new OffendingCall(stream);
  }

  /** A unary call with this body, framing included. */
  async unary(method: string, body: Uint8Array, headers?: Record<string, string>): Promise<CallEnd> {
    const call = this.open(method, headers);
    call.stream.end(body);
    return call.ended;
  }

  destroy(): void {
    this.session.destroy();
  }
}

export class OffendingCall {
  readonly stream: ClientHttp2Stream;
  readonly ended: Promise<CallEnd>;
  readonly messages: Inbox<Uint8Array>;

  constructor(stream: ClientHttp2Stream) {
    this.stream = stream;
    let end: CallEnd | undefined;
    const note = (headers: Record<string, unknown>) => {
      const status = headers["grpc-status"] ?? (headers[":status"] === 200 ? undefined : `HTTP ${headers[":status"]}`);
      if (status !== undefined)
        end = { status: String(status), text: decodeURIComponent(String(headers["grpc-message"] ?? "")) };
    };
    stream.on("response", note);
    stream.on("trailers", note);
    stream.on("error", () => undefined);
    this.messages = messagesOf(stream);
    // Not `once`: it rejects when the reset comes as an error first.
    this.ended = new Promise((resolve) => {
      stream.once("close", () => resolve(end ?? { status: `reset ${stream.rstCode}`, text: "" }));
    });
  }

  /** Writes and waits until the other side takes it; false when the call is over. */
  async pour(bytes: Uint8Array): Promise<boolean> {
    if (this.stream.destroyed || this.stream.closed) return false;
    if (!this.stream.write(bytes)) await Promise.race([once(this.stream, "drain").catch(() => undefined), this.ended]);
    return !this.stream.destroyed && !this.stream.closed;
  }
}
