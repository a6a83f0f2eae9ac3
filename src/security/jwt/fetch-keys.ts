import type { JSONWebKeySet } from "jose";
import type { FetchKeys } from "./key-set.ts";

const longestAnswer = 1024 * 1024;
const answerMs = 5_000;

/** Reads the keys at a URL, within 5 s and 1 MiB, without following redirects. */
export function fetchKeysOf(url: URL): FetchKeys {
  return async () => {
    const response = await fetch(url, {
      headers: { accept: "application/json" },
      redirect: "error",
      signal: AbortSignal.timeout(answerMs),
    });
    if (response.status !== 200) {
      await response.body?.cancel();
      throw new Error(`${url.origin} answered ${response.status}`);
    }
    return keySetOf(JSON.parse(await boundedText(response)));
  };
}

/** Reads a set of keys. Throws for other values. */
export function keySetOf(value: unknown): JSONWebKeySet {
  const isSet = typeof value === "object" && value !== null && "keys" in value && Array.isArray(value.keys);
  if (!isSet) throw new Error("It is not a JSON Web Key Set: an object with a list of keys.");
  // The package `jose` checks each key when it uses it.
  return value as JSONWebKeySet;
}

async function boundedText(response: Response): Promise<string> {
  const parts: Uint8Array[] = [];
  let length = 0;
  for await (const part of response.body ?? []) {
    length += part.length;
    if (length > longestAnswer) throw new Error(`The answer has more than ${longestAnswer} bytes.`);
    parts.push(part);
  }
  return Buffer.concat(parts).toString("utf8");
}
