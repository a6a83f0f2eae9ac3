import { TroupeError } from "../errors.ts";
import { isWellFormed, quoted } from "../validation/option-values.ts";

/** Text values by name that travel with a message, beside its content. */
export type MessageMetadata = Readonly<Record<string, string>>;

/** The metadata of every message that has none. */
export const noMetadata: MessageMetadata = Object.freeze(Object.create(null));

/** Bounds of one message's metadata. Names and values count, in bytes of UTF-8. */
const mostEntries = 64;
const mostBytes = 16 * 1024;

const namePattern = /^[a-z][a-z0-9._-]{0,63}$/;
const nameRule = "1 to 64 of the characters a-z, 0-9, '.', '_' and '-', with a letter first";

/** Names that begin so belong to AutoGen and Troupe (`ag`), and to gRPC. */
const reservedPrefixes = ["ag", "grpc"];

/** Trace context, AutoGen's connection id, and the names to which CloudEvents gives a meaning. */
const reservedNames: ReadonlySet<string> = new Set([
  "traceparent",
  "tracestate",
  "client-id",
  "id",
  "source",
  "type",
  "specversion",
  "datacontenttype",
  "dataschema",
  "subject",
  "time",
  "data",
]);

/**
 * Returns options whose metadata is checked and frozen, so that the sender cannot change it on the way. Returns options without
 * metadata as they are. Throws `invalid-argument` that names the entry which cannot travel.
 */
export function withCheckedMetadata<Options extends { readonly metadata?: MessageMetadata | undefined }>(
  options: Options,
): Options {
  return options.metadata === undefined ? options : { ...options, metadata: checkedMetadata(options.metadata) };
}

function checkedMetadata(given: unknown): MessageMetadata {
  if (typeof given !== "object" || given === null || Array.isArray(given)) {
    throw invalid(`The metadata of a message must be an object of texts, { tenant: "acme" }, not ${String(given)}`);
  }
  const taken = new MetadataRoom();
  for (const [name, value] of Object.entries<unknown>(given as Record<string, unknown>)) {
    if (value === undefined) continue;
    assertEntry(name, value);
    if (!taken.add(name, value)) {
      throw invalid(`The metadata of a message is too large at ${name}: ${mostEntries} entries and ${mostBytes} bytes`);
    }
  }
  return taken.metadata;
}

function assertEntry(name: string, value: unknown): asserts value is string {
  if (!namePattern.test(name)) throw invalid(`${quoted(name)} is not a name for metadata. A name is ${nameRule}`);
  if (isReserved(name)) {
    const reserved = `${reservedPrefixes.map((prefix) => `${prefix}…`).join(", ")}, ${[...reservedNames].join(", ")}`;
    throw invalid(`The metadata name ${name} is reserved. Take another one; reserved are ${reserved}`);
  }
  if (typeof value !== "string") {
    throw invalid(
      `The metadata ${name} must be a text, not ${typeof value}. Write it as one, for instance String(value)`,
    );
  }
  if (!isWellFormed(value)) throw invalid(`The metadata ${name} has half of a surrogate pair, which cannot travel`);
}

/**
 * Returns what handlers may see of the metadata that a peer sent. Reserved names, names that could not be sent on, and entries
 * beyond the bounds are left out. So a handler can always pass its metadata on.
 */
export function receivedMetadata(sent: MessageMetadata): MessageMetadata {
  let taken: MetadataRoom | undefined;
  for (const name in sent) {
    const value = sent[name];
    if (value === undefined || !namePattern.test(name) || isReserved(name)) continue;
    taken ??= new MetadataRoom();
    taken.add(name, value);
  }
  return taken?.metadata ?? noMetadata;
}

function isReserved(name: string): boolean {
  return reservedNames.has(name) || reservedPrefixes.some((prefix) => name.startsWith(prefix));
}

/** Collects entries while they are within the bounds. */
class MetadataRoom {
  readonly #entries: Record<string, string> = Object.create(null);
  #count = 0;
  #bytes = 0;

  get metadata(): MessageMetadata {
    return this.#count === 0 ? noMetadata : Object.freeze(this.#entries);
  }

  /** Adds an entry. Returns false when it does not fit the bounds. */
  add(name: string, value: string): boolean {
    const bytes = this.#bytes + name.length + utf8Length(value);
    if (this.#count === mostEntries || bytes > mostBytes) return false;
    this.#entries[name] = value;
    this.#count += 1;
    this.#bytes = bytes;
    return true;
  }
}

/** Returns the length of a well-formed text in bytes of UTF-8. Beyond the bound the number need not be exact. */
function utf8Length(text: string): number {
  if (text.length > mostBytes) return text.length;
  let bytes = text.length;
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    // Each half of a surrogate pair stands for two of its four bytes.
    if (code > 0x7f) bytes += code > 0x7ff && (code < 0xd800 || code > 0xdfff) ? 2 : 1;
  }
  return bytes;
}

function invalid(text: string): TroupeError {
  return new TroupeError("invalid-argument", `${text}.`);
}
