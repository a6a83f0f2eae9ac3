import { createHash } from "node:crypto";

/** Options of a call that do not count when requests are compared: they differ from run to run, or may have secrets. */
const leftOut = new Set(["abortSignal", "headers", "includeRawChunks"]);

/** Returns the digest of a request, and the request as JSON has it. The order of names in an object does not count. */
export function digestOf(request: object): { readonly digest: string; readonly kept: object } {
  const kept = Object.fromEntries(Object.entries(request).filter(([name]) => !leftOut.has(name)));
  const json = JSON.stringify(encoded(kept));
  return { digest: createHash("sha256").update(json).digest("hex").slice(0, 32), kept: JSON.parse(json) };
}

/** Returns a call as a line of a recording. */
export function toLine(call: {
  readonly digest: string;
  readonly request: object;
  readonly parts: readonly unknown[];
}): string {
  const { digest, request, parts } = call;
  return `${JSON.stringify({ digest, request, parts: encoded(parts) })}\n`;
}

/** Reads a line of a recording. Undefined: it is none. */
export function fromLine(
  line: string,
): { readonly digest: string; readonly request: object; readonly parts: readonly unknown[] } | undefined {
  let call: unknown;
  try {
    call = JSON.parse(line);
  } catch {
    return undefined;
  }
  if (typeof call !== "object" || call === null) return undefined;
  if (!("digest" in call) || !("request" in call) || !("parts" in call)) return undefined;
  const { digest, request, parts } = call;
  if (typeof digest !== "string" || typeof request !== "object" || request === null) return undefined;
  return Array.isArray(parts) ? { digest, request, parts: parts.map(decoded) } : undefined;
}

/** Returns a value as JSON has it: names in order, and bytes, dates and addresses as objects with one name. */
function encoded(value: unknown): unknown {
  if (value instanceof Uint8Array) return { $base64: Buffer.from(value).toString("base64") };
  if (value instanceof Date) return { $date: value.toISOString() };
  if (value instanceof URL) return { $url: value.href };
  if (Array.isArray(value)) return value.map(encoded);
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).filter(([, one]) => one !== undefined && typeof one !== "function");
  return Object.fromEntries(
    entries.toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([name, one]) => [name, encoded(one)]),
  );
}

function decoded(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(decoded);
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value);
  const [first] = entries;
  if (entries.length === 1 && first !== undefined && typeof first[1] === "string") {
    const [name, text] = [first[0], first[1]];
    if (name === "$base64") return new Uint8Array(Buffer.from(text, "base64"));
    if (name === "$date") return new Date(text);
    if (name === "$url") return new URL(text);
  }
  return Object.fromEntries(entries.map(([name, one]) => [name, decoded(one)]));
}

/** Letters of a value that a text about a difference shows. */
const mostShown = 80;

/** Returns where two values of JSON differ first, with both sides. */
export function firstDifference(recorded: unknown, asked: unknown, path = "request"): string {
  if (isObject(recorded) && isObject(asked)) {
    const names = [...new Set([...Object.keys(recorded), ...Object.keys(asked)])];
    for (const name of names) {
      const [left, right] = [recorded[name], asked[name]];
      if (JSON.stringify(left) !== JSON.stringify(right)) return firstDifference(left, right, `${path}.${name}`);
    }
  }
  return `${path}: recorded is ${shown(recorded)}, asked was ${shown(asked)}`;
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null;
}

function shown(value: unknown): string {
  const json = JSON.stringify(value) ?? "nothing";
  return json.length <= mostShown ? json : `${json.slice(0, mostShown)}…`;
}
