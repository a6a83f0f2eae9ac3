import type { X509Certificate } from "node:crypto";

/** Names that a certificate has, by their kinds. */
export interface CertificateNames {
  /** URIs that begin with `spiffe://`. */
  readonly spiffe: readonly string[];
  readonly uri: readonly string[];
  readonly dns: readonly string[];
  readonly email: readonly string[];
  readonly commonName: readonly string[];
}

const kinds = { URI: "uri", DNS: "dns", email: "email" } as const;

/** Reads the subject alternative names and the common names of a certificate. */
export function namesOf(certificate: X509Certificate): CertificateNames {
  const names: Record<"spiffe" | "uri" | "dns" | "email", string[]> = { spiffe: [], uri: [], dns: [], email: [] };
  for (const [label, value] of alternativeNames(certificate.subjectAltName ?? "")) {
    const kind = Object.hasOwn(kinds, label) ? kinds[label as keyof typeof kinds] : undefined;
    if (kind === undefined) continue;
    if (kind === "uri" && /^spiffe:\/\//i.test(value)) names.spiffe.push(value);
    else names[kind].push(value);
  }
  return { ...names, commonName: commonNamesOf(certificate) };
}

// https://nodejs.org/docs/latest-v20.x/api/crypto.html#x509subjectaltname
/**
 * Splits Node's text of the subject alternative names. Node writes a value with special characters as a JSON string, so that a comma in it
 * begins no further name. A text of another form has no names.
 */
function alternativeNames(text: string): readonly (readonly [label: string, value: string])[] {
  const found: (readonly [string, string])[] = [];
  const entry = /(?:^|, )([^:",]+):("(?:[^"\\]|\\.)*"|[^",]*)(?=, |$)/y;
  while (entry.lastIndex < text.length) {
    const match = entry.exec(text);
    if (match === null) return [];
    const [, label = "", value = ""] = match;
    found.push([label, value.startsWith('"') ? String(JSON.parse(value)) : value]);
  }
  return found;
}

function commonNamesOf(certificate: X509Certificate): readonly string[] {
  const { subject } = certificate.toLegacyObject();
  const given: unknown = subject?.CN;
  const all = Array.isArray(given) ? given : [given];
  return all.filter((name): name is string => typeof name === "string");
}

// https://github.com/spiffe/spiffe/blob/main/standards/SPIFFE-ID.md
/** Returns the trust domain of a SPIFFE id. Undefined: it is not a valid one. */
export function trustDomainOf(id: string): string | undefined {
  if (id.length > 2_048) return undefined;
  const [, domain, path = ""] = /^spiffe:\/\/([a-z0-9._-]{1,255})(\/.*)?$/.exec(id) ?? [];
  if (domain === undefined) return undefined;
  const segments = path === "" ? [] : path.slice(1).split("/");
  const isValid = segments.every((one) => /^[a-zA-Z0-9._-]+$/.test(one) && one !== "." && one !== "..");
  return isValid ? domain : undefined;
}
