import { randomUUID } from "node:crypto";
import { type ClientHttp2Session, type ClientHttp2Stream, connect, constants } from "node:http2";
import {
  decodeFrame,
  encodeAddSubscriptionRequest,
  encodeFrame,
  encodeRegisterAgentRequest,
  type Frame,
  type WireAgentId,
  type WireEvent,
  type WirePattern,
  type WirePayload,
} from "../../../src/protocol/index.ts";
import { framed, messagesOf } from "../../conformance/support/grpc-framing.ts";
import { Inbox } from "../inbox.ts";
import { demo, openDemo } from "./demo-messages.ts";
import { recordedHeaders } from "./dotnet-wire.ts";

/** A message that the worker's agents got. */
export interface Handled {
  readonly kind: "call" | "event";
  readonly agent: string;
  readonly text: string;
}

/** An answer that the worker's reader took: the type of the message, and its text. */
export interface TakenAnswer {
  readonly requestId: string;
  readonly payload: WirePayload;
}

/** Types that the agents of the recorded program handle or answer with. */
const demoTypes = ["demo.Ask", "demo.Answer", "demo.Note"];

/**
 * AutoGen's .NET worker on bare `node:http2`. It sends and reads as the recorded one. After an exception its reader opens the channel
 * again. Then its reader and its writer dispose each other's channel, and the worker becomes deaf.
 */
export class DotnetWorker implements AsyncDisposable {
  readonly clientId: string;
  /** Messages that its agents got, in order. */
  readonly handled = new Inbox<Handled>();
  readonly answers = new Inbox<TakenAnswer>();
  /** Exceptions of its reader. */
  readonly failures = new Inbox<string>();
  /** Statuses with which the host ended a channel. */
  readonly statuses: string[] = [];
  /** Its write pump has disposed the channel under its read pump, which takes that for the end of the process. */
  isDeaf = false;
  /** Every message from the host, as its reader decoded it. */
  readonly frames: Frame[] = [];
  /** The bytes of these messages. */
  readonly received = new Inbox<Uint8Array>();
  readonly #session: ClientHttp2Session;
  readonly #authority: string;
  readonly #types = new Set<string>();
  readonly #known: Set<string>;
  readonly #subscriptions: WirePattern[] = [];
  /** The channel that both pumps share; each of them keeps its own copy until it fails. */
  #channel: ClientHttp2Stream | undefined;
  #writerChannel: ClientHttp2Stream | undefined;

  constructor(
    address: string,
    options: { readonly clientId?: string; readonly alsoKnows?: readonly string[]; readonly userAgent?: string } = {},
  ) {
    this.clientId = options.clientId ?? randomUUID();
    this.#known = new Set([...demoTypes, ...(options.alsoKnows ?? [])]);
    this.#authority = address;
    this.#session = connect(`http://${address}`, { settings: { enablePush: false } });
    this.#session.on("error", () => undefined);
  }

  /** Starts as the recorded one does: the first registration is under way when it opens its channel. */
  async start(types: readonly string[], subscriptions: readonly WirePattern[] = []): Promise<this> {
    const [first = "", ...others] = types;
    const registration = this.#request("RegisterAgent");
    await this.open();
    await this.#finish(registration, encodeRegisterAgentRequest(first));
    this.#types.add(first);
    for (const type of others) await this.register(type);
    for (const pattern of subscriptions) await this.subscribe(pattern);
    return this;
  }

  async register(type: string): Promise<void> {
    await this.#finish(this.#request("RegisterAgent"), encodeRegisterAgentRequest(type));
    this.#types.add(type);
  }

  async subscribe(pattern: WirePattern): Promise<void> {
    const subscription = { id: randomUUID(), pattern };
    await this.#finish(this.#request("AddSubscription"), encodeAddSubscriptionRequest(subscription));
    this.#subscriptions.push(pattern);
  }

  /** Opens the data channel and waits for the host's headers. */
  async open(): Promise<void> {
    const stream = this.#recreate();
    this.#writerChannel = stream;
    void this.#read(stream);
    await this.#answered();
  }

  /** Waits until the host has answered the newest channel. */
  async #answered(): Promise<void> {
    const stream = this.#channel;
    await new Promise<void>((resolve) => stream?.once("response", () => resolve()));
  }

  /** Sends a call, unless its writer loses it; returns the request id. */
  call(target: string, text: string, source?: WireAgentId): string {
    const [type = "", key = ""] = target.split("/");
    const requestId = randomUUID();
    const payload = demo("demo.Ask", text);
    this.write(encodeFrame({ kind: "request", requestId, source, target: { type, key }, payload, metadata: {} }));
    return requestId;
  }

  /** The text of the answer that comes next. */
  async nextText(textField = 1): Promise<string> {
    return openDemo((await this.answers.take()).payload.data, textField).text;
  }

  /** Sends a message as its write pump does. On a disposed channel the message is lost, and the pump opens another channel. */
  write(frame: Uint8Array): void {
    if (this.#writerChannel === undefined || this.#writerChannel.destroyed) {
      this.isDeaf = true;
      this.#writerChannel = this.#recreate();
      return;
    }
    this.#writerChannel.write(framed(frame));
  }

  /** Ends the connection, as a killed process does. */
  async [Symbol.asyncDispose](): Promise<void> {
    await new Promise<void>((resolve) => {
      if (this.#session.destroyed) resolve();
      else this.#session.once("close", resolve).destroy();
    });
  }

  #request(method: string): ClientHttp2Stream {
    const stream = this.#session.request({
      ":method": "POST",
      ":scheme": "http",
      ":authority": this.#authority,
      ":path": `/agents.AgentRpc/${method}`,
      ...Object.fromEntries(recordedHeaders),
      "client-id": this.clientId,
    });
    stream.on("error", () => undefined);
    return stream;
  }

  async #finish(stream: ClientHttp2Stream, message: Uint8Array): Promise<void> {
    stream.end(framed(message));
    stream.resume();
    const status = await new Promise<string>((resolve) => {
      const take = (headers: { readonly "grpc-status"?: string; readonly "grpc-message"?: string }) => {
        if (headers["grpc-status"] !== undefined) resolve(`${headers["grpc-status"]} ${headers["grpc-message"] ?? ""}`);
      };
      stream.on("response", take).on("trailers", take);
    });
    if (!status.startsWith("0 ")) throw new Error(`RpcException: ${decodeURIComponent(status)}`);
  }

  /** Disposes the shared channel under both pumps, and opens another one. */
  #recreate(): ClientHttp2Stream {
    this.#channel?.close(constants.NGHTTP2_CANCEL);
    const stream = this.#request("OpenChannel");
    this.#channel = stream;
    stream.on("trailers", (headers) => this.statuses.push(String(headers["grpc-status"])));
    stream.resume();
    return stream;
  }

  async #read(stream: ClientHttp2Stream): Promise<void> {
    const inbox = messagesOf(stream);
    for (;;) {
      const bytes = await inbox.take();
      if (this.isDeaf) return;
      const frame = decodeFrame(bytes);
      this.received.put(bytes);
      this.frames.push(frame);
      try {
        this.#onMessage(frame);
      } catch (error) {
        const next = this.#recreate();
        void this.#read(next);
        next.once("response", () => this.failures.put(String(error)));
        return;
      }
    }
  }

  #onMessage(frame: Frame): void {
    switch (frame.kind) {
      case "request": {
        const { requestId, source, target, payload } = frame;
        if (payload === undefined || target === undefined) throw new Error("InvalidOperationException: is null.");
        assertAgentId(target);
        if (!this.#types.has(target.type)) throw new Error(`Agent with name ${target.type} not found.`);
        const text = this.#unpack(payload);
        if (source !== undefined) assertAgentId(source);
        const agent = `${target.type}/${target.key}`;
        this.handled.put({ kind: "call", agent, text });
        if (text === "throw") throw new Error("the handler has thrown");
        if (text === "null") return;
        const answer = demo("demo.Answer", `${agent} heard ${text}`);
        this.write(encodeFrame({ kind: "response", requestId, payload: answer, error: "", metadata: {} }));
        return;
      }
      case "response": {
        const { requestId, payload } = frame;
        if (payload === undefined) throw new Error("InvalidOperationException: Payload is null.");
        this.#unpack(payload);
        this.answers.put({ requestId, payload });
        return;
      }
      case "event":
        return this.#onEvent(frame.event);
      default:
        throw new Error(`InvalidOperationException: Unexpected message '${frame.kind}'.`);
    }
  }

  #onEvent({ topicType, topicSource, payload }: WireEvent): void {
    if (payload.contentType !== "application/x-protobuf") throw new Error("ProtoData is null.");
    if (payload.typeName === "") throw new Error("KeyNotFoundException: dataschema");
    for (const pattern of this.#subscriptions) {
      const matches =
        pattern.kind === "type" ? pattern.topicType === topicType : topicType.startsWith(pattern.topicTypePrefix);
      if (!matches) continue;
      const recipient = { type: pattern.agentType, key: topicSource };
      assertAgentId(recipient);
      this.handled.put({
        kind: "event",
        agent: `${recipient.type}/${recipient.key}`,
        text: this.#unpack(payload),
      });
    }
  }

  /** Throws for a type without a serializer, for bytes that are no `Any`, and for an `Any` of another type. */
  #unpack({ typeName, data }: WirePayload): string {
    if (!this.#known.has(typeName)) throw new Error(`there is no serializer for ${typeName}`);
    const opened = openDemo(data);
    if (opened.typeName !== typeName) throw new Error(`InvalidProtocolBufferException: ${opened.typeName}`);
    return opened.text;
  }
}

function assertAgentId({ type, key }: WireAgentId): void {
  if (!/^[a-zA-Z_][a-zA-Z0-9_]*$/.test(type)) throw new Error(`ArgumentException: Invalid AgentId type: '${type}'.`);
  if (key.trim() === "" || !/^[\x20-\x7E]+$/.test(key)) throw new Error(`ArgumentException: Invalid AgentId key.`);
}
