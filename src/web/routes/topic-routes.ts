import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import { bareContentType, jsonContentType, type MessageType, type TopicId, TroupeError } from "../../core/internal.ts";
import { HttpProblem, readCloudEvent } from "../../http/internal.ts";
import { invalid, readMessage } from "../exposed.ts";
import { errorEvent, messageEvent, streamResponse } from "../streaming.ts";
import type { TopicFeed, TopicReader } from "../topic-feed.ts";
import { nothingHere } from "../web-problem.ts";
import { assertMay, type GatewayParts, readBytes, readJson, type WebRequest } from "../web-request.ts";

/** Bytes that an event counts beside its text. */
const eventBytes = 256;

/** Passes on the events of a topic until the reader leaves. Events are not kept: what comes while no reader is there is not seen. */
export async function answerSubscribe(
  parts: GatewayParts,
  feed: TopicFeed,
  asked: WebRequest,
  topic: TopicId,
): Promise<Response> {
  const { subscribe = [] } = parts.exposed.topic(topic.type);
  if (subscribe.length === 0) throw nothingHere();
  await assertMay(parts, asked, { action: "subscribe", target: topic.toString() });
  const queue = new EventQueue(parts);
  const leave = await feed.subscribe(topic, queue);
  const end = (): void => {
    leave();
    queue.end();
  };
  try {
    return streamResponse(parts, asked, (signal) => {
      if (signal.aborted) end();
      signal.addEventListener("abort", end, { once: true });
      return queue.events(signal);
    });
  } catch (error) {
    leave();
    throw error;
  }
}

/** Publishes an event: `{ type, message }`, or a CloudEvent whose type and source are the topic. */
export async function answerPublish(parts: GatewayParts, asked: WebRequest, topic: TopicId): Promise<Response> {
  const { publish = [] } = parts.exposed.topic(topic.type);
  if (publish.length === 0) throw nothingHere();
  const { message, messageType, id } = isCloudEvent(asked.request)
    ? await eventIn(parts, asked, { topic, publish })
    : await messageIn(parts, asked, publish);
  await assertMay(parts, asked, { action: "publish", target: topic.toString(), messageType });
  await parts.runtime.publishMessage(message, topic, {
    signal: asked.signal,
    ...(id !== undefined && { messageId: ownId(asked, topic, id) }),
  });
  return new Response(null, { status: 202 });
}

interface Publication {
  readonly message: object;
  readonly messageType: string;
  readonly id?: string;
}

async function messageIn(
  parts: GatewayParts,
  asked: WebRequest,
  publish: readonly MessageType[],
): Promise<Publication> {
  const body = await readJson(parts, asked);
  const message = readMessage(publish, body.type, body.message);
  return { message: objectOf(message), messageType: String(body.type) };
}

async function eventIn(
  parts: GatewayParts,
  asked: WebRequest,
  { topic, publish }: { readonly topic: TopicId; readonly publish: readonly MessageType[] },
): Promise<Publication> {
  const body = await readBytes(parts, asked);
  const headers = Object.fromEntries(asked.request.headers);
  const event = readCloudEvent(headers, Buffer.from(body.buffer, body.byteOffset, body.byteLength));
  if (event.type !== topic.type || event.source !== topic.source) {
    throw invalid("The type and the source of the CloudEvent must be those of the topic in the path.");
  }
  if (bareContentType(event.contentType) !== jsonContentType) throw invalid("The data of the CloudEvent must be JSON.");
  const { messagetype, dataschema } = event.attributes;
  const messageType = messagetype ?? dataschema ?? event.type;
  let fields: unknown;
  try {
    fields = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(event.data));
  } catch (cause) {
    throw new HttpProblem(400, "invalid-message", "The data of the CloudEvent is not JSON.", { cause });
  }
  return { message: objectOf(readMessage(publish, messageType, fields)), messageType, id: event.id };
}

/**
 * Returns the id of an event for the id that its client has chosen. An event that is sent again has the id of the first one. No client can choose the
 * id of an event of another: a worker drops an event whose id it remembers.
 */
function ownId({ owner }: WebRequest, { type, source }: TopicId, id: string): string {
  return `web-${createHash("sha256")
    .update(JSON.stringify([owner, type, source, id]))
    .digest("base64url")}`;
}

function isCloudEvent({ headers }: Request): boolean {
  return headers.has("ce-type") || /^application\/cloudevents/i.test(headers.get("content-type") ?? "");
}

function objectOf(message: unknown): object {
  if (typeof message === "object" && message !== null) return message;
  throw invalid("The field message must be a JSON object.");
}

/** Formats an event for its readers, who see the types of their topic alone. */
export function eventText(
  { exposed }: Pick<GatewayParts, "exposed">,
  topicType: string,
  message: unknown,
): string | undefined {
  const types = exposed.topics.get(topicType)?.subscribe ?? [];
  return types.some((type) => type.is(message)) ? messageEvent("event", exposed.toWeb(message)) : undefined;
}

/** Events that wait for one reader. Beyond its bound the reader has lost events, and its stream ends. */
class EventQueue implements TopicReader {
  readonly #parts: GatewayParts;
  readonly #texts: string[] = [];
  #bytes = 0;
  #isOver = false;
  #wake: () => void = () => undefined;

  constructor(parts: GatewayParts) {
    this.#parts = parts;
  }

  take(text: string): void {
    if (this.#isOver) return;
    this.#bytes += sizeOf(text);
    if (this.#bytes > this.#parts.limits.maxQueuedBytes) this.#isOver = true;
    else this.#texts.push(text);
    this.#wake();
  }

  end(): void {
    this.#isOver = true;
    this.#texts.length = 0;
    this.#wake();
  }

  async *events(signal: AbortSignal): AsyncGenerator<string, void, undefined> {
    // The reader sees at once that it is subscribed.
    yield ":\n\n";
    while (!signal.aborted) {
      const text = this.#texts.shift();
      if (text !== undefined) {
        this.#bytes -= sizeOf(text);
        yield text;
      } else if (this.#isOver) {
        const why = "Events came faster than this reader took them.";
        yield errorEvent(new TroupeError("overloaded", why), this.#parts);
        return;
      } else {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
    }
  }
}

function sizeOf(text: string): number {
  return Buffer.byteLength(text) + eventBytes;
}
