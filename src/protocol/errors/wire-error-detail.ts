import { Buffer } from "node:buffer";
import { errorText, type RemoteCause, type RemoteFailure } from "../../core/internal.ts";

/** Limit of the JSON that is sent or read, in bytes. */
const mostBytes = 16 * 1024;
const longestText = 1_024;
const mostCauses = 8;
const mostFields = 64;
const deepest = 4;
/** Limit of the values read from a thrown object. */
const mostValues = 1_000;
/** Fields that repeat the rest of the answer, or that are sent only on request. */
const leftOut: ReadonlySet<string> = new Set([
  "name",
  "message",
  "stack",
  "cause",
  "code",
  "errors",
  "remoteStack",
  "remote",
]);

/** Returns a thrown value as JSON of at most 16 KiB: name, code, own fields, causes. Never throws. */
// protocol.md §11.3
export function toErrorDetail(thrown: unknown): string {
  try {
    return fitting({ ...nameAndCode(thrown), detail: fieldsOf(thrown), causes: causesOf(thrown) });
  } catch {
    // A getter or a proxy of the user's own threw. The text of the failure is sent nevertheless.
    return fitting({ name: "Error", code: undefined, detail: {}, causes: [] });
  }
}

/**
 * Parses the detail that another worker sent and leaves out what does not have the form. Returns undefined if nothing
 * is left. Never throws.
 */
export function parseErrorDetail(json: string | undefined): RemoteFailure | undefined {
  if (json === undefined || json.length > mostBytes) return undefined;
  let said: unknown;
  try {
    said = JSON.parse(json);
  } catch {
    return undefined;
  }
  if (!isRecord(said) || typeof said.name !== "string") return undefined;
  const causes = Array.isArray(said.causes) ? said.causes.slice(0, mostCauses).flatMap(readCause) : [];
  const place = { depth: 0, room: { left: mostValues } };
  const detail = isRecord(said.detail) ? plainFields(said.detail, place) : {};
  return { name: cut(said.name), code: codeOf(said), detail, causes };
}

/** Shortens the failure until it fits: first its fields, from the last, then its causes. */
function fitting({ name, code, detail, causes }: RemoteFailure): string {
  let fields = Object.entries(detail);
  let kept = causes;
  for (;;) {
    const json = JSON.stringify({ name, code, detail: Object.fromEntries(fields), causes: kept });
    if (Buffer.byteLength(json) <= mostBytes) return json;
    if (fields.length > 0) fields = fields.slice(0, Math.floor(fields.length / 2));
    else kept = kept.slice(0, -1);
  }
}

function nameAndCode(thrown: unknown): Pick<RemoteFailure, "name" | "code"> {
  if (typeof thrown !== "object" || thrown === null) return { name: typeof thrown, code: undefined };
  const maker: unknown = thrown.constructor;
  const names: readonly unknown[] = [
    thrown instanceof Error ? thrown.name : undefined,
    typeof maker === "function" ? maker.name : undefined,
  ];
  // Either may be anything: a message may have a field named `constructor`.
  const name = names.find((one) => typeof one === "string" && one !== "");
  const unnamed = thrown instanceof Error ? "Error" : "Object";
  return { name: cut(typeof name === "string" ? name : unnamed), code: codeOf(thrown) };
}

function codeOf(value: object): string | number | undefined {
  const code: unknown = "code" in value ? value.code : undefined;
  if (typeof code === "string") return cut(code);
  return typeof code === "number" && Number.isFinite(code) ? code : undefined;
}

/** Takes only plain fields of an error, because libraries attach whole requests to theirs. */
function fieldsOf(thrown: unknown): { readonly [field: string]: unknown } {
  if (typeof thrown !== "object" || thrown === null) return {};
  if (!(thrown instanceof Error)) return plainFields(thrown, { depth: 0, room: { left: mostValues } });
  const fields = plainFields(thrown, { depth: deepest, room: { left: mostValues } });
  return Object.fromEntries(Object.entries(fields).filter(([name]) => !leftOut.has(name)));
}

/** Depth of a value, and the number of values that may still be read. */
interface Place {
  readonly depth: number;
  readonly room: { left: number };
}

function plainFields(value: object, { depth, room }: Place): { readonly [field: string]: unknown } {
  const fields: [string, unknown][] = [];
  for (const [name, field] of Object.entries(value)) {
    if (fields.length === mostFields || room.left === 0) break;
    if (name.length > longestText || name === "__proto__") continue;
    const plain = plainValue(field, { depth: depth + 1, room });
    if (plain !== undefined) fields.push([name, plain]);
  }
  return Object.fromEntries(fields);
}

/**
 * Returns the value in its JSON form, shortened. Returns undefined for a value without one, and for one that is too
 * deep.
 */
function plainValue(value: unknown, { depth, room }: Place): unknown {
  if (room.left === 0) return undefined;
  room.left -= 1;
  switch (typeof value) {
    case "string":
      return cut(value);
    case "boolean":
      return value;
    case "number":
      return Number.isFinite(value) ? value : undefined;
    case "object": {
      if (value === null) return null;
      if (depth > deepest || ArrayBuffer.isView(value)) return undefined;
      if (value instanceof Date) return Number.isNaN(value.getTime()) ? undefined : value.toISOString();
      if (!Array.isArray(value)) return plainFields(value, { depth, room });
      return value.slice(0, mostFields).map((one) => plainValue(one, { depth: depth + 1, room }) ?? null);
    }
    default:
      return undefined;
  }
}

function causesOf(thrown: unknown): readonly RemoteCause[] {
  const causes: RemoteCause[] = [];
  let cause = thrown instanceof Error ? thrown.cause : undefined;
  while (cause !== undefined && cause !== null && causes.length < mostCauses) {
    causes.push({ ...nameAndCode(cause), message: cut(errorText(cause)) });
    cause = cause instanceof Error && !isAboutContent(cause) ? cause.cause : undefined;
  }
  return causes;
}

/** The cause of such an error quotes the content of a message. */
function isAboutContent(error: Error): boolean {
  return "code" in error && error.code === "invalid-message";
}

function readCause(said: unknown): RemoteCause[] {
  if (!isRecord(said) || typeof said.name !== "string" || typeof said.message !== "string") return [];
  return [{ name: cut(said.name), code: codeOf(said), message: cut(said.message) }];
}

function isRecord(value: unknown): value is { readonly [name: string]: unknown } {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function cut(text: string): string {
  return text.length <= longestText ? text : `${text.slice(0, longestText - 1)}…`;
}
