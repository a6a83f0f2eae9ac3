import type { Frame, WireEvent, WirePayload } from "../../../src/protocol/index.ts";
import type { ScriptedStream } from "./scripted-host.ts";

type Of<Kind extends Frame["kind"]> = Extract<Frame, { readonly kind: Kind }>;

export function jsonPayload(typeName: string, value: unknown, contentType = "application/json"): WirePayload {
  return { typeName, contentType, data: new TextEncoder().encode(JSON.stringify(value)) };
}

export function jsonOf(payload: WirePayload | undefined): unknown {
  return JSON.parse(new TextDecoder().decode(payload?.data));
}

export function requestFrame(target: string, fields: Partial<Of<"request">> = {}): Of<"request"> {
  const [type = "", key = ""] = target.split("/");
  return {
    kind: "request",
    requestId: "h1",
    source: undefined,
    target: { type, key },
    payload: jsonPayload("MyMessage", { content: "x" }),
    metadata: {},
    ...fields,
  };
}

export function responseFrame(requestId: string, fields: Partial<Of<"response">> = {}): Of<"response"> {
  return { kind: "response", requestId, payload: undefined, error: "", metadata: {}, ...fields };
}

export function eventFrame(topic: string, fields: Partial<WireEvent> = {}): Of<"event"> {
  const [topicType = "", topicSource = ""] = topic.split("/");
  const payload = jsonPayload("MyMessage", { content: "x" });
  return {
    kind: "event",
    event: { id: "e1", topicType, topicSource, sender: undefined, payload, attributes: {}, ...fields },
  };
}

/** The next frame, which must be of this kind. */
export async function next<Kind extends Frame["kind"]>(channel: ScriptedStream<Frame>, kind: Kind): Promise<Of<Kind>> {
  const frame = await channel.received.take();
  if (frame.kind !== kind) throw new Error(`expected a ${kind}, got ${JSON.stringify(frame)}`);
  // The kind was just compared; TypeScript can't narrow by a type parameter.
  return frame as Of<Kind>;
}
