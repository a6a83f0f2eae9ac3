import { parsing } from "../frames/from-binary.ts";
import { RawReader } from "../frames/raw-reader.ts";
import {
  decodeAnswerGenerated,
  decodeAskGenerated,
  encodeAnswerGenerated,
  encodeAskGenerated,
} from "./generated-states-codec.ts";
import { decodeAnswerQuickly, decodeAskQuickly } from "./quick-states-decoder.ts";
import { encodeCommit, encodeCommitted, encodeLoad, encodeLoaded } from "./quick-states-encoder.ts";
import type { StatesAnswer, StatesAsk } from "./states-messages.ts";

// protocol.md §11.15
/** Encodes a worker's message on the stream of states. Throws `invalid-message` for text that is not valid Unicode. */
export function encodeStatesAsk(ask: StatesAsk): Uint8Array {
  switch (ask.kind) {
    case "load":
      return encodeLoad(ask);
    case "commit":
      return encodeCommit(ask) ?? encodeAskGenerated(ask);
    default:
      return encodeAskGenerated(ask);
  }
}

/**
 * Decodes a worker's message on the stream of states; bytes in it may be views into `bytes`. Throws `invalid-message` for bytes that
 * are not such a message, and for an ask without an agent or without a write.
 */
export function decodeStatesAsk(bytes: Uint8Array): StatesAsk {
  return decodeAskQuickly(bytes) ?? parsing("an ask for a state", () => decodeAskGenerated(bytes));
}

/** Encodes a host's message on the stream of states. */
export function encodeStatesAnswer(answer: StatesAnswer): Uint8Array {
  switch (answer.kind) {
    case "loaded":
      return encodeLoaded(answer);
    case "committed":
      return encodeCommitted(answer);
    default:
      return encodeAnswerGenerated(answer);
  }
}

/** Decodes a host's message on the stream of states; bytes in it may be views into `bytes`. Throws `invalid-message`. */
export function decodeStatesAnswer(bytes: Uint8Array): StatesAnswer {
  return decodeAnswerQuickly(bytes) ?? parsing("an answer about a state", () => decodeAnswerGenerated(bytes));
}

/** Kind and number of an ask, read from its beginning. */
export interface AskHead {
  readonly kind: "load" | "commit" | "reminders" | "remembered" | "run" | "runs";
  readonly seq: number;
}

const arms: ReadonlyMap<number, AskHead["kind"]> = new Map([
  [1, "load"],
  [2, "commit"],
  [3, "reminders"],
  [4, "run"],
  [5, "remembered"],
  [6, "runs"],
]);

/** Reads kind and number of an ask of which only the beginning is there. Undefined if the bytes do not tell. */
export function readAskHead(bytes: Uint8Array): AskHead | undefined {
  const reader = new RawReader(bytes, 0, bytes.length);
  const kind = arms.get(reader.number() >>> 3);
  if (kind === undefined || reader.number() < 0 || reader.number() !== 1 << 3) return undefined;
  const seq = reader.number();
  return seq > 0 ? { kind, seq } : undefined;
}
