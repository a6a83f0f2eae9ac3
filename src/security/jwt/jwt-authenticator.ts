import { createHash } from "node:crypto";
import { errors, type JWTPayload, type JWTVerifyOptions, jwtVerify } from "jose";
import {
  anyTime,
  assertOptions,
  type Clock,
  clock as clockKind,
  errorText,
  type Logger,
  listOf,
  logger as loggerKind,
  number,
  optionShape,
  systemClock,
  TroupeError,
  text,
} from "../../core/internal.ts";
import { type Authentication, type Authenticator, bearerTokenOf, type Caller } from "../authenticator.ts";
import { isPrincipalName } from "../principal.ts";
import { fetchKeysOf, keySetOf } from "./fetch-keys.ts";
import { type FetchKeys, KeySet, KeysUnavailable } from "./key-set.ts";

/** A JSON Web Key Set (RFC 7517). */
export interface JsonWebKeySet {
  readonly keys: readonly object[];
}

/** Options of `jwtAuthenticator`. */
export interface JwtAuthenticatorOptions {
  /** The claim `iss` that a token must have, to the letter. Tokens of others are unknown to this authenticator. */
  readonly issuer: string;
  /** The claim `aud` must have one of these. */
  readonly audience: string | readonly string[];
  /** The URL of the issuer's keys (`jwks_uri`), or the keys themselves. Only `https:`, or `http:` on loopback. */
  readonly keys: string | URL | JsonWebKeySet;
  /** Algorithms of signatures, only those with public keys. Default: RS256, PS256, ES256, EdDSA. */
  readonly algorithms?: readonly string[] | undefined;
  /** Milliseconds by which the clocks may differ. Default 30 000. */
  readonly clockToleranceMs?: number | undefined;
  /** Milliseconds since `iat` after which a token is refused, whatever its `exp`. Default: none. */
  readonly maxAgeMs?: number | undefined;
  /** The claim that names the principal. Default `sub`. */
  readonly nameClaim?: string | undefined;
  /** The claim that has the roles: a list, or a text with blanks. Dots lead inwards: `realm_access.roles`. Default `roles`. */
  readonly rolesClaim?: string | undefined;
  /** Claims with texts that become attributes. Default: none. */
  readonly attributeClaims?: readonly string[] | undefined;
  /** Put before the name. Use it if several issuers may give the same name. Default: nothing. */
  readonly namePrefix?: string | undefined;
  /** Milliseconds after which keys are read again. Default 600 000. */
  readonly refreshMs?: number | undefined;
  /** Milliseconds for which keys are used that can't be read again. Default 86 400 000. */
  readonly keepMs?: number | undefined;
  /** Gets why keys can't be read. Default: no log. */
  readonly logger?: Logger | undefined;
  readonly clock?: Clock | undefined;
}

const shape = optionShape<JwtAuthenticatorOptions>({
  issuer: text,
  audience: {
    expected: "a text, or a list of texts",
    accepts: (value) => [value].flat().every((one) => text.accepts(one)),
  },
  keys: {
    expected: "a URL, or a JSON Web Key Set",
    accepts: (value) => typeof value === "string" || (typeof value === "object" && value !== null),
  },
  algorithms: listOf(text),
  clockToleranceMs: number(anyTime),
  maxAgeMs: number(anyTime),
  nameClaim: text,
  rolesClaim: text,
  attributeClaims: listOf(text),
  namePrefix: text,
  refreshMs: number(anyTime),
  keepMs: number(anyTime),
  logger: loggerKind,
  clock: clockKind,
});

/** With a shared secret each host that checks a token could make one; with `none` everybody can. */
const publicKeyAlgorithms = [
  "RS256",
  "RS384",
  "RS512",
  "PS256",
  "PS384",
  "PS512",
  "ES256",
  "ES384",
  "ES512",
  "EdDSA",
  "Ed25519",
];
const defaultAlgorithms = ["RS256", "PS256", "ES256", "EdDSA"];
const longestToken = 16 * 1024;
const pauseMs = 30_000;

/**
 * Knows callers by JSON Web Tokens of an OpenID Connect issuer: `authorization: Bearer …`. It checks signature, algorithm, `iss`, `aud`, `exp`
 * and `nbf`. A token with `cnf` `x5t#S256` (RFC 8705) counts only on a connection with that client certificate, so that a thief can't
 * use it. A stream that is open stays open when its token expires. Needs the package `jose`.
 *
 * @example
 * ```ts
 * const authenticator = jwtAuthenticator({
 *   issuer: "https://login.example",
 *   audience: "troupe",
 *   keys: "https://login.example/jwks.json",
 * });
 * ```
 */
export function jwtAuthenticator(options: JwtAuthenticatorOptions): Authenticator {
  assertOptions(options, shape, "jwtAuthenticator");
  const { issuer, audience, algorithms = defaultAlgorithms, clock = systemClock, logger } = options;
  if (issuer === undefined || audience === undefined || options.keys === undefined || audience.length === 0)
    throw invalid("jwtAuthenticator needs issuer, audience and keys.");
  const weak = algorithms.find((one) => !publicKeyAlgorithms.includes(one));
  if (weak !== undefined || algorithms.length === 0)
    throw invalid(
      `The option algorithms takes ${publicKeyAlgorithms.join(", ")} alone: others prove nothing about the issuer.`,
    );
  const keys = new KeySet({
    ...keysSource(options.keys, logger),
    ...{ clock, refreshMs: options.refreshMs ?? 600_000, keepMs: options.keepMs ?? 86_400_000 },
  });
  const toleranceS = (options.clockToleranceMs ?? 30_000) / 1_000;
  const verifyOptions = (): JWTVerifyOptions => ({
    ...{ issuer, audience: [audience].flat(), algorithms: [...algorithms], clockTolerance: toleranceS },
    requiredClaims: ["exp"],
    currentDate: new Date(clock.wallNow()),
    ...(options.maxAgeMs === undefined ? {} : { maxTokenAge: options.maxAgeMs / 1_000 }),
  });
  return {
    reads: "token",
    authenticate(caller: Caller): Authentication | Promise<Authentication> {
      const token = bearerTokenOf(caller);
      if (token === undefined) return { at: "unknown", reason: "it shows no token" };
      const said = issuerOf(token);
      if (said === undefined) return { at: "unknown", reason: "its token is no JSON Web Token" };
      if (said !== issuer) return { at: "unknown", reason: "its token is of another issuer" };
      return verify(token, caller);
    },
  };

  async function verify(token: string, caller: Caller): Promise<Authentication> {
    try {
      const { payload } = await jwtVerify(token, keys.keyOf, verifyOptions());
      if (!isForConnection(payload, caller))
        return { at: "refused", reason: "its token is bound to another certificate" };
      return principalOf(payload, options);
    } catch (error) {
      if (error instanceof KeysUnavailable) return { at: "unavailable", reason: error.message };
      // The texts of the package name claims and algorithms, never the token.
      if (error instanceof errors.JOSEError) return { at: "refused", reason: `its token is refused: ${error.code}` };
      throw error;
    }
  }
}

function keysSource(
  keys: JwtAuthenticatorOptions["keys"],
  logger: Logger | undefined,
): { readonly fetchKeys: FetchKeys; readonly pauseMs: number } {
  if (typeof keys !== "string" && !(keys instanceof URL)) {
    const known = keySetOf(keys);
    return { fetchKeys: () => Promise.resolve(known), pauseMs: 0 };
  }
  const url = readUrl(keys);
  const read = fetchKeysOf(url);
  const fetchKeys: FetchKeys = () =>
    read().catch((error: unknown) => {
      const shown = `${url.origin}${url.pathname}`;
      logger?.warn("the keys of an issuer can't be read", { url: shown, error: errorText(error) });
      throw error;
    });
  return { fetchKeys, pauseMs };
}

function readUrl(keys: string | URL): URL {
  const url = URL.canParse(String(keys)) ? new URL(String(keys)) : undefined;
  const isLocal = url !== undefined && ["127.0.0.1", "[::1]", "localhost"].includes(url.hostname);
  if (url?.protocol === "https:" || (url?.protocol === "http:" && isLocal)) return url;
  throw invalid(
    "The option keys needs a URL that begins with `https:`. Otherwise an attacker on the way could put in keys of his own.",
  );
}

/** Reads the issuer that a token names, unverified. Undefined: the text is not a token. */
function issuerOf(token: string): string | undefined {
  if (token.length > longestToken) return undefined;
  const [header, payload, signature, ...rest] = token.split(".");
  if (header === undefined || payload === undefined || signature === undefined || rest.length > 0) return undefined;
  try {
    const claims: unknown = JSON.parse(Buffer.from(payload, "base64url").toString("utf8"));
    const iss: unknown = typeof claims === "object" && claims !== null && "iss" in claims ? claims.iss : undefined;
    return typeof iss === "string" ? iss : "";
  } catch {
    return undefined;
  }
}

// RFC 8705, 3.1
function isForConnection({ cnf }: JWTPayload, { certificate }: Caller): boolean {
  if (cnf === undefined) return true;
  const thumbprint: unknown =
    typeof cnf === "object" && cnf !== null && "x5t#S256" in cnf ? cnf["x5t#S256"] : undefined;
  // A binding of another kind can't be checked here.
  if (typeof thumbprint !== "string" || certificate === undefined) return false;
  return createHash("sha256").update(certificate.raw).digest("base64url") === thumbprint;
}

function principalOf(payload: JWTPayload, options: JwtAuthenticatorOptions): Authentication {
  const { nameClaim = "sub", rolesClaim = "roles", attributeClaims = [], namePrefix = "" } = options;
  const name = claimOf(payload, nameClaim);
  const full = typeof name === "string" && name !== "" ? `${namePrefix}${name}` : undefined;
  if (!isPrincipalName(full)) return { at: "refused", reason: `its token has no name in the claim ${nameClaim}` };
  const attributes: Record<string, string> = {};
  for (const claim of attributeClaims) {
    const value = claimOf(payload, claim);
    if (typeof value === "string") attributes[claim] = value;
  }
  const roles = rolesOf(claimOf(payload, rolesClaim));
  return { at: "known", principal: { name: full, roles, attributes, knownBy: "jwt" } };
}

function rolesOf(value: unknown): readonly string[] {
  const roles: readonly unknown[] = typeof value === "string" ? value.split(" ") : Array.isArray(value) ? value : [];
  return roles.filter((role): role is string => typeof role === "string" && role !== "");
}

/** The claim of this very name counts first: names of claims may have dots, as `https://example.org/roles` has. */
function claimOf(payload: JWTPayload, path: string): unknown {
  if (Object.hasOwn(payload, path)) return payload[path];
  let value: unknown = payload;
  for (const name of path.split(".")) {
    if (typeof value !== "object" || value === null || !Object.hasOwn(value, name)) return undefined;
    value = Reflect.get(value, name);
  }
  return value;
}

function invalid(text: string): TroupeError {
  return new TroupeError("invalid-argument", text);
}
