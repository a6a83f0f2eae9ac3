import { type Clock, errorText, joinSignals, type RuntimeLog, TroupeError, untilAborted } from "../core/internal.ts";
import { HttpProblem, isLoopbackName } from "../http/internal.ts";
import { type Authentication, isPrincipalName, type Principal } from "../security/internal.ts";
import { FairShare, partyOf } from "../transport/accounting/internal.ts";
import { type GatewayOptions, isAuthenticator } from "./gateway-options.ts";

/** Facts that a server has of the connection of a request. */
export interface GatewayPeer {
  /** The address of the client, as `socket.remoteAddress` of Node.js tells it. */
  readonly remoteAddress?: string | undefined;
}

/** Characters of the name of a principal: runs keep it with their own prefix. */
const longestName = 240;
const waitMs = 30_000;
/** Requests whose sender is looked up at once. An address may have twice as many as are free, so that it keeps no other one out. */
const mostWaiting = 1_000;

/** Finds out who sends requests. */
export class Requesters {
  readonly #parts: {
    readonly authenticate: GatewayOptions["authenticate"];
    readonly clock: Clock;
    readonly log: RuntimeLog;
  };
  readonly #waiting = new FairShare(mostWaiting);

  constructor(parts: {
    readonly authenticate: GatewayOptions["authenticate"];
    readonly clock: Clock;
    readonly log: RuntimeLog;
  }) {
    this.#parts = parts;
  }

  /** Returns the principal. Undefined: a client on this machine, at a gateway that asks for none. Rejects with the problem that refuses it. */
  async find(request: Request, peer: GatewayPeer, signal: AbortSignal): Promise<Principal | undefined> {
    const { authenticate, log } = this.#parts;
    if (authenticate === undefined) return assertLocal(request, peer);
    const party = partyOf(peer.remoteAddress);
    if (!this.#waiting.mayAdd(party)) throw cantFindOut();
    this.#waiting.add(party);
    let answer: Authentication;
    try {
      answer = await this.#ask(request, peer, signal);
    } catch (error) {
      signal.throwIfAborted();
      answer = { at: "refused", reason: `the authenticator failed: ${errorText(error)}` };
    } finally {
      this.#waiting.remove(party);
    }
    if (
      answer.at === "known" &&
      isPrincipalName(answer.principal?.name) &&
      answer.principal.name.length <= longestName
    ) {
      return answer.principal;
    }
    const reason =
      "reason" in answer
        ? answer.reason
        : `the authenticator has named no principal with a name of 1 to ${longestName} characters`;
    log.warn("a request of the web is refused: its sender is unknown", { address: peer.remoteAddress, reason });
    if (answer.at === "unavailable") throw cantFindOut();
    const headers = { "www-authenticate": "Bearer" };
    throw new HttpProblem(401, "not-authorized", "The server does not know you. Sign in, and show your token.", {
      headers,
    });
  }

  async #ask(request: Request, { remoteAddress = "" }: GatewayPeer, gone: AbortSignal): Promise<Authentication> {
    const { authenticate, clock } = this.#parts;
    const late = new AbortController();
    const timer = clock.setTimer(waitMs, () => late.abort(new TroupeError("timed-out", `no answer in ${waitMs} ms`)));
    const { signal, letGo } = joinSignals(gone, late.signal);
    try {
      if (isAuthenticator(authenticate)) {
        const metadata = Object.fromEntries(request.headers);
        const caller = { method: "Web", metadata, peer: remoteAddress, signal };
        return await untilAborted(Promise.resolve(authenticate.authenticate(caller)), { signal }, "the authenticator");
      }
      const principal = await untilAborted(Promise.resolve(authenticate?.(request)), { signal }, "authenticate");
      return principal === undefined
        ? { at: "unknown", reason: "the function does not know it" }
        : { at: "known", principal };
    } finally {
      timer.cancel();
      letGo();
    }
  }
}

function cantFindOut(): HttpProblem {
  return new HttpProblem(503, "overloaded", "The server can't find out now who asks. Try again later.");
}

/** Headers that a proxy adds: the client may be anywhere then. */
const proxyHeaders = ["forwarded", "x-forwarded-for", "x-real-ip", "via"];

function assertLocal({ headers, url }: Request, { remoteAddress }: GatewayPeer): undefined {
  const { hostname } = new URL(url);
  // A page in a browser can make its own name stand for this machine.
  const isNamedLocally = isLoopbackName(hostname.replace(/^\[(.*)\]$/, "$1"));
  const isProxied = proxyHeaders.some((name) => headers.has(name));
  if (remoteAddress !== undefined && isLoopbackName(remoteAddress) && isNamedLocally && !isProxied) return undefined;
  const why =
    remoteAddress === undefined
      ? "It can't tell whether a request comes from this machine: the server did not pass the address of the client."
      : "It answers only clients on this machine that ask it by a name of this machine.";
  const detail = `This gateway has no \`authenticate\`. ${why} Give createGateway the option authenticate.`;
  throw new HttpProblem(403, "not-authorized", detail);
}

/** Returns the name under which a principal owns runs. Without principals all clients are one. */
export function ownerOf(principal: Principal | undefined): string {
  return principal === undefined ? "web" : `web:${principal.name}`;
}
