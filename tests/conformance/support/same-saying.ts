import { readJson } from "./proto-json.ts";

/**
 * A message of the data channel with the JSON inside its bytes read as well: Python's text of it differs from ours in
 * spaces and escapes, its meaning must not. Ids made at random (UUIDs of events) are left out by `withoutEventId`.
 */
export function meaningOf(bytes: Uint8Array): unknown {
  return opened(readJson("agents.Message", bytes));
}

export function withoutEventId(meaning: unknown): unknown {
  if (typeof meaning !== "object" || meaning === null || !("cloudEvent" in meaning)) return meaning;
  return { cloudEvent: { ...Object(meaning.cloudEvent), id: "any" } };
}

function opened(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(opened);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, inner]) => {
      const isBytes = (name === "data" || name === "binary_data") && typeof inner === "string";
      return [name, isBytes ? JSON.parse(Buffer.from(inner, "base64").toString()) : opened(inner)];
    }),
  );
}
