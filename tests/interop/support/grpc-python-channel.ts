import {
  decodeFrame,
  encodeAddSubscriptionRequest,
  encodeFrame,
  encodeRegisterAgentRequest,
  type Frame,
} from "troupe/protocol";
import { exact, textPayload } from "../../support/raw-worker.ts";
import type { PeerEvent } from "./peer-protocol.ts";
import type { PythonPeer } from "./python-peer.ts";

/** How a unary call or a channel ended. */
export interface Status {
  readonly code: string;
  readonly details: string;
}

/** A data channel that grpc-python opened, frame by frame as a test says. */
export class GrpcPythonChannel {
  readonly clientId: string | undefined;
  readonly #peer: PythonPeer;
  readonly #address: string;
  readonly #id: string | number;

  private constructor(peer: PythonPeer, address: string, clientId: string | undefined, id: string | number) {
    this.#peer = peer;
    this.#address = address;
    this.clientId = clientId;
    this.#id = id;
  }

  /** Opens a channel and does not wait for anything. */
  static open(
    peer: PythonPeer,
    address: string,
    options: {
      readonly clientId?: string;
      readonly method?: string;
      readonly gzip?: boolean;
      readonly deadlineMs?: number;
    },
  ): GrpcPythonChannel {
    const id = peer.send({ cmd: "open", address, ...options });
    return new GrpcPythonChannel(peer, address, options.clientId, id);
  }

  /** Resolves when the host has sent response headers: it does at once, and has the channel then. */
  async joined(): Promise<this> {
    await this.#peer.next("headers", { id: this.#id });
    return this;
  }

  send(frame: Frame): void {
    this.sendHex(Buffer.from(encodeFrame(frame)).toString("hex"));
  }

  sendHex(hex: string): void {
    this.#peer.send({ cmd: "write", id: this.#id, hex });
  }

  call(requestId: string, target: string | undefined, text = "hi"): void {
    const [type = "", key = ""] = target?.split("/") ?? [];
    this.send({
      kind: "request",
      requestId,
      source: undefined,
      target: target === undefined ? undefined : { type, key },
      payload: textPayload(text),
      metadata: {},
    });
  }

  publish(topic: string, text: string): void {
    const [topicType = "", topicSource = ""] = topic.split("/");
    const event = { id: text, topicType, topicSource, sender: undefined, payload: textPayload(text), attributes: {} };
    this.send({ kind: "event", event });
  }

  async next(): Promise<Frame> {
    const { hex = "" } = await this.#peer.next("frame", { id: this.#id });
    return decodeFrame(Buffer.from(hex, "hex"));
  }

  async nextOf<Kind extends Frame["kind"]>(kind: Kind): Promise<Extract<Frame, { readonly kind: Kind }>> {
    const frame = await this.next();
    if (frame.kind !== kind) throw new Error(`expected a frame of kind ${kind}, got ${JSON.stringify(frame)}`);
    // The kind was just compared; TypeScript can't narrow by a type parameter.
    return frame as Extract<Frame, { readonly kind: Kind }>;
  }

  async unary(method: string, request: Uint8Array = new Uint8Array(0)): Promise<PeerEvent<"unary">> {
    return unaryFrom(this.#peer, this.#address, method, request, this.clientId);
  }

  async register(agentType: string): Promise<Status> {
    return statusOf(await this.unary("RegisterAgent", encodeRegisterAgentRequest(agentType)));
  }

  async subscribe(id: string, topicType: string, agentType: string): Promise<Status> {
    const request = encodeAddSubscriptionRequest({ id, pattern: exact(topicType, agentType) });
    return statusOf(await this.unary("AddSubscription", request));
  }

  halfClose(): void {
    this.#peer.send({ cmd: "halfClose", id: this.#id });
  }

  cancel(): void {
    this.#peer.send({ cmd: "cancel", id: this.#id });
  }

  async closed(): Promise<Status> {
    return statusOf(await this.#peer.next("closed", { id: this.#id }));
  }
}

export async function unaryFrom(
  peer: PythonPeer,
  address: string,
  method: string,
  request: Uint8Array,
  clientId?: string,
): Promise<PeerEvent<"unary">> {
  const hex = Buffer.from(request).toString("hex");
  const id = peer.send({ cmd: "unary", address, method, hex, ...(clientId === undefined ? {} : { clientId }) });
  return peer.next("unary", { id });
}

export function statusOf({ code, details }: Status): Status {
  return { code, details };
}

export const ok: Status = { code: "OK", details: "" };
