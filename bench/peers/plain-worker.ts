import {
  encodeAddSubscriptionRequest,
  encodeFrame,
  encodeRegisterAgentRequest,
  encodeRemoveSubscriptionRequest,
  type WirePattern,
} from "troupe/protocol";
import { type FrameStream, grpcDialer, type Link } from "troupe/transport";

const textBytes = new TextEncoder();

/** A worker that does only what a benchmark says, without agents or decoding. */
export class PlainWorker {
  received = 0;
  readonly #link: Link;
  readonly #metadata: { readonly "client-id": string };
  readonly #stream: FrameStream;
  #onReceived: () => void = () => {};
  #onDrain: () => void = () => {};

  /** `onFrame` gets each frame after it was counted. */
  constructor(address: string, clientId: string, onFrame: (frame: Uint8Array, worker: PlainWorker) => void = () => {}) {
    this.#link = grpcDialer().dial(address);
    this.#metadata = { "client-id": clientId };
    this.#stream = this.#link.openStream(
      "OpenChannel",
      {
        onFrame: (frame) => {
          this.received += 1;
          this.#onReceived();
          onFrame(frame, this);
        },
        onHalfClose: () => {},
        onBadFrame: () => {},
        onDrain: () => this.#onDrain(),
        onEnd: () => {},
      },
      { metadata: this.#metadata },
    );
  }

  register(agentType: string): Promise<unknown> {
    return this.#unary("RegisterAgent", encodeRegisterAgentRequest(agentType));
  }

  subscribe(id: string, topicType: string, agentType: string): Promise<unknown> {
    return this.#subscribe(id, { kind: "type", topicType, agentType });
  }

  subscribeToPrefix(id: string, topicTypePrefix: string, agentType: string): Promise<unknown> {
    return this.#subscribe(id, { kind: "prefix", topicTypePrefix, agentType });
  }

  unsubscribe(id: string): Promise<unknown> {
    return this.#unary("RemoveSubscription", encodeRemoveSubscriptionRequest(id));
  }

  request(requestId: string, agentType: string): void {
    this.#stream.send(
      encodeFrame({
        kind: "request",
        requestId,
        source: undefined,
        target: { type: agentType, key: "k" },
        payload: undefined,
        metadata: {},
      }),
    );
  }

  /** Sends a frame; it waits in memory if the host reads slowly. For callers that limit what is in progress. */
  send(frame: Uint8Array): void {
    this.#stream.send(frame);
  }

  /** Publishes an event. Returns a promise if the queue is full, which resolves when it has space. */
  publish(event: Uint8Array): Promise<void> | undefined {
    if (this.#stream.send(event)) return undefined;
    return new Promise((resolve) => {
      this.#onDrain = resolve;
    });
  }

  /** Resolves when the host has read everything sent before: it answers a call to an unknown type immediately. */
  async settled(): Promise<void> {
    const before = this.received;
    this.request("settled", "nobody.at.all");
    await this.receivedMoreThan(before);
  }

  receivedMoreThan(count: number): Promise<void> {
    if (this.received > count) return Promise.resolve();
    return new Promise((resolve) => {
      this.#onReceived = () => {
        if (this.received > count) resolve();
      };
    });
  }

  /** Stops reading. */
  stall(): void {
    this.#stream.pause();
  }

  /** Breaks the channel off. */
  vanish(): void {
    this.#stream.cancel();
  }

  close(): Promise<void> {
    return this.#link.close();
  }

  #subscribe(id: string, pattern: WirePattern): Promise<unknown> {
    return this.#unary("AddSubscription", encodeAddSubscriptionRequest({ id, pattern }));
  }

  #unary(method: string, request: Uint8Array): Promise<unknown> {
    return this.#link.unary(method, request, { metadata: this.#metadata });
  }
}

/** Returns an event as a worker sends it, with a payload of `payloadBytes` bytes. */
export function eventBytes(topicType: string, payloadBytes: number, source = "s"): Uint8Array {
  const data = textBytes.encode(JSON.stringify({ text: "x".repeat(Math.max(0, payloadBytes - 11)) }));
  const payload = { typeName: "Note", contentType: "application/json", data };
  return encodeFrame({
    kind: "event",
    event: { id: "1", topicType, topicSource: source, sender: undefined, payload, attributes: {} },
  });
}
