import {
  decodeFrame,
  encodeAddSubscriptionRequest,
  encodeFrame,
  encodeRegisterAgentRequest,
  type Frame,
} from "troupe/protocol";
import { type FrameStream, grpcDialer, type Link } from "troupe/transport";

/** A worker as AutoGen's Python has it: it announces nothing, and sends no keep-alive pings, which is grpc-python's default. */
export class StockWorker {
  /** Reason why its channel ended; undefined while it is open. */
  lost: string | undefined;
  readonly #link: Link;
  readonly #stream: FrameStream;
  readonly #metadata: { readonly "client-id": string };
  #isClosed = false;
  #wake: (frame: Frame) => void = () => {};
  #fail: (error: Error) => void = () => {};

  /** `onFrame` returns true for a frame that is done with; another one is for `next`. */
  constructor(options: StockWorkerOptions) {
    const { address, clientId, certificate, onFrame = () => false } = options;
    this.#link = grpcDialer(certificate === undefined ? {} : { tls: { ca: certificate } }).dial(address);
    this.#metadata = { "client-id": clientId };
    this.#stream = this.#link.openStream(
      "OpenChannel",
      {
        onFrame: (bytes) => {
          const frame = decodeFrame(bytes);
          if (!onFrame(frame, this)) this.#wake(frame);
        },
        onHalfClose: () => {},
        onBadFrame: () => {},
        onDrain: () => {},
        onEnd: (end) => {
          if (this.#isClosed) return;
          this.lost = `${clientId} lost its channel: ${JSON.stringify(end)}`;
          this.#fail(new Error(this.lost));
        },
      },
      { metadata: this.#metadata },
    );
  }

  send(frame: Frame): void {
    this.#stream.send(encodeFrame(frame));
  }

  /** Resolves with the next frame; rejects when the channel ends first. */
  next(): Promise<Frame> {
    if (this.lost !== undefined) return Promise.reject(new Error(this.lost));
    return new Promise((resolve, reject) => {
      this.#wake = resolve;
      this.#fail = reject;
    });
  }

  /** A call of the agent `type`; resolves with the error text of its outcome. */
  async call(requestId: string, type: string): Promise<string> {
    const answer = this.next();
    this.send({ kind: "request", requestId, source: undefined, target: { type, key: "k" }, payload, metadata: {} });
    const frame = await answer;
    if (frame.kind !== "response" || frame.requestId !== requestId)
      throw new Error(`expected the answer ${requestId}, got ${frame.kind}`);
    return frame.error;
  }

  async register(agentType: string): Promise<void> {
    const metadata = this.#metadata;
    await this.#link.unary("RegisterAgent", encodeRegisterAgentRequest(agentType), { metadata });
  }

  async subscribe(topicType: string, agentType: string): Promise<void> {
    const request = encodeAddSubscriptionRequest({ id: topicType, pattern: { kind: "type", topicType, agentType } });
    await this.#link.unary("AddSubscription", request, { metadata: this.#metadata });
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#link.close();
  }
}

interface StockWorkerOptions {
  readonly address: string;
  readonly clientId: string;
  readonly certificate?: string | undefined;
  readonly onFrame?: (frame: Frame, worker: StockWorker) => boolean;
}

const payload = { typeName: "Ping", contentType: "application/json", data: Buffer.from('{"content":"x"}') };

export { payload as stockPayload };
