import { type RpcStatus, StatusCode } from "../../rpc-status.ts";

/** Encoded bytes of `grpc-message` at most; peers refuse header lists of more than 8 KiB. */
const MAX_ENCODED_MESSAGE_BYTES = 4096;

const KNOWN_CODES: ReadonlySet<number> = new Set(Object.values(StatusCode));

/** The header fields that end a call with this status. */
export function toTrailers(status: RpcStatus): Record<string, string> {
  const trailers: Record<string, string> = { ...status.metadata, "grpc-status": String(status.code) };
  if (status.details !== "") trailers["grpc-message"] = encodeStatusMessage(status.details);
  return trailers;
}

/** The status in these header fields, or undefined if they hold none. An unreadable code is `unknown`, as gRPC asks. */
export function fromTrailers(headers: Readonly<Record<string, unknown>>): RpcStatus | undefined {
  const code = headers["grpc-status"];
  if (code === undefined) return undefined;
  const message = headers["grpc-message"];
  const details = typeof message === "string" ? decodeStatusMessage(message) : "";
  const metadata = metadataBeside(headers);
  const status = { code: toStatusCode(Number(code)), details };
  return metadata === undefined ? status : { ...status, metadata };
}

/** The metadata of Troupe's peers in these header fields; undefined without any. Other peers' fields stay unread. */
function metadataBeside(headers: Readonly<Record<string, unknown>>): RpcStatus["metadata"] {
  let metadata: Record<string, string> | undefined;
  for (const key in headers) {
    const value = headers[key];
    if (!key.startsWith("ag") || typeof value !== "string") continue;
    metadata ??= {};
    metadata[key] = value;
  }
  return metadata;
}

/** Percent-encodes all but printable ASCII; cut at 4096 bytes, never inside a character. */
export function encodeStatusMessage(details: string): string {
  let encoded = "";
  for (const character of details) {
    const isPlain = character >= " " && character <= "~" && character !== "%";
    const piece = isPlain ? character : percentEncode(character);
    if (encoded.length + piece.length > MAX_ENCODED_MESSAGE_BYTES) break;
    encoded += piece;
  }
  return encoded;
}

/** Undoes `encodeStatusMessage`; what is not valid percent-encoding stays as it is. */
export function decodeStatusMessage(encoded: string): string {
  if (!encoded.includes("%")) return encoded;
  return encoded.replace(/(?:%[0-9a-f]{2})+/gi, (run) => Buffer.from(run.replaceAll("%", ""), "hex").toString("utf8"));
}

function percentEncode(character: string): string {
  let encoded = "";
  for (const byte of Buffer.from(character, "utf8")) encoded += `%${byte.toString(16).toUpperCase().padStart(2, "0")}`;
  return encoded;
}

function toStatusCode(code: number): StatusCode {
  return isStatusCode(code) ? code : StatusCode.unknown;
}

function isStatusCode(code: number): code is StatusCode {
  return KNOWN_CODES.has(code);
}
