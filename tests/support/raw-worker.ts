import {
  decodeFrame,
  decodeGetSubscriptionsResponse,
  emptyMessage,
  encodeAddSubscriptionRequest,
  encodeFrame,
  encodeRegisterAgentRequest,
  encodeRemoveSubscriptionRequest,
  type Frame,
  type WirePattern,
  type WireSubscription,
} from "../../src/protocol/index.ts";
import type { FrameStream, Link, Metadata, RpcStatus, StreamEnd } from "../../src/transport/index.ts";
import { Inbox } from "./inbox.ts";

export interface Arrived {
  readonly frame: Frame;
  readonly bytes: Uint8Array;
}

const barrierId = "barrier";

/** A worker that does only what a test says, frame by frame. */
export class RawWorker {
  readonly clientId: string | undefined;
  readonly link: Link;
  readonly ended: Promise<StreamEnd>;
  readonly #metadata: Metadata;
  readonly #channelMetadata: Metadata;
  readonly #responseMetadata = new Inbox<Metadata>();
  readonly #inbox = new Inbox<Arrived>();
  #stream: FrameStream | undefined;
  #settle: (end: StreamEnd) => void = () => {};

  /** Without a client id it is a worker of generation 1. Announced, it is one of Troupe's (protocol.md §11.1). */
  constructor(
    link: Link,
    clientId?: string,
    options: { readonly isAnnounced?: boolean; readonly metadata?: Metadata } = {},
  ) {
    this.link = link;
    this.clientId = clientId;
    this.#metadata = clientId === undefined ? {} : { "client-id": clientId };
    const announced = options.isAnnounced === true ? { ...this.#metadata, agtroupe: "1" } : this.#metadata;
    this.#channelMetadata = { ...announced, ...options.metadata };
    this.ended = new Promise((resolve) => {
      this.#settle = resolve;
    });
  }

  open(): this {
    this.#stream = this.link.openStream(
      "OpenChannel",
      {
        onMetadata: (metadata) => this.#responseMetadata.put(metadata),
        onFrame: (bytes) => this.#inbox.put({ frame: decodeFrame(bytes), bytes }),
        onHalfClose: () => {},
        onBadFrame: (status: RpcStatus) => {
          throw new Error(`bad frame: ${status.details}`);
        },
        onDrain: () => {},
        onEnd: (end) => this.#settle(end),
      },
      { metadata: this.#channelMetadata },
    );
    return this;
  }

  /** Opens the channel and waits until the host has it. */
  async join(): Promise<this> {
    this.open();
    await this.settled();
    return this;
  }

  /** What the host says in the headers of its answer to the channel. */
  responseMetadata(): Promise<Metadata> {
    return this.#responseMetadata.take();
  }

  get stream(): FrameStream {
    if (this.#stream === undefined) throw new Error("the channel is not open");
    return this.#stream;
  }

  send(frame: Frame): void {
    this.sendBytes(encodeFrame(frame));
  }

  sendBytes(bytes: Uint8Array): void {
    this.stream.send(bytes);
  }

  request(requestId: string, target: string, extra: Partial<Extract<Frame, { kind: "request" }>> = {}): void {
    const [type = "", key = "default"] = target.split("/");
    const target_ = { type, key };
    this.send({
      kind: "request",
      requestId,
      source: undefined,
      target: target_,
      payload: undefined,
      metadata: {},
      ...extra,
    });
  }

  respond(requestId: string, text: string): void {
    this.send({ kind: "response", requestId, payload: textPayload(text), error: "", metadata: {} });
  }

  publish(topicType: string, topicSource = "default", id = "E"): void {
    this.send({
      kind: "event",
      event: { id, topicType, topicSource, sender: undefined, payload: textPayload(id), attributes: {} },
    });
  }

  async next(): Promise<Frame> {
    return (await this.#inbox.take()).frame;
  }

  nextArrived(): Promise<Arrived> {
    return this.#inbox.take();
  }

  async nextRequest(): Promise<Extract<Frame, { kind: "request" }>> {
    return expectKind(await this.next(), "request");
  }

  async nextResponse(): Promise<Extract<Frame, { kind: "response" }>> {
    return expectKind(await this.next(), "response");
  }

  async nextCancel(): Promise<Extract<Frame, { kind: "cancel" }>> {
    return expectKind(await this.next(), "cancel");
  }

  async nextEvent(): Promise<Extract<Frame, { kind: "event" }>["event"]> {
    return expectKind(await this.next(), "event").event;
  }

  /** Resolves when nobody serves `agentType` any more, by trying until it can be taken; this worker then has it. */
  async takeOver(agentType: string): Promise<void> {
    for (;;) {
      try {
        await this.register(agentType);
        return;
      } catch {
        await this.settled();
      }
    }
  }

  /** Everything that this worker has sent is through the host, and everything the host had sent it is here: returned, untaken. */
  async settled(): Promise<readonly Frame[]> {
    this.request(barrierId, `barrier.${barrierId}/none`);
    const frames: Frame[] = [];
    for (;;) {
      const frame = await this.next();
      if (frame.kind === "response" && frame.requestId === barrierId) break;
      frames.push(frame);
    }
    return frames;
  }

  /** `terms`: metadata of the registration, such as `{ agshared: "1" }`. */
  register(agentType: string, terms: Metadata = {}): Promise<Uint8Array> {
    return this.unary("RegisterAgent", encodeRegisterAgentRequest(agentType), terms);
  }

  subscribe(id: string, pattern: WirePattern | undefined): Promise<Uint8Array> {
    return this.unary("AddSubscription", encodeAddSubscriptionRequest({ id, pattern }));
  }

  unsubscribe(id: string): Promise<Uint8Array> {
    return this.unary("RemoveSubscription", encodeRemoveSubscriptionRequest(id));
  }

  async subscriptions(): Promise<readonly WireSubscription[]> {
    return decodeGetSubscriptionsResponse(await this.unary("GetSubscriptions", emptyMessage));
  }

  unary(method: string, request: Uint8Array, more: Metadata = {}): Promise<Uint8Array> {
    return this.link.unary(method, request, { metadata: { ...this.#metadata, ...more } });
  }
}

export function exact(topicType: string, agentType: string): WirePattern {
  return { kind: "type", topicType, agentType };
}

export function prefix(topicTypePrefix: string, agentType: string): WirePattern {
  return { kind: "prefix", topicTypePrefix, agentType };
}

export function textPayload(text: string) {
  const data = new TextEncoder().encode(JSON.stringify({ content: text }));
  return { typeName: "MyMessage", contentType: "application/json", data };
}

/** The text that `textPayload` put into a frame or event. */
export function textOf(holder: { readonly payload: { readonly data: Uint8Array } | undefined }): string {
  return JSON.parse(new TextDecoder().decode(holder.payload?.data)).content;
}

function expectKind<Kind extends Frame["kind"]>(frame: Frame, kind: Kind): Extract<Frame, { kind: Kind }> {
  if (frame.kind !== kind) throw new Error(`expected a frame of kind ${kind}, got ${JSON.stringify(frame)}`);
  // The kind was just compared; TypeScript can't narrow by a type parameter.
  return frame as Extract<Frame, { kind: Kind }>;
}
