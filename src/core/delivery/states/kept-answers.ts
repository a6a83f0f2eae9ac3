import { TroupeError } from "../../errors.ts";
import type { CodecRegistry } from "../../serialization/codec-registry.ts";
import { storeLimits } from "../../state/store-limits.ts";
import type { Delivery } from "../layers.ts";

/** The runtime's part in the answers of persistent agents. */
export interface KeptAnswers<Out = unknown> {
  /** Throws if the answer of a call could not be sent: the turn then changes nothing. */
  assertSendable(delivery: Delivery, answer: unknown): void;
  /** Returns the answer as the keeper sends it with the commit. Undefined: the runtime sends it when the turn has ended. */
  riding(delivery: Delivery, answer: unknown): Out | undefined;
  /** Encodes an answer that is remembered. Throws `message-too-large` beyond 16 KiB. */
  encode(answer: unknown): Uint8Array;
  /** Reads a remembered answer. */
  decode(bytes: Uint8Array | undefined): unknown;
}

const newline = 0x0a;
const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Writes remembered answers: a line with the type's name and the content type as JSON, then the answer's bytes. */
export class AnswerCodec {
  readonly #codecs: CodecRegistry;
  readonly #contentType: string | undefined;

  constructor(codecs: CodecRegistry, contentType?: string) {
    this.#codecs = codecs;
    this.#contentType = contentType;
  }

  encode(answer: unknown): Uint8Array {
    const { typeName, contentType, data } = this.#codecs.encode(answer, this.#contentType);
    const head = encoder.encode(`${JSON.stringify([typeName, contentType])}\n`);
    const length = head.length + data.length;
    if (length > storeLimits.answerBytes) {
      const text = `The answer has ${length} bytes, and an answer under an idempotency key has at most ${storeLimits.answerBytes}.`;
      throw new TroupeError(
        "message-too-large",
        `${text} Nothing has changed. Answer with less, or call without the key.`,
      );
    }
    const bytes = new Uint8Array(length);
    bytes.set(head);
    bytes.set(data, head.length);
    return bytes;
  }

  decode(bytes: Uint8Array | undefined): unknown {
    if (bytes === undefined) return undefined;
    const end = bytes.indexOf(newline);
    const [typeName, contentType] = headOf(bytes.subarray(0, Math.max(0, end)));
    if (typeof typeName !== "string" || typeof contentType !== "string") {
      const text = "The answer that is kept for this idempotencyKey is damaged in the state store.";
      throw new TroupeError("unexpected-answer", `${text} The call was handled: another try has the same error.`);
    }
    return this.#codecs.decode(typeName, contentType, bytes.subarray(end + 1));
  }
}

function headOf(bytes: Uint8Array): readonly unknown[] {
  try {
    const head: unknown = JSON.parse(decoder.decode(bytes));
    return Array.isArray(head) ? head : [];
  } catch {
    return [];
  }
}
