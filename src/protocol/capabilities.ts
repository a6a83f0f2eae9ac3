import { announcement, isAnnounced } from "./extension-metadata.ts";
import { capabilitiesKey } from "./wire-names.ts";

// protocol.md §11.12
/** A word for something that a peer knows and is set up for. Peers use what both of them name. Hosts say `rings` to each other alone, and `runs` to workers. */
export type Capability = "heartbeat" | "turns" | "states" | "claims" | "mail" | "lease" | "streams" | "rings" | "runs";

const known: ReadonlySet<string> = new Set<Capability>([
  "heartbeat",
  "turns",
  "states",
  "claims",
  "mail",
  "lease",
  "streams",
  "rings",
  "runs",
]);

const none: ReadonlySet<Capability> = new Set();

/** Longer values are not read: all words of this version are shorter together. */
const mostCharacters = 1_024;

/** Reads what a peer names in the metadata of its data channel. Unknown words are ignored, and so is a peer that is not announced. */
export function readCapabilities(metadata: { readonly [name: string]: string | undefined }): ReadonlySet<Capability> {
  const text = metadata[capabilitiesKey];
  if (text === undefined || text.length > mostCharacters || !isAnnounced(metadata)) return none;
  return capabilitiesIn(text.split(",").map((word) => word.trim()));
}

/** Returns those words that are capabilities. */
export function capabilitiesIn(words: readonly string[]): ReadonlySet<Capability> {
  return new Set(words.filter(isCapability));
}

/** Returns the metadata that announces a Troupe peer with its capabilities. */
export function announcementOf(capabilities: Iterable<Capability>): { readonly [name: string]: string } {
  const words = [...capabilities].join(",");
  return words === "" ? announcement : { ...announcement, [capabilitiesKey]: words };
}

function isCapability(word: string): word is Capability {
  return known.has(word);
}
