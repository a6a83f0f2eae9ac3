import type { X509Certificate } from "node:crypto";
import { assertOptions, callable, listOf, optionShape, text, word } from "../core/internal.ts";
import type { Authentication, Authenticator, Caller } from "./authenticator.ts";
import { type CertificateNames, namesOf, trustDomainOf } from "./certificate-names.ts";
import { isPrincipalName, type Principal } from "./principal.ts";

/** A kind of names in a certificate: a SPIFFE id, another URI, a DNS name, an email address, or the common name of the subject. */
export type CertificateNameKind = "spiffe" | "uri" | "dns" | "email" | "common-name";

/** Options of `certificateAuthenticator`. All are optional. */
export interface CertificateAuthenticatorOptions {
  /**
   * The kinds of names that may name the principal, in order: the first kind of which the certificate has a name counts. Of that kind it
   * must have one alone. Default: `spiffe`, `common-name`.
   */
  readonly names?: readonly CertificateNameKind[] | undefined;
  /** Trust domains of SPIFFE ids; ids of others are refused. Default: any that the authority signs. */
  readonly trustDomains?: readonly string[] | undefined;
  /** Put before the name, for instance `cert:`, so that principals of other authenticators are others. Default: nothing. */
  readonly namePrefix?: string | undefined;
  /** Returns the roles of a principal. Default: none. */
  readonly rolesOf?: ((name: string, certificate: X509Certificate) => readonly string[]) | undefined;
}

const shape = optionShape<CertificateAuthenticatorOptions>({
  names: listOf(word("spiffe", "uri", "dns", "email", "common-name")),
  trustDomains: listOf(text),
  namePrefix: text,
  rolesOf: callable,
});

const fieldOf = {
  spiffe: "spiffe",
  uri: "uri",
  dns: "dns",
  email: "email",
  "common-name": "commonName",
} as const satisfies Record<CertificateNameKind, keyof CertificateNames>;

/**
 * Knows callers by their client certificates, which an authority of the listener has signed (`tls` with `ca` and `requestCert`). It reads
 * the certificate once for each connection.
 *
 * @example
 * ```ts
 * const authenticator = certificateAuthenticator({ names: ["spiffe"], trustDomains: ["example.org"] });
 * ```
 */
export function certificateAuthenticator(options: CertificateAuthenticatorOptions = {}): Authenticator {
  assertOptions(options, shape, "certificateAuthenticator");
  const known = new WeakMap<X509Certificate, Authentication>();
  return {
    reads: "certificate",
    authenticate({ certificate }: Caller): Authentication {
      if (certificate === undefined) return { at: "unknown", reason: "it shows no certificate" };
      const before = known.get(certificate);
      if (before !== undefined) return before;
      const outcome = judge(certificate, options);
      known.set(certificate, outcome);
      return outcome;
    },
  };
}

function judge(certificate: X509Certificate, options: CertificateAuthenticatorOptions): Authentication {
  const { names: kinds = ["spiffe", "common-name"], trustDomains, namePrefix = "", rolesOf } = options;
  const names = namesOf(certificate);
  const kind = kinds.find((one) => names[fieldOf[one]].length > 0);
  if (kind === undefined)
    return { at: "unknown", reason: `its certificate has no name of the kind ${kinds.join(", ")}` };
  const [name = "", ...others] = names[fieldOf[kind]];
  // SPIFFE allows one URI alone in a certificate; of the other kinds it is not certain which one counts.
  if (others.length > 0 || (kind === "spiffe" && names.uri.length > 0))
    return { at: "refused", reason: `its certificate has several names of the kind ${kind}` };
  const full = `${namePrefix}${name}`;
  if (!isPrincipalName(full))
    return { at: "refused", reason: "the name in its certificate is too long, or has control characters" };
  if (kind === "spiffe") {
    const domain = trustDomainOf(name);
    if (domain === undefined) return { at: "refused", reason: "the SPIFFE id in its certificate is not valid" };
    if (trustDomains !== undefined && !trustDomains.includes(domain))
      return { at: "refused", reason: "the SPIFFE id in its certificate is of another trust domain" };
  }
  const principal: Principal = { name: full, roles: rolesOf?.(full, certificate), knownBy: "certificate" };
  return { at: "known", principal };
}
