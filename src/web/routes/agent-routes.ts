import { type AgentId, fields } from "../../core/internal.ts";
import { type ExposedType, invalid, readMessage } from "../exposed.ts";
import { errorEvent, messageEvent, streamResponse } from "../streaming.ts";
import {
  assertMay,
  type BodyFields,
  type GatewayParts,
  jsonResponse,
  readJson,
  type WebRequest,
} from "../web-request.ts";

export interface AgentTarget {
  readonly exposed: ExposedType;
  readonly agentId: AgentId;
}

/** Calls an agent, and answers with its answer. */
export async function answerCall(parts: GatewayParts, asked: WebRequest, target: AgentTarget): Promise<Response> {
  const { limits } = parts;
  const body = await readJson(parts, asked);
  const { message, messageType } = messageOf(body, target);
  const timeoutMs = Math.min(timeIn(body) ?? limits.callTimeoutMs, limits.callTimeoutMs);
  await assertMay(parts, asked, { action: "call", target: target.agentId.toString(), messageType });
  return callResponse(parts, asked, message, { agentId: target.agentId, timeoutMs });
}

/** Sends a message to an agent, and answers with its answer. */
export async function callResponse(
  { runtime, exposed }: GatewayParts,
  { signal }: WebRequest,
  message: unknown,
  { agentId, timeoutMs }: { readonly agentId: AgentId; readonly timeoutMs: number },
): Promise<Response> {
  const answer = await runtime.sendMessage(message, agentId, { signal, timeoutMs });
  if (answer === undefined || answer === null) return new Response(null, { status: 204 });
  const { type, json } = exposed.toWeb(answer);
  return jsonResponse(json, 200, { "troupe-type": encodeURIComponent(type) });
}

/** Calls an agent whose answer comes in parts. The call ends with the connection. */
export async function answerStream(parts: GatewayParts, asked: WebRequest, target: AgentTarget): Promise<Response> {
  const { runtime, exposed } = parts;
  const { message, messageType } = messageOf(await readJson(parts, asked), target);
  await assertMay(parts, asked, { action: "stream", target: target.agentId.toString(), messageType });
  return streamResponse(parts, asked, async function* (signal) {
    const stream = runtime.stream(message, target.agentId, { signal });
    // Its rejection is that of the loop.
    stream.answer.catch(() => undefined);
    try {
      for await (const chunk of stream) yield messageEvent("chunk", exposed.toWeb(chunk));
      yield messageEvent("answer", exposed.toWeb(await stream.answer));
    } catch (error) {
      if (!signal.aborted) yield errorEvent(error, parts);
    } finally {
      stream.cancel();
    }
  });
}

/** Makes the message of a body. */
export function messageOf(
  body: BodyFields,
  { exposed }: AgentTarget,
): { readonly message: object; readonly messageType: string } {
  const message = readMessage(exposed.messages.values(), body.type, body.message);
  if (!fields.accepts(message)) throw invalid("The field message must be a JSON object.");
  // `fields` accepts objects alone, and messageOf has checked that the type is a text.
  return { message: message as object, messageType: String(body.type) };
}

/** Returns the milliseconds that a body asks for. */
export function timeIn({ timeoutMs }: BodyFields): number | undefined {
  if (timeoutMs === undefined) return undefined;
  if (typeof timeoutMs === "number" && timeoutMs >= 1) return timeoutMs;
  throw invalid("The field timeoutMs must be a number of at least 1.");
}
