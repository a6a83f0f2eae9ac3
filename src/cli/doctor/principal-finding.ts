import { loggableText } from "../../core/internal.ts";
import { readWho } from "../../protocol/internal.ts";
import type { Finding } from "./findings.ts";

/** The things by which this machine could be known, and whether only this machine reaches the host. */
export interface Shown {
  readonly hasToken: boolean;
  readonly hasCertificate: boolean;
  readonly isLocal: boolean;
}

const check = "principal";

const inWords: Readonly<Record<string, string>> = {
  token: "by its token",
  jwt: "by its JSON Web Token",
  certificate: "by its certificate",
};

/** Says as whom a host knows this machine. `headers`: those of its answer to a data channel; undefined if none came. */
export function principalFinding(
  headers: { readonly [name: string]: unknown } | undefined,
  { hasToken, hasCertificate, isLocal }: Shown,
): Finding {
  if (headers === undefined || (headers["grpc-status"] ?? "0") !== "0")
    return { check, outcome: "skipped", text: "The host did not answer when asked as whom it knows this machine." };
  const told = readWho(headers);
  if (told === undefined)
    return { check, outcome: "skipped", text: "The host does not tell as whom it knows this machine: it is older." };
  if (told.name === undefined) {
    const shown = hasToken ? "the token" : hasCertificate ? "the certificate" : undefined;
    if (shown !== undefined)
      return {
        ...{ check, outcome: "warning" },
        text: `The host takes everybody and has not checked ${shown}. Start it with --tokens, --jwt-issuer or --tls-client-ca.`,
      };
    if (isLocal) return { check, outcome: "ok", text: "none: the host takes everybody who reaches it" };
    return {
      ...{ check, outcome: "warning" },
      text: "The host takes everybody who reaches it. Start it with --tokens, --jwt-issuer or --tls-client-ca.",
    };
  }
  const by = inWords[told.knownBy ?? ""];
  const name = loggableText(told.name);
  const known =
    by === undefined ? `the host knows this machine as ${name}` : `the host knows this machine as ${name}, ${by}`;
  if (hasToken && told.knownBy === "certificate")
    return {
      ...{ check, outcome: "warning" },
      text: `${known}. It reads no tokens: start it with --tokens or --jwt-issuer, or leave the token out.`,
    };
  return { check, outcome: "ok", text: known };
}
