import type { SharingTerms } from "../../core/internal.ts";
import { readSharing, sharingMetadata } from "../../protocol/internal.ts";
import type { Principal } from "../principal.ts";

/** The terms that count for all workers that share a type. */
export interface TermsOfType {
  readonly terms: SharingTerms;
  /** The principal whose workers may serve the type. */
  readonly principal: Principal | undefined;
}

const principalKey = "principal";

// protocol.md §12.8
/** Writes the terms of a type's first registration for the record of the type, which all hosts of a cluster read. */
export function formatTerms({ terms, principal }: TermsOfType): string {
  return JSON.stringify({ ...sharingMetadata(terms), ...(principal && { [principalKey]: principal.name }) });
}

/** Reads them. Terms of a later version that can't be read count as none. */
export function parseTerms(text: string): TermsOfType {
  const fields = fieldsOf(text);
  const terms = readSharing(fields);
  const name = fields[principalKey];
  return {
    terms: terms === undefined || "invalid" in terms ? { placement: undefined, requires: {} } : terms,
    principal: name === undefined ? undefined : { name },
  };
}

function fieldsOf(text: string): Readonly<Record<string, string>> {
  try {
    const value: unknown = JSON.parse(text);
    const entries = typeof value === "object" && value !== null ? Object.entries(value) : [];
    return Object.fromEntries(entries.filter(([, one]) => typeof one === "string"));
  } catch {
    return {};
  }
}
