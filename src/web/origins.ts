import { HttpProblem } from "../http/internal.ts";

const methods = "GET, HEAD, POST, PUT, DELETE";

/** Decides which pages may ask, and tells browsers so (CORS). */
export class Origins {
  readonly #listed: ReadonlySet<string>;

  constructor(listed: readonly string[]) {
    this.#listed = new Set(listed);
  }

  /** Throws the problem that refuses a request of a page of another site. A request of no page has no origin. */
  assertAllowed({ headers, url, method }: Request): void {
    const origin = headers.get("origin");
    const site = headers.get("sec-fetch-site");
    if (origin !== null) {
      if (this.#listed.has(origin)) return;
      // A page of another scheme or port may have the name of this host: browsers say so.
      if (hostOf(origin) === new URL(url).host && (site === null || site === "same-origin")) return;
      throw otherSite();
    }
    if (site !== null && site !== "same-origin" && site !== "none") throw otherSite();
    // A browser shows cookies by itself, whatever page it is on. One that says neither origin nor site may be on any page.
    if (headers.has("cookie") && site === null && method !== "GET" && method !== "HEAD") throw otherSite();
  }

  /** Returns the request without its cookies if a page of another site has sent it. Such a page may not act for the user that is signed in here. */
  withoutForeignCookies(request: Request): Request {
    const { headers, url } = request;
    const origin = headers.get("origin");
    const isOwn =
      origin === null || hostOf(origin) === new URL(url).host || headers.get("sec-fetch-site") === "same-origin";
    if (isOwn || !headers.has("cookie")) return request;
    const kept = new Headers(headers);
    kept.delete("cookie");
    return new Request(request, { headers: kept });
  }

  /** Returns the headers by which a browser lets a page of another site read the answer. */
  headersFor({ headers }: Request): Readonly<Record<string, string>> {
    const origin = headers.get("origin");
    if (origin === null || !this.#listed.has(origin)) return {};
    const exposed =
      "retry-after, troupe-type, troupe-run-status, troupe-run-first, troupe-run-next, x-vercel-ai-ui-message-stream";
    return { "access-control-allow-origin": origin, "access-control-expose-headers": exposed, vary: "origin" };
  }

  /** Answers the question of a browser whether a page may ask. */
  preflight(request: Request): Response {
    const allowed = this.headersFor(request);
    if (Object.keys(allowed).length === 0) throw otherSite();
    const headers = {
      ...allowed,
      "access-control-allow-methods": methods,
      "access-control-allow-headers": "authorization, content-type, last-event-id, user-agent",
      "access-control-max-age": "600",
    };
    return new Response(null, { status: 204, headers });
  }
}

function hostOf(origin: string): string | undefined {
  try {
    return new URL(origin).host;
  } catch {
    return undefined;
  }
}

function otherSite(): HttpProblem {
  return new HttpProblem(
    403,
    "not-authorized",
    "Pages of this site may not ask. The option origins of the gateway lists those that may.",
  );
}
