import type { IncomingMessage } from "node:http";
import { TLSSocket } from "node:tls";
import { errorText, type RuntimeLog } from "../core/internal.ts";
import { type Authentication, type Authenticator, isPrincipalName, type Principal } from "../security/internal.ts";
import type { BearerToken } from "./bearer-token.ts";
import { HttpProblem } from "./http-problem.ts";

/** The client that asks: the operator of this machine, who has shown the token of the server, or a principal. */
export type HttpCaller =
  | { readonly at: "operator" }
  | {
      readonly at: "principal";
      readonly principal: Principal;
      readonly address: string;
      readonly remoteAddress: string | undefined;
    };

/** Decides who asks. */
export interface HttpAdmission {
  /** True: a client on this machine asks for open routes without showing anything. */
  readonly hasOpenRoutes: boolean;
  /** Rejects, or throws, with the problem that refuses the request. It reads nothing but headers and the certificate. */
  admit(
    request: IncomingMessage,
    options: { readonly log: RuntimeLog; readonly signal: AbortSignal },
  ): HttpCaller | Promise<HttpCaller>;
}

/** Admits who shows a token. */
export function tokenAdmission(token: BearerToken): HttpAdmission {
  return {
    hasOpenRoutes: true,
    admit: (request, { log }) => {
      if (token.isShownBy(request.headers.authorization)) return { at: "operator" };
      log.warn("a request without the token is refused", { address: request.socket.remoteAddress });
      throw unauthorized(
        "Show the token in a header, `Authorization: Bearer TOKEN`. The host wrote it into its admin file.",
      );
    },
  };
}

/** Admits whom an authenticator knows. Each request is one question. */
export function principalAdmission(authenticator: Authenticator): HttpAdmission {
  return {
    hasOpenRoutes: false,
    admit: async (request, { log, signal }) => {
      const { socket } = request;
      const address = `${socket.remoteAddress ?? ""}:${socket.remotePort ?? 0}`;
      const certificate =
        socket instanceof TLSSocket && socket.authorized ? socket.getPeerX509Certificate() : undefined;
      const caller = { method: "Admin", metadata: metadataOf(request), peer: address, certificate, signal };
      let answer: Authentication;
      try {
        answer = await authenticator.authenticate(caller);
      } catch (error) {
        answer = { at: "refused", reason: `the authenticator failed: ${errorText(error)}` };
      }
      if (answer.at === "known" && isPrincipalName(answer.principal?.name))
        return { at: "principal", principal: answer.principal, address, remoteAddress: socket.remoteAddress };
      const reason = "reason" in answer ? answer.reason : "the authenticator has named no principal";
      log.warn("a request of an unknown caller is refused", { address: socket.remoteAddress, reason });
      if (answer.at === "unavailable")
        throw new HttpProblem(503, "overloaded", "The host can't find out now who asks. Try again later.");
      throw unauthorized("The host does not know the caller. Show it a token or a certificate that it accepts.");
    },
  };
}

function metadataOf({ headers }: IncomingMessage): Readonly<Record<string, string>> {
  const metadata: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) if (typeof value === "string") metadata[name] = value;
  return metadata;
}

function unauthorized(detail: string): HttpProblem {
  const headers = { "www-authenticate": "Bearer" };
  return new HttpProblem(401, "not-authorized", detail, { closes: true, headers });
}
