import { type CallingTurn, type CallPath, noPath, TroupeError, withoutVia } from "../core/internal.ts";
import type { WireMetadata } from "./frames/frame.ts";
import { metadataKey } from "./wire-names.ts";

// protocol.md §11.13
/** Elements and characters of a path that a peer reads. */
const mostTurns = 32;
/** Calls behind one element. */
const mostVia = 8;
export const longestPath = 8 * 1024;

/**
 * Returns the metadata for the path of a call, none for an empty path. Too long a path goes without the calls between its turns. Throws
 * `loop-detected` if it is too long without them, too.
 */
export function pathMetadata(path: CallPath): WireMetadata | undefined {
  if (path.length === 0) return undefined;
  for (const one of [path, withoutVia(path)]) {
    const text = pathText(one);
    if (text.length <= longestPath) return { [metadataKey.path]: text };
  }
  const advice = "It was not sent. Use shorter agent keys, or let fewer agents wait for each other.";
  throw new TroupeError("loop-detected", `The path of the call has more than ${longestPath} characters. ${advice}`);
}

/** Returns a path as text: `token@type/key` for each turn, joined by `,`. Behind a turn `@` and the id of each call between it and the next. */
export function pathText(path: CallPath): string {
  return path.map(turnText).join(",");
}

function turnText({ token, type, key, via = [] }: CallingTurn): string {
  return [token, `${type}/${key}`, ...via.map((call) => call.token)].map(escaped).join("@");
}

/** Returns the turns that wait for a call. None for a path that no Troupe worker writes. */
export function pathOf(metadata: WireMetadata): CallPath {
  return parsePath(metadata[metadataKey.path] ?? "");
}

/** Reads the text of a path. Returns no turns for one that no Troupe worker writes. */
export function parsePath(text: string): CallPath {
  if (text === "" || text.length > longestPath) return noPath;
  const elements = text.split(",");
  if (elements.length > mostTurns) return noPath;
  const path = elements.map(parsedTurn);
  return path.every((turn) => turn !== undefined) ? path : noPath;
}

function parsedTurn(text: string): CallingTurn | undefined {
  const [token = "", name = "", ...via] = text.split("@").map(unescaped);
  const slash = name.indexOf("/");
  if (token === "" || slash < 1 || via.length > mostVia || via.includes("")) return undefined;
  const turn = { token, type: name.slice(0, slash), key: name.slice(slash + 1) };
  return via.length === 0 ? turn : { ...turn, via: via.map((one) => ({ token: one })) };
}

function escaped(text: string): string {
  return text.replace(/[%,@]/g, (one) => `%${one.charCodeAt(0).toString(16).toUpperCase()}`);
}

function unescaped(text: string): string {
  return text.replace(/%(25|2C|40)/g, (_all, code: string) => String.fromCharCode(Number.parseInt(code, 16)));
}
