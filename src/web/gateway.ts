import {
  type AgentRuntime,
  assertObject,
  CodecRegistry,
  isIdempotencyKey,
  joinSignals,
  LimitedLog,
  randomId,
  systemClock,
  TopicId,
  TroupeError,
} from "../core/internal.ts";
import { HttpProblem } from "../http/internal.ts";
import { BodyBytes } from "./body-bytes.ts";
import { Exposed, hasControl, longestKey } from "./exposed.ts";
import { assertGatewayOptions, type GatewayOptions, limitsOf } from "./gateway-options.ts";
import { describeGateway } from "./openapi.ts";
import { Origins } from "./origins.ts";
import { Places } from "./places.ts";
import { type GatewayPeer, ownerOf, Requesters } from "./requester.ts";
import { answerCall, answerStream } from "./routes/agent-routes.ts";
import { answerHistory, answerPrompt, answerResume, answerStop } from "./routes/chat-routes.ts";
import { answerCancel, answerRead, answerStart, answerStatus } from "./routes/run-routes.ts";
import { answerPublish, answerSubscribe, eventText } from "./routes/topic-routes.ts";
import { StartedRuns } from "./started-runs.ts";
import { TopicFeed } from "./topic-feed.ts";
import { nothingHere, problemResponse, toProblem } from "./web-problem.ts";
import { type GatewayParts, jsonResponse, type WebRequest } from "./web-request.ts";

/** Answers HTTP requests by agents. `fetch` is the handler that servers and frameworks take. */
export interface Gateway extends AsyncDisposable {
  /** Answers one request. It never rejects. `peer` says where the request comes from; a gateway with `authenticate` does not need it. */
  readonly fetch: (request: Request, peer?: GatewayPeer) => Promise<Response>;
  /** Ends all open streams and what they subscribe to. Runs go on. */
  close(): Promise<void>;
}

/**
 * Makes a handler of HTTP requests by which browsers reach agents: calls, streams, runs, chats and topics. Nothing is reached that the options do not
 * expose. Throws `invalid-argument` for options that it can't take.
 *
 * @example
 * ```ts
 * const gateway = createGateway(runtime, { expose: { poet: { messages: [AskPoem] } } });
 * createServer(toNodeHandler(gateway)).listen(8080, "127.0.0.1");
 * ```
 */
export function createGateway(runtime: AgentRuntime, options: GatewayOptions = {}): Gateway {
  assertObject(runtime, "The runtime of a gateway");
  if (typeof runtime.sendMessage !== "function" || typeof runtime.startRun !== "function") {
    throw new TroupeError("invalid-argument", "createGateway takes a runtime first: createGateway(runtime, options).");
  }
  assertGatewayOptions(options);
  return new WebGateway(runtime, options);
}

type Handler = (asked: WebRequest) => Promise<Response>;
type Methods = { readonly [method: string]: Handler };

/** Characters of a path. A type and a key of 1,024 characters fit, percent-encoded. */
const longestPath = 16 * 1024;

const commonHeaders = {
  "cache-control": "no-store",
  "x-content-type-options": "nosniff",
  "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
  "referrer-policy": "no-referrer",
} as const;

class WebGateway implements Gateway {
  readonly #parts: GatewayParts;
  readonly #basePath: string;
  readonly #origins: Origins;
  readonly #requesters: Requesters;
  readonly #bodies: BodyBytes;
  readonly #started: StartedRuns;
  readonly #feed: TopicFeed;
  readonly #end = new AbortController();
  #description: string | undefined;

  constructor(runtime: AgentRuntime, options: GatewayOptions) {
    const { expose = {}, topics = {}, authenticate, may, origins = [], basePath = "", clock = systemClock } = options;
    const limits = limitsOf(options.limits);
    const exposed = new Exposed(expose, topics, new CodecRegistry());
    // Answers, chunks and events come as what they are.
    runtime.addMessageSerializer(exposed.types());
    const log = new LimitedLog(runtime.logger, clock);
    const places = new Places({ requests: limits.maxRequests, streams: limits.maxStreams, runs: limits.maxRuns });
    this.#parts = { runtime, exposed, places, limits, clock, log, may, ending: this.#end.signal };
    this.#basePath = basePath;
    this.#origins = new Origins(origins);
    this.#bodies = new BodyBytes(limits.maxTotalBodyBytes);
    this.#requesters = new Requesters({ authenticate, clock, log });
    this.#started = new StartedRuns(this.#parts);
    const format = (topicType: string, message: unknown) => eventText({ exposed }, topicType, message);
    this.#feed = new TopicFeed(runtime, { makeId: randomId, log, format });
  }

  readonly fetch = async (request: Request, peer: GatewayPeer = {}): Promise<Response> => {
    let response: Response;
    try {
      response = await this.#answer(request, peer);
    } catch (error) {
      response = problemResponse(toProblem(error, this.#parts.log));
    }
    const headers = { ...commonHeaders, ...this.#origins.headersFor(request) };
    for (const [name, value] of Object.entries(headers)) response.headers.set(name, value);
    return response;
  };

  async close(): Promise<void> {
    this.#end.abort(new TroupeError("shutting-down", "The gateway is closing."));
    await this.#feed.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #answer(request: Request, peer: GatewayPeer): Promise<Response> {
    const { signal, letGo } = joinSignals(request.signal, this.#end.signal);
    try {
      signal.throwIfAborted();
      return await this.#answerWithin(request, peer, signal);
    } finally {
      letGo();
    }
  }

  async #answerWithin(sent: Request, peer: GatewayPeer, signal: AbortSignal): Promise<Response> {
    this.#origins.assertAllowed(sent);
    if (sent.method === "OPTIONS") return this.#origins.preflight(sent);
    const request = this.#origins.withoutForeignCookies(sent);
    // Before a path or a body is looked at: a client that is not known learns nothing.
    const principal = await this.#requesters.find(request, peer, signal);
    const owner = ownerOf(principal);
    const url = new URL(request.url);
    const methods = this.#methodsAt(this.#segmentsOf(url));
    const handler = Object.hasOwn(methods, request.method) ? methods[request.method] : undefined;
    if (handler === undefined) {
      const headers = { allow: Object.keys(methods).join(", ") };
      throw new HttpProblem(405, "invalid-argument", `This path has the methods: ${headers.allow}.`, { headers });
    }
    const release = this.#parts.places.take("requests", owner);
    const held = this.#bodies.open(owner);
    try {
      return await handler({ request, url, principal, owner, held, signal });
    } finally {
      held.answered();
      release();
    }
  }

  #segmentsOf({ pathname }: URL): readonly string[] {
    if (pathname.length > longestPath) throw new HttpProblem(414, "invalid-argument", "The path is too long.");
    if (!pathname.startsWith(`${this.#basePath}/`)) throw nothingHere();
    let segments: readonly string[];
    try {
      segments = pathname
        .slice(this.#basePath.length + 1)
        .split("/")
        .map(decodeURIComponent);
    } catch (cause) {
      throw new HttpProblem(400, "invalid-argument", "The path is not percent-encoded UTF-8.", { cause });
    }
    if (segments.some(hasControl))
      throw new HttpProblem(400, "invalid-argument", "The path contains a control character.");
    return segments;
  }

  /** Returns what a path can do, by method. Throws the problem for a path at which nothing is. */
  #methodsAt([kind, type = "", key = "", what, id, ...more]: readonly string[]): Methods {
    if (more.length > 0) throw nothingHere();
    if (kind === "agents" && what !== undefined) return this.#agentMethods({ type, key, what, id });
    if (kind === "chat" && id === undefined) return this.#chatMethods({ type, chat: key, what });
    if (kind === "topics" && key !== "" && what === undefined) return this.#topicMethods(type, key);
    if (kind === "openapi.json" && type === "" && key === "")
      return {
        GET: async () => jsonResponse(this.#describe()),
        HEAD: async () => headOf(jsonResponse(this.#describe())),
      };
    throw nothingHere();
  }

  #agentMethods({ type, key, what, id }: { type: string; key: string; what: string; id: string | undefined }): Methods {
    const parts = this.#parts;
    const exposed = parts.exposed.agent(type);
    const target = ({ principal }: WebRequest) => ({ exposed, agentId: exposed.agentAt(key, principal) });
    if (what === "calls" && id === undefined) return { POST: async (asked) => answerCall(parts, asked, target(asked)) };
    if (what === "streams" && id === undefined)
      return { POST: async (asked) => answerStream(parts, asked, target(asked)) };
    if (what !== "runs" || id === undefined) throw nothingHere();
    if (!isIdempotencyKey(id))
      throw new HttpProblem(400, "invalid-argument", "The id of a run has 1 to 256 characters.");
    const run = (asked: WebRequest) => ({ ...target(asked), id });
    return {
      PUT: async (asked) => answerStart(parts, this.#started, asked, run(asked)),
      GET: async (asked) => answerRead(parts, asked, run(asked)),
      HEAD: async (asked) => answerStatus(parts, asked, run(asked)),
      DELETE: async (asked) => answerCancel(parts, asked, run(asked)),
    };
  }

  #chatMethods({ type, chat, what }: { type: string; chat: string; what: string | undefined }): Methods {
    const parts = this.#parts;
    const exposed = parts.exposed.agent(type);
    if (exposed.chat === undefined) throw nothingHere();
    if (chat === "" && what === undefined)
      return { POST: async (asked) => answerPrompt(parts, this.#started, asked, exposed) };
    const { history } = exposed;
    if (chat !== "" && what === undefined && history !== undefined)
      return { GET: async (asked) => answerHistory(parts, asked, { exposed, history, chat }) };
    if (chat !== "" && what === "stream") return { GET: async (asked) => answerResume(parts, asked, exposed, chat) };
    if (chat !== "" && what === "stop") return { POST: async (asked) => answerStop(parts, asked, exposed, chat) };
    throw nothingHere();
  }

  #topicMethods(type: string, source: string): Methods {
    const parts = this.#parts;
    const { subscribe = [], publish = [] } = parts.exposed.topic(type);
    if (source.length > longestKey)
      throw new HttpProblem(400, "invalid-argument", `The source of a topic has 1 to ${longestKey} characters.`);
    return {
      ...(subscribe.length > 0 && {
        GET: async (asked: WebRequest) => answerSubscribe(parts, this.#feed, asked, new TopicId(type, source)),
      }),
      ...(publish.length > 0 && {
        POST: async (asked: WebRequest) => answerPublish(parts, asked, new TopicId(type, source)),
      }),
    };
  }

  #describe(): string {
    this.#description ??= JSON.stringify(describeGateway(this.#parts.exposed, this.#basePath));
    return this.#description;
  }
}

/** The same answer without its body. */
function headOf({ status, headers }: Response): Response {
  return new Response(null, { status, headers });
}
