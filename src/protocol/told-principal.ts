import { isAnnounced } from "./extension-metadata.ts";
import { whoKey } from "./wire-names.ts";

// protocol.md §11.22
/** The principal as which a host knows the worker that asks. `name` undefined: the host knows it by no name. */
export interface ToldPrincipal {
  readonly name: string | undefined;
  /** The thing by which the host knows it. Undefined: the host does not say. */
  readonly knownBy: string | undefined;
}

/** Metadata with which an announced peer asks the host who it is. */
export const whoQuestion: { readonly [name: string]: string } = { [whoKey]: "1" };

const anonymous = "anonymous";
const word = /^[a-z]{1,20}$/;
/** A name has 512 characters at most, of which one takes nine at most when it is escaped. */
const mostCharacters = 6_000;

/** Returns the response header for a peer that asks who it is; nothing for all others. */
export function whoAnswer(
  asked: { readonly [name: string]: string | undefined },
  principal: { readonly name: string; readonly knownBy?: string | undefined } | undefined,
): { readonly [name: string]: string } | undefined {
  if (asked[whoKey] === undefined || !isAnnounced(asked)) return undefined;
  if (principal === undefined) return { [whoKey]: anonymous };
  // Values of headers are ASCII. An authenticator of a user's may know a principal by anything.
  const { name, knownBy = "" } = principal;
  return { [whoKey]: `${word.test(knownBy) ? knownBy : ""}:${encodeURIComponent(name)}` };
}

/** Reads the answer. Undefined: the host tells none that can be read. */
export function readWho(metadata: { readonly [name: string]: unknown }): ToldPrincipal | undefined {
  const text = metadata[whoKey];
  if (typeof text !== "string" || text.length > mostCharacters) return undefined;
  if (text === anonymous) return { name: undefined, knownBy: undefined };
  const at = text.indexOf(":");
  if (at < 0) return undefined;
  try {
    const name = decodeURIComponent(text.slice(at + 1));
    return name === "" ? undefined : { name, knownBy: text.slice(0, at) || undefined };
  } catch {
    // The escapes are broken.
    return undefined;
  }
}
