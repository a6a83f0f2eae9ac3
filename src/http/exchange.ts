import { Buffer } from "node:buffer";
import type { IncomingMessage, ServerResponse } from "node:http";
import { type Clock, errorText, joinSignals, loggableError, type RuntimeLog, TroupeError } from "../core/internal.ts";
import type { HttpAdmission, HttpCaller } from "./http-admission.ts";
import { httpLimits } from "./http-limits.ts";
import { formatProblem, HttpProblem, problemType, statusOf } from "./http-problem.ts";
import { type HttpRoute, HttpText, type PublicFiles, type RequestAccount, type RouteTable } from "./http-route.ts";
import { HttpStream, sendStream } from "./http-stream.ts";
import { hasBody, noSpace, readBody } from "./request-body.ts";
import { RequestQuery } from "./request-query.ts";

export interface ExchangeParts {
  readonly routes: RouteTable;
  readonly files: PublicFiles;
  readonly admission: HttpAdmission;
  readonly log: RuntimeLog;
  readonly clock: Clock;
  /** Opens the account of one request; `giveWay` is called when others need its bytes. `from`: the address of the client. */
  readonly openAccount: (giveWay: () => void, from: string | undefined) => RequestAccount;
  /** Called when the client has shown who it is. */
  readonly onKnown: (caller: HttpCaller) => void;
  /** Aborted when the server ends. */
  readonly ending: AbortSignal;
}

/** Answers one request. Resolves when the answer was sent, or the connection has ended. Never rejects. */
export async function answer(request: IncomingMessage, response: ServerResponse, parts: ExchangeParts): Promise<void> {
  const gone = new AbortController();
  const closed = new Promise<void>((resolve) => {
    response.once("close", () => {
      gone.abort(new TroupeError("cancelled", "The client has closed its connection."));
      resolve();
    });
  });
  const account = parts.openAccount(() => request.socket.destroy(), request.socket.remoteAddress);
  // It lets go when the connection has closed.
  const { signal } = joinSignals(gone.signal, parts.ending);
  let timer: { cancel(): void } | undefined;
  try {
    const sent = await answerTo(request, parts, { account, gone: gone.signal, signal });
    if (sent === undefined) return;
    if (sent instanceof HttpStream) {
      if (response.destroyed) return;
      response.writeHead(200, { ...commonHeaders, "content-type": eventStreamType });
      if (request.method === "HEAD") response.end();
      else await sendStream(response, sent, { clock: parts.clock, signal: gone.signal });
      return;
    }
    timer = parts.clock.setTimer(httpLimits.answerMs, () => request.socket.destroy());
    send(response, sent);
  } finally {
    await closed;
    timer?.cancel();
    account.close();
  }
}

/** Undefined: the client has gone. */
async function answerTo(
  request: IncomingMessage,
  parts: ExchangeParts,
  {
    account,
    gone,
    signal,
  }: { readonly account: RequestAccount; readonly gone: AbortSignal; readonly signal: AbortSignal },
): Promise<Sent | HttpStream | undefined> {
  try {
    const answer = await outcomeOf(request, parts, { account, signal });
    if (answer instanceof HttpStream) return answer;
    const { status, text, type, headers } = answer;
    return { status, text, type, headers: { ...commonHeaders, ...headers }, closes: parts.ending.aborted };
  } catch (error) {
    if (gone.aborted) return undefined;
    const problem = problemOf(error, parts);
    if (problem.status === 403)
      parts.log.warn("a request is refused", { address: request.socket.remoteAddress, reason: problem.message });
    const { status, headers, closes } = problem;
    return {
      status,
      text: formatProblem(problem),
      type: problemType,
      headers: { ...headers, ...commonHeaders },
      closes,
    };
  }
}

async function outcomeOf(
  request: IncomingMessage,
  { routes, files, admission, log, onKnown }: ExchangeParts,
  { account, signal }: { readonly account: RequestAccount; readonly signal: AbortSignal },
): Promise<HttpText | HttpStream> {
  if (isFromAnotherSite(request)) throw crossSite();
  // A HEAD is answered as a GET; Node.js leaves the body out.
  const method = request.method === "HEAD" ? "GET" : (request.method ?? "");
  const file = method === "GET" ? files.get((request.url ?? "").split("?", 1)[0] ?? "") : undefined;
  // At an address of this machine, a page whose name stands for this machine gets no file either.
  if (file !== undefined && (!admission.hasOpenRoutes || isNamedLocally(request))) {
    if (hasBody(request)) throw noBody();
    return withSpace(file, account);
  }
  const open = admission.hasOpenRoutes ? routes.findOpen(method, request.url ?? "") : undefined;
  if (open !== undefined && isNamedLocally(request))
    return await answerOf(open, request, { account, signal, caller: { at: "operator" } });
  // Before anything else is read: a client that does not show who it is learns nothing, and costs nothing more.
  const caller = await admission.admit(request, { log, signal });
  onKnown(caller);
  const route = routes.find(method, new RequestQuery(request.url ?? "").path);
  return await answerOf(route, request, { account, signal, caller, log });
}

async function answerOf(
  route: HttpRoute,
  request: IncomingMessage,
  {
    account,
    signal,
    caller,
    log,
  }: {
    readonly account: RequestAccount;
    readonly signal: AbortSignal;
    readonly caller: HttpCaller;
    readonly log?: RuntimeLog | undefined;
  },
): Promise<HttpText | HttpStream> {
  const query = new RequestQuery(request.url ?? "");
  query.assertOnly(route.parameters);
  if (route.maxBodyBytes === undefined && hasBody(request)) throw noBody();
  const { headers } = request;
  route.check?.({ query, headers, caller });
  const { maxBodyBytes: maxBytes } = route;
  const body = maxBytes === undefined ? Buffer.alloc(0) : await readBody(request, { maxBytes, account, signal });
  if (route.method !== "GET")
    log?.info("an operator asks", { method: route.method, path: route.path, ...principalIn(caller), ...named(query) });
  const answer = await route.handle({ query, headers, body, account, caller, signal });
  if (answer instanceof HttpStream) return answer;
  const sent =
    answer instanceof HttpText ? answer : new HttpText(200, "application/json", JSON.stringify(answer ?? null));
  return withSpace(sent, account);
}

/** Returns the answer if the account takes its bytes. */
function withSpace(sent: HttpText, account: RequestAccount): HttpText {
  const bytes = Buffer.byteLength(sent.text);
  if (!account.take(bytes)) throw noSpace(account.whyNot(bytes));
  return sent;
}

function noBody(): HttpProblem {
  return new HttpProblem(400, "invalid-argument", "This path takes no body.", { closes: true });
}

/**
 * Whether the request names this machine as its host. A page in a browser can make its own name stand for this machine, and could read what
 * needs no token.
 */
function isNamedLocally({ headers }: IncomingMessage): boolean {
  const name = (headers.host ?? "").replace(/:\d+$/, "").replace(/^\[(.*)\]$/, "$1");
  return isLoopbackName(name);
}

/** The parameters that name what is changed, for the log. */
function named(query: RequestQuery): Readonly<Record<string, string>> {
  const fields: Record<string, string> = {};
  for (const name of ["id", "type", "key", "name", "letter"]) {
    const [value] = query.all(name);
    if (value !== undefined) fields[name] = value;
  }
  return fields;
}

function principalIn(caller: HttpCaller): { readonly principal?: string } {
  return caller.at === "operator" ? {} : { principal: caller.principal.name };
}

/**
 * Whether a page of another site has made a browser send the request. A browser shows a client certificate by itself, whatever page it
 * is on.
 */
function isFromAnotherSite({ headers }: IncomingMessage): boolean {
  const site = headers["sec-fetch-site"];
  if (site !== undefined && site !== "same-origin" && site !== "none") return true;
  const { origin } = headers;
  return origin !== undefined && origin.replace(/^https?:\/\//, "") !== headers.host;
}

function crossSite(): HttpProblem {
  return new HttpProblem(403, "not-authorized", "Pages of other sites may not ask this host.", { closes: true });
}

function problemOf(error: unknown, { log }: ExchangeParts): HttpProblem {
  if (error instanceof HttpProblem) return error;
  if (error instanceof TroupeError) {
    return new HttpProblem(statusOf(error.code), error.code, errorText(error), { cause: error });
  }
  log.error("a request failed", { error: loggableError(error) });
  return new HttpProblem(500, "handler-failed", "The request failed. The log of the host says why.", { cause: error });
}

const eventStreamType = "text/event-stream; charset=utf-8";

/** A browser that opens an answer shows and loads nothing, and no page of another site embeds it. */
const commonHeaders = {
  "cache-control": "no-store",
  "x-content-type-options": "nosniff",
  "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
  "cross-origin-resource-policy": "same-origin",
  "referrer-policy": "no-referrer",
} as const;

interface Sent {
  readonly status: number;
  readonly text: string;
  readonly type: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly closes: boolean;
}

function send(response: ServerResponse, { status, text, type, headers, closes }: Sent): void {
  if (response.destroyed) return;
  const content = { "content-type": type, "content-length": Buffer.byteLength(text) };
  response.writeHead(status, { ...headers, ...content, ...(closes ? { connection: "close" } : {}) });
  response.end(text);
}

/** Whether only this machine reaches an address, or a name stands for this machine. */
export function isLoopbackName(host: string): boolean {
  return /^(127(\.\d{1,3}){3}|::1|::ffff:127(\.\d{1,3}){3}|localhost)$/i.test(host);
}
