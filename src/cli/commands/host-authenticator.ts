import type { Logger } from "../../core/internal.ts";
import {
  type AccessRules,
  type Authenticator,
  authenticatorsInTurn,
  certificateAuthenticator,
  openAccessRules,
  openQuotaRules,
  type Quotas,
  tokenAuthenticator,
} from "../../security/internal.ts";
import { isLocalAddress, parseAddress } from "../../transport/internal.ts";
import type { TlsFlags } from "./tls-files.ts";

/** Flags of `troupe host` that say who may call. */
export interface AuthenticationFlags extends TlsFlags {
  readonly tokens?: string;
  readonly jwtIssuer?: string;
  readonly jwtAudience?: string;
  readonly jwtKeys?: string;
  readonly rules?: string;
  readonly quotas?: string;
  readonly insecure: boolean;
}

/** The environment variable with a list of tokens. */
export const tokensVariable = "TROUPE_TOKENS";

/**
 * Makes the authenticator that flags and environment ask for. A worker with a token and a certificate is the principal of its token.
 * Undefined: they ask for none. Throws for flags that do not go together, and for files that can't be used.
 */
export async function authenticatorOf(
  flags: AuthenticationFlags,
  {
    environment,
    logger,
  }: { readonly environment: Readonly<Record<string, string | undefined>>; readonly logger: Logger },
): Promise<Authenticator | undefined> {
  const { tokens: file, jwtIssuer, jwtAudience, jwtKeys, tlsClientCa } = flags;
  const text = environment[tokensVariable];
  const all: Authenticator[] = [];
  if (file !== undefined) all.push(tokenAuthenticator({ file: named(file, "--tokens"), logger }));
  if (text !== undefined && text !== "") all.push(tokenAuthenticator({ text }));
  if (jwtIssuer !== undefined || jwtAudience !== undefined || jwtKeys !== undefined) {
    if (jwtIssuer === undefined || jwtAudience === undefined || jwtKeys === undefined)
      throw new Error("JSON Web Tokens need --jwt-issuer, --jwt-audience and --jwt-keys.");
    const { jwtAuthenticator } = await importJwt();
    all.push(jwtAuthenticator({ issuer: jwtIssuer, audience: jwtAudience.split(","), keys: jwtKeys, logger }));
  }
  if (tlsClientCa !== undefined) all.push(certificateAuthenticator());
  return all.length === 0 ? undefined : authenticatorsInTurn(...all);
}

/** Opens the rules that `--rules` names. Undefined: the flag is not there. */
export async function rulesOf(
  { rules: file }: Pick<AuthenticationFlags, "rules">,
  { authenticator, logger }: { readonly authenticator: Authenticator | undefined; readonly logger: Logger },
): Promise<AccessRules | undefined> {
  if (file === undefined) return undefined;
  if (authenticator === undefined)
    throw new Error("--rules needs to know who calls: use --tokens, --jwt-issuer or --tls-client-ca.");
  return openAccessRules({ file: named(file, "--rules"), logger });
}

/**
 * Opens the quotas: those of the file that `--quotas` names, else those beside the rules. Undefined: there is no such file. Without a way to know
 * callers, only quotas of addresses have an effect.
 */
export async function quotasOf(
  { quotas, rules }: Pick<AuthenticationFlags, "quotas" | "rules">,
  logger: Logger,
): Promise<Quotas | undefined> {
  const file = quotas ?? rules;
  return file === undefined ? undefined : openQuotaRules({ file: named(file, "--quotas"), logger });
}

/** Returns the name of a file. Throws for the empty one, which is often a variable of the shell that is not set. */
function named(file: string, flag: string): string {
  if (file === "") throw new Error(`${flag} needs the name of a file.`);
  return file;
}

async function importJwt() {
  try {
    return await import("../../security/jwt/index.ts");
  } catch (cause) {
    throw new Error("JSON Web Tokens need the package jose: npm install jose@6", { cause });
  }
}

/** Says what an address that other machines reach lacks, with the flags that help. Undefined: nothing. */
export function whyExposed(
  address: string,
  { tlsCert }: Pick<TlsFlags, "tlsCert">,
  authenticator: Authenticator | undefined,
): string | undefined {
  if (isLocalAddress(parseAddress(address))) return undefined;
  const lacks: string[] = [];
  const help: string[] = [];
  if (tlsCert === undefined) {
    lacks.push("TLS");
    help.push("use --tls-cert and --tls-key");
  }
  if (authenticator === undefined) {
    lacks.push("authentication");
    help.push("use --tokens, --jwt-issuer or --tls-client-ca");
  }
  if (lacks.length === 0) return undefined;
  const text = `other machines can reach ${address}, and the host has no ${lacks.join(" and no ")}`;
  return `${text}: ${help.join(", ")}; or listen on 127.0.0.1`;
}
