import { Buffer } from "node:buffer";
import {
  type AgentName,
  bareContentType,
  errorText,
  isValidAgentType,
  jsonContentType,
  reservedMessageType,
  storeLimits,
  TroupeError,
  whyReserved,
} from "../../core/internal.ts";
import type { MessagesOfType } from "../../host/internal.ts";
import { HttpProblem, type HttpRequest } from "../../http/internal.ts";
import type { WirePayload } from "../../protocol/internal.ts";
import type { AdminHost } from "../admin-host.ts";
import type { AdminAction } from "../admin-rights.ts";
import type { AdminRoute } from "../admin-route.ts";
import { agentOf, agentParameters } from "../agent-names.ts";
import { publisherOf } from "../publisher-of.ts";

/** Bytes of a message, and of its answer, which the host reads to show it. Longer JSON than `jsonBytes` is not checked to be JSON. */
const bounds = { messageBytes: 1024 * 1024, jsonBytes: 256 * 1024, longestMs: 300_000, usualMs: 60_000 } as const;

/** The answer to a call. */
export interface CallAnswer {
  /** The type of the message. Null: the handler has answered with nothing. */
  readonly messageType: string | null;
  readonly contentType: string | null;
  /** The JSON. Null: the message has no JSON. */
  readonly data: unknown;
  /** The bytes of an answer that is not JSON, as base64. */
  readonly base64: string | null;
  readonly ms: number;
}

/** The messages that agents of a type take. */
export interface MessagesAnswer {
  readonly type: string;
  /** The reason why `messages` is empty. Null: their worker has told them. */
  readonly why: string | null;
  readonly messages: readonly {
    readonly name: string;
    readonly contentType: string;
    readonly takes: "call" | "event" | "message";
    readonly answer: string | null;
    readonly schema: { readonly [keyword: string]: unknown } | null;
  }[];
}

/** Whether the caller may do something, and if not, why. */
export interface PermissionAnswer {
  readonly isAllowed: boolean;
  readonly why: string | null;
}

type CallingHost = Pick<AdminHost, "call" | "messageTypes" | "cluster" | "clock">;

/** Calls agents, and says which messages they take. */
export function callRoutes(host: CallingHost): readonly AdminRoute[] {
  return [
    {
      ...{ method: "POST", path: "/v1/calls", parameters: [...agentParameters, "message", "timeoutMs"] },
      ...{ maxBodyBytes: bounds.messageBytes, need: "nothing" },
      check: ({ query, rights }) => rights.assertMay("call", query.required("type")),
      handle: (request) => call(host, request),
    },
    {
      ...{ method: "GET", path: "/v1/messages", parameters: ["type"], need: "nothing" },
      handle: async ({ query, rights, signal }): Promise<MessagesAnswer> => {
        const type = query.required("type");
        if (!rights.may("see", type)) rights.assertMay("call", type);
        return shown(type, await messagesOf(host, type, signal));
      },
    },
    {
      ...{ method: "GET", path: "/v1/permission", parameters: ["action", "name"], need: "nothing" },
      handle: async ({ query, rights }): Promise<PermissionAnswer> => {
        const action = query.required("action");
        if (!isAction(action)) throw invalid(`The parameter action must be one of ${actions.join(", ")}.`);
        const why = rights.whyNot(action, query.required("name"));
        return { isAllowed: why === undefined, why: why ?? null };
      },
    },
  ];
}

async function call({ call: send, clock }: CallingHost, request: HttpRequest): Promise<CallAnswer> {
  const { query, headers, body, caller, signal } = request;
  const agent = agentOf(query);
  const payload = payloadOf(query.required("message"), headers["content-type"] ?? jsonContentType, body);
  assertAgentType(agent);
  const timeoutMs = query.whole("timeoutMs", { from: 1, to: bounds.longestMs }) ?? bounds.usualMs;
  const beganMs = clock.now();
  const asked = { agent, payload, timeoutMs, maxAnswerBytes: bounds.messageBytes, ...traceIn(headers) };
  try {
    const answer = await send(publisherOf(caller), asked, signal);
    return { ...shownAnswer(answer), ms: Math.round(clock.now() - beganMs) };
  } catch (error) {
    signal.throwIfAborted();
    throw problemOf(error, agent);
  }
}

/** The trace that the caller records, from the headers that W3C names. Another form of them is passed over, as W3C says. */
function traceIn({ traceparent, tracestate }: HttpRequest["headers"]) {
  const isTrace =
    typeof traceparent === "string" && /^00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$/.test(traceparent);
  const state = typeof tracestate === "string" && /^[\x20-\x7e]{1,512}$/.test(tracestate) ? tracestate : undefined;
  return isTrace ? { traceparent, tracestate: state } : { traceparent: undefined, tracestate: undefined };
}

function payloadOf(typeName: string, contentType: string, data: Buffer): WirePayload {
  if (typeName === "" || typeName.length > storeLimits.nameCharacters)
    throw invalid(`The parameter message must have 1 to ${storeLimits.nameCharacters} characters.`);
  const reserved = reservedMessageType(typeName, "invalid-argument");
  if (reserved !== undefined) throw reserved;
  if (contentType.length > storeLimits.nameCharacters) throw invalid("The content type is too long.");
  if (bareContentType(contentType) === jsonContentType && data.length <= bounds.jsonBytes && parsed(data) === undefined)
    throw new HttpProblem(400, "invalid-message", "The message is not JSON. Send it with its content type.");
  return { typeName, contentType, data };
}

function assertAgentType({ type }: AgentName): void {
  if (!isValidAgentType(type)) throw invalid(`${JSON.stringify(type)} can't be an agent type.`);
  const why = whyReserved("agent type", type);
  if (why !== undefined) throw invalid(why);
}

function shownAnswer(answer: WirePayload | undefined): Omit<CallAnswer, "ms"> {
  if (answer === undefined) return { messageType: null, contentType: null, data: null, base64: null };
  const { typeName: messageType, contentType, data: bytes } = answer;
  const data = bareContentType(contentType) === jsonContentType ? parsed(bytes) : undefined;
  if (data !== undefined) return { messageType, contentType, data, base64: null };
  return { messageType, contentType, data: null, base64: Buffer.from(bytes).toString("base64") };
}

/** Undefined: the bytes are not JSON. */
function parsed(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    return undefined;
  }
}

async function messagesOf({ messageTypes, cluster }: CallingHost, type: string, signal: AbortSignal) {
  const here = await messageTypes.of(type, signal);
  return here.at === "unserved" && cluster !== undefined ? await cluster.messagesOf(type, signal) : here;
}

function shown(type: string, told: MessagesOfType): MessagesAnswer {
  switch (told.at) {
    case "unserved":
      return { type, why: `No worker serves the agent type ${type}.`, messages: [] };
    case "untold":
      return { type, why: told.reason, messages: [] };
    case "told":
      return {
        ...{ type, why: told.messages.length > 0 ? null : "Its worker declares none." },
        messages: told.messages.map(({ answer, schema, ...about }) => ({
          ...{ ...about, answer: answer ?? null, schema: schema ?? null },
        })),
      };
  }
}

const actions = [
  "call",
  "publish",
  "subscribe",
  "see",
  "watch",
  "administer",
  "read-state",
  "write-state",
] as const satisfies readonly AdminAction[];

function isAction(text: string): text is AdminAction {
  return actions.some((action) => action === text);
}

/** The typed error of a call as a problem. */
function problemOf(error: unknown, { type, key }: AgentName): HttpProblem {
  const failure = TroupeError.from(error);
  const { code } = failure;
  const text = errorText(failure);
  const advice = code === "undeliverable" ? " Start a worker that serves the type, or correct the name." : "";
  const { retryAfterMs } = failure;
  const headers = retryAfterMs === undefined ? {} : { "retry-after": String(Math.ceil(retryAfterMs / 1_000)) };
  const shownText = code === "handler-failed" ? `${type}/${key} failed: ${text}` : `${text}${advice}`;
  return new HttpProblem(statusOf(code), code, shownText, { cause: error, headers });
}

function statusOf(code: TroupeError["code"]): number {
  switch (code) {
    case "invalid-message":
      return 400;
    case "not-authorized":
      return 403;
    case "undeliverable":
      return 404;
    case "message-too-large":
      return 413;
    case "overloaded":
      return 429;
    case "shutting-down":
      return 503;
    case "timed-out":
      return 504;
    default:
      return 502;
  }
}

function invalid(text: string): HttpProblem {
  return new HttpProblem(400, "invalid-argument", text);
}
