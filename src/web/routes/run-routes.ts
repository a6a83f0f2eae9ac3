import type { Run, RunStatus } from "../../core/internal.ts";
import { HttpProblem } from "../../http/internal.ts";
import { invalid } from "../exposed.ts";
import type { StartedRuns } from "../started-runs.ts";
import { errorEvent, messageEvent, streamResponse } from "../streaming.ts";
import { assertMay, type GatewayParts, jsonResponse, readJson, type WebRequest } from "../web-request.ts";
import { type AgentTarget, messageOf, timeIn } from "./agent-routes.ts";

export interface RunTarget extends AgentTarget {
  readonly id: string;
}

/** The id of the event that ends a run: a browser that asks for more gets 204, and comes back no more. */
const endId = "end";

/** Starts a run, or finds the one that began with an equal message. */
export async function answerStart(
  parts: GatewayParts,
  started: StartedRuns,
  asked: WebRequest,
  target: RunTarget,
): Promise<Response> {
  const { agentId, id } = target;
  const body = await readJson(parts, asked);
  const { message, messageType } = messageOf(body, target);
  await assertMay(parts, asked, { action: "run", target: agentId.toString(), messageType });
  const { run, isNew } = await started.start(message, agentId, { id, owner: asked.owner, timeoutMs: timeIn(body) });
  return statusResponse(await run.status({ signal: asked.signal }), isNew ? 201 : 200);
}

/** Tells how far a run is, in headers alone for HEAD. */
export async function answerStatus(parts: GatewayParts, asked: WebRequest, target: RunTarget): Promise<Response> {
  const status = await statusOf(parts, asked, target);
  return new Response(null, { headers: headersOf(status) });
}

/** Reads a run from an offset until it ends. Readers come and go. */
export async function answerRead(parts: GatewayParts, asked: WebRequest, target: RunTarget): Promise<Response> {
  const { request, url } = asked;
  const last = request.headers.get("last-event-id");
  const status = await statusOf(parts, asked, target);
  if (last === endId) return new Response(null, { status: 204, headers: headersOf(status) });
  const from = last === null ? offsetOf(url.searchParams.get("offset")) : nextOf(last);
  if (from !== undefined && (from < status.first || from > status.next)) throw gone(status, from);
  const run = runOf(parts, asked, target);
  return streamResponse(parts, asked, (signal) => runEvents(parts, run, { from, signal }), headersOf(status));
}

/** Ends a run. */
export async function answerCancel(parts: GatewayParts, asked: WebRequest, target: RunTarget): Promise<Response> {
  await assertMay(parts, asked, { action: "cancel-run", target: target.agentId.toString() });
  return statusResponse(await runOf(parts, asked, target).cancel("the client has asked for it"), 200);
}

async function* runEvents(
  parts: GatewayParts,
  run: Run<unknown, unknown>,
  { from, signal }: { readonly from: number | undefined; readonly signal: AbortSignal },
): AsyncGenerator<string, void, undefined> {
  const { exposed } = parts;
  try {
    const chunks = run.read({ from, signal })[Symbol.asyncIterator]();
    try {
      for (;;) {
        const next = await chunks.next();
        if (next.done === true) {
          yield messageEvent("answer", exposed.toWeb(next.value), endId);
          return;
        }
        const { offset, chunk } = next.value;
        yield messageEvent("chunk", exposed.toWeb(chunk), String(offset));
      }
    } finally {
      await chunks.return?.();
    }
  } catch (error) {
    if (!signal.aborted) yield errorEvent(error, parts);
  }
}

async function statusOf(parts: GatewayParts, asked: WebRequest, target: RunTarget): Promise<RunStatus> {
  await assertMay(parts, asked, { action: "read-run", target: target.agentId.toString() });
  return await runOf(parts, asked, target).status({ signal: asked.signal });
}

function runOf({ runtime }: GatewayParts, { owner }: WebRequest, { agentId, id }: RunTarget): Run<unknown, unknown> {
  return runtime.attachRun(agentId, id, { owner });
}

function headersOf({ status, first, next }: RunStatus): Readonly<Record<string, string>> {
  return { "troupe-run-status": status, "troupe-run-first": String(first), "troupe-run-next": String(next) };
}

function statusResponse(status: RunStatus, code: number): Response {
  const { id, first, next, startedAt, updatedAt, error } = status;
  const told = { id, status: status.status, first, next, startedAt, updatedAt, ...(error && { code: error.code }) };
  return jsonResponse(JSON.stringify(told), code, headersOf(status));
}

function offsetOf(text: string | null): number | undefined {
  if (text === null) return undefined;
  if (!/^\d{1,15}$/.test(text)) throw invalid("The parameter offset must be a whole number of at least 0.");
  return Number(text);
}

/** Returns the offset behind the event that the client has seen last. */
function nextOf(last: string): number {
  if (!/^\d{1,15}$/.test(last)) throw invalid("The header last-event-id must be the id of an event of this run.");
  return Number(last) + 1;
}

/** A chunk that a run has not had yet may be one of an earlier run of this id, which was lost with its worker. */
function gone({ first, next }: RunStatus, from: number): HttpProblem {
  const detail =
    from < first
      ? `These chunks of the run are not kept any more. The first one that is has the offset ${first}.`
      : `The run has no chunk before this offset. The next one that it has will have the offset ${next}.`;
  return new HttpProblem(410, "gone", detail);
}
