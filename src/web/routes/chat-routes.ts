import { type AgentId, isIdempotencyKey, type MessageType, type Run, TroupeError } from "../../core/internal.ts";
import { formatEvent } from "../event-body.ts";
import { type ExposedType, hasControl, invalid, readFields } from "../exposed.ts";
import type { StartedRuns } from "../started-runs.ts";
import { streamResponse } from "../streaming.ts";
import { nothingHere, toProblem } from "../web-problem.ts";
import { assertMay, type BodyFields, type GatewayParts, isFields, readJson, type WebRequest } from "../web-request.ts";
import { callResponse } from "./agent-routes.ts";

/** The header by which the AI SDK knows its UI message stream. */
const streamHeaders = { "x-vercel-ai-ui-message-stream": "v1" };
/** Told to the reader of an answer whose worker has ended, or who is too slow for its chunks to be kept. */
const lost = "The rest of this answer is lost. Ask again.";
/** Most runs of one chat that are looked through. */
const mostRuns = 1_000;

/** Starts a run with the last message of the user. The agent has its own history: what the client says was said before does not count. */
export async function answerPrompt(
  parts: GatewayParts,
  started: StartedRuns,
  asked: WebRequest,
  exposed: ExposedType,
): Promise<Response> {
  const chatType = chatOf(exposed);
  const body = await readJson(parts, asked);
  const { chat, message: last } = promptOf(body);
  const agentId = exposed.agentAt(chat, asked.principal);
  const message = readFields(chatType, { text: textOf(last), files: filesOf(last) });
  // A message type makes objects of objects.
  const sent = message as object;
  await assertMay(parts, asked, { action: "run", target: agentId.toString(), messageType: chatType.typeName });
  // A prompt that is sent again finds its run.
  const { run } = await started.start(sent, agentId, { id: `chat:${last.id}`, owner: asked.owner });
  return uiStream(parts, asked, run, chatType);
}

/** Sends the whole answer on which the agent works, also to a page that was loaded again. 204: it works on none. */
export async function answerResume(
  parts: GatewayParts,
  asked: WebRequest,
  exposed: ExposedType,
  chat: string,
): Promise<Response> {
  const chatType = chatOf(exposed);
  const agentId = exposed.agentAt(chat, asked.principal);
  await assertMay(parts, asked, { action: "read-run", target: agentId.toString() });
  const active = (await activeRuns(parts, asked, agentId)).at(-1);
  if (active === undefined) return new Response(null, { status: 204 });
  const { runtime } = parts;
  return uiStream(parts, asked, runtime.attachRun(agentId, active.id, { owner: asked.owner }), chatType);
}

/** Ends the answers on which the agent works. A page that is closed ends none. */
export async function answerStop(
  parts: GatewayParts,
  asked: WebRequest,
  exposed: ExposedType,
  chat: string,
): Promise<Response> {
  chatOf(exposed);
  const agentId = exposed.agentAt(chat, asked.principal);
  await assertMay(parts, asked, { action: "cancel-run", target: agentId.toString() });
  for (const { id } of await activeRuns(parts, asked, agentId)) {
    try {
      await parts.runtime.attachRun(agentId, id, { owner: asked.owner }).cancel("the user has stopped it");
    } catch (error) {
      // It has ended meanwhile, and its time is over.
      if (!(error instanceof TroupeError && error.code === "not-found")) throw error;
    }
  }
  return new Response(null, { status: 204 });
}

/** Tells what was said in a chat, without the answer on which the agent works. */
export async function answerHistory(
  parts: GatewayParts,
  asked: WebRequest,
  { exposed, history, chat }: { readonly exposed: ExposedType; readonly history: MessageType; readonly chat: string },
): Promise<Response> {
  const agentId = exposed.agentAt(chat, asked.principal);
  const messageType = history.typeName;
  await assertMay(parts, asked, { action: "read-chat", target: agentId.toString(), messageType });
  return callResponse(parts, asked, readFields(history, {}), { agentId, timeoutMs: parts.limits.callTimeoutMs });
}

async function activeRuns({ runtime }: GatewayParts, { owner, signal }: WebRequest, agentId: AgentId) {
  const { runs } = await runtime.listRuns(agentId, { owner, status: "working", limit: mostRuns, signal });
  return runs;
}

function uiStream(parts: GatewayParts, asked: WebRequest, run: Run<unknown, unknown>, chatType: MessageType): Response {
  return streamResponse(parts, asked, (signal) => uiEvents(parts, run, { chatType, signal }), streamHeaders);
}

async function* uiEvents(
  parts: GatewayParts,
  run: Run<unknown, unknown>,
  { chatType, signal }: { readonly chatType: MessageType; readonly signal: AbortSignal },
): AsyncGenerator<string, void, undefined> {
  try {
    let hasBegun = false;
    let answer: unknown;
    try {
      const chunks = run.read({ from: 0, signal })[Symbol.asyncIterator]();
      try {
        for (;;) {
          const next = await chunks.next();
          if (next.done === true) {
            answer = next.value;
            break;
          }
          const { chunk } = next.value;
          yield formatEvent(hasBegun ? parts.exposed.toWeb(chunk).json : firstPart(parts, run, chunk));
          hasBegun = true;
        }
      } finally {
        await chunks.return?.();
      }
    } catch (error) {
      // A long run loses its oldest chunks. A page can't show a message without its beginning, but its end as a whole.
      if (hasBegun || !isGone(error)) throw error;
      answer = await run.answer({ signal });
    }
    if (!hasBegun) for (const part of wholeParts(parts, run, { chatType, answer })) yield formatEvent(part);
  } catch (error) {
    if (signal.aborted) return;
    const isStopped = error instanceof TroupeError && error.code === "cancelled";
    const errorText = isGone(error) ? lost : toProblem(error, parts.log).message;
    yield formatEvent(JSON.stringify(isStopped ? { type: "abort" } : { type: "error", errorText }));
  }
  yield formatEvent("[DONE]");
}

function isGone(error: unknown): boolean {
  return error instanceof TroupeError && error.code === "gone";
}

/** The message of a page has the id of its run, so that an answer that is sent again is the same message. */
function firstPart({ exposed }: GatewayParts, { id }: Run<unknown, unknown>, chunk: unknown): string {
  const { json } = exposed.toWeb(chunk);
  const part: unknown = JSON.parse(json);
  return isFields(part) && part.type === "start" ? JSON.stringify({ messageId: id, ...part }) : json;
}

/** Yields the parts of an answer that came in one piece. */
function* wholeParts(
  { exposed }: GatewayParts,
  { id: messageId }: Run<unknown, unknown>,
  { chatType, answer }: { readonly chatType: MessageType; readonly answer: unknown },
): Generator<string, void, undefined> {
  yield JSON.stringify({ type: "start", messageId });
  yield JSON.stringify({ type: "start-step" });
  for (const part of chatType.whole?.(answer) ?? []) yield exposed.toWeb(part).json;
  yield JSON.stringify({ type: "finish-step" });
  yield JSON.stringify({ type: "finish" });
}

function chatOf({ chat }: ExposedType): MessageType {
  if (chat === undefined) throw nothingHere();
  return chat;
}

interface UserMessage {
  readonly id: string;
  readonly parts: readonly unknown[];
}

/** Reads what a chat page of the AI SDK sends. */
function promptOf({ id: chat, messages, trigger }: BodyFields): {
  readonly chat: string;
  readonly message: UserMessage;
} {
  if (typeof chat !== "string" || chat === "") throw invalid("The field id must be the id of the chat.");
  if (trigger !== undefined && trigger !== "submit-message") {
    throw invalid("The agent has its own history, and answers no message a second time. Send a new message.");
  }
  const last: unknown = Array.isArray(messages) ? messages.at(-1) : undefined;
  if (!isFields(last) || last.role !== "user" || !Array.isArray(last.parts)) {
    throw invalid('The last of the field messages must be a message of the role "user" with parts.');
  }
  const { id, parts } = last;
  if (!isIdempotencyKey(id) || !isIdempotencyKey(`chat:${id}`) || hasControl(id)) {
    throw invalid("The id of a message must be a text of 1 to 251 characters, without control characters.");
  }
  return { chat, message: { id, parts } };
}

function textOf({ parts }: UserMessage): string {
  const texts = parts.map((part) => (isFields(part) && part.type === "text" ? part.text : ""));
  return texts.map((text) => (typeof text === "string" ? text : "")).join("");
}

/** Returns the files that the message contains. A URL would make the server read an address of the client's choice. */
function filesOf({ parts }: UserMessage): readonly { readonly media_type: string; readonly data: string }[] {
  return parts.filter(isFields).flatMap(({ type, mediaType, url }) => {
    if (type !== "file") return [];
    const [, data] = (typeof url === "string" && /^data:[^,]{0,200};base64,([A-Za-z0-9+/]*={0,2})$/.exec(url)) || [];
    if (data === undefined || typeof mediaType !== "string") {
      throw invalid("A file must be in the message itself, as a data URL with base64 and a media type.");
    }
    return [{ media_type: mediaType, data }];
  });
}
