import type { Buffer } from "node:buffer";
import type { IncomingHttpHeaders } from "node:http";
import { loggableUpTo } from "../core/internal.ts";
import type { HttpCaller } from "./http-admission.ts";
import { HttpProblem } from "./http-problem.ts";
import type { RequestQuery } from "./request-query.ts";

/** Takes the bytes that one request makes the process keep. A `MemoryAccount` of the transport is one. */
export interface RequestAccount {
  /** False: the bytes must not be kept. */
  take(bytes: number): boolean;
  /** The reason for which `take` has refused, for the client. */
  whyNot(bytes: number): string;
  /** Gives everything back. */
  close(): void;
}

/** A request before its body is read. */
export interface HttpRequestHead {
  readonly query: RequestQuery;
  readonly headers: IncomingHttpHeaders;
  readonly caller: HttpCaller;
}

/** A request as a handler sees it. */
export interface HttpRequest extends HttpRequestHead {
  /** Empty unless the route takes a body. */
  readonly body: Buffer;
  readonly account: RequestAccount;
  /** Aborted when the client has gone, and when the server ends. */
  readonly signal: AbortSignal;
}

/** An answer in another format than JSON, or with another status than 200. */
export class HttpText {
  readonly status: number;
  readonly type: string;
  readonly text: string;
  /** Headers in place of those that all answers have. Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;

  constructor(status: number, type: string, text: string, headers: Readonly<Record<string, string>> = {}) {
    this.status = status;
    this.type = type;
    this.text = text;
    this.headers = headers;
  }
}

/** Texts by their paths that every client gets without showing who it is: the files of a page. */
export type PublicFiles = ReadonlyMap<string, HttpText>;

/** One path with one method. */
export interface HttpRoute {
  readonly method: "GET" | "POST" | "PUT" | "DELETE";
  readonly path: string;
  /** Names of the parameters that the path has. */
  readonly parameters: readonly string[];
  /** Bytes of a body. Default: the route takes none. */
  readonly maxBodyBytes?: number | undefined;
  /** Throws the problem that refuses a request whose body is not worth reading. Default: every body is read. */
  readonly check?: ((head: HttpRequestHead) => void) | undefined;
  /** Resolves to what is sent as JSON, to an `HttpText`, or to an `HttpStream`. Rejects with an `HttpProblem` or a `TroupeError`. */
  readonly handle: (request: HttpRequest) => Promise<unknown>;
  /** True: a client on this machine needs no token. Default: false. */
  readonly isOpen?: boolean | undefined;
}

/** Finds the route of a request. */
export class RouteTable {
  readonly #byPath = new Map<string, Map<string, HttpRoute>>();

  constructor(routes: readonly HttpRoute[]) {
    for (const route of routes) {
      const known = this.#byPath.get(route.path) ?? new Map<string, HttpRoute>();
      known.set(route.method, route);
      this.#byPath.set(route.path, known);
    }
  }

  /** Finds a route that needs no token. It reads the path alone. */
  findOpen(method: string, url: string): HttpRoute | undefined {
    const [path = ""] = url.split("?", 1);
    const route = this.#byPath.get(path)?.get(method);
    return route?.isOpen === true ? route : undefined;
  }

  /** Throws a problem if there is none. */
  find(method: string, path: string): HttpRoute {
    const known = this.#byPath.get(path);
    if (known === undefined) throw new HttpProblem(404, "not-found", `There is nothing at ${loggableUpTo(200, path)}.`);
    const route = known.get(method);
    if (route !== undefined) return route;
    const allow = [...known.keys(), ...(known.has("GET") ? ["HEAD"] : [])].join(", ");
    throw new HttpProblem(405, "invalid-argument", `This path has the methods: ${allow}.`, { headers: { allow } });
  }
}
