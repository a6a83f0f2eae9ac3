import { type Generation, publishedText } from "../data/published-protos.ts";

/** One field as the published proto declares it; `type` is a scalar, a full message name or `map<key, value>`. */
export interface PublishedField {
  readonly number: number;
  readonly name: string;
  readonly oneof: string | undefined;
  readonly cardinality: "singular" | "optional" | "repeated";
  readonly type: string;
}

export interface PublishedMethod {
  readonly name: string;
  readonly input: string;
  readonly output: string;
  readonly isStream: boolean;
}

/** One published revision: its messages by full name, and its methods. */
export interface PublishedShape {
  readonly messages: ReadonlyMap<string, readonly PublishedField[]>;
  readonly methods: readonly PublishedMethod[];
}

export function publishedShape(generation: Generation): PublishedShape {
  const messages = new Map<string, readonly PublishedField[]>();
  const methods: PublishedMethod[] = [];
  for (const line of publishedText[generation].split("\n")) {
    const method = /^rpc (\w+) (stream )?([\w.]+), (?:stream )?([\w.]+)$/.exec(line);
    const message = /^([\w.]+):(.*)$/.exec(line);
    if (method !== null) {
      const [, name = "", stream, input = "", output = ""] = method;
      methods.push({ name, input, output, isStream: stream !== undefined });
    } else if (message !== null) {
      messages.set(message[1] ?? "", parseFields(message[2] ?? ""));
    }
  }
  return { messages, methods };
}

function parseFields(text: string): readonly PublishedField[] {
  const pattern = /(\d+) (?:(\w+)\/)?(\w+) (?:(optional|repeated) )?(map<[^>]+>|[\w.]+)/g;
  return Array.from(text.matchAll(pattern), ([, number, oneof, name = "", cardinality, type = ""]) => ({
    number: Number(number),
    name,
    oneof,
    cardinality: cardinality === "optional" || cardinality === "repeated" ? cardinality : "singular",
    type,
  }));
}
