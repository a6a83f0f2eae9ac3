import { encodeFrame } from "troupe/protocol";
import type { Connection } from "./connect.ts";
import { prefixed } from "./raw-channel.ts";

const payload = {
  typeName: "Ping",
  contentType: "application/json",
  data: Buffer.from(JSON.stringify({ content: "x".repeat(86) })),
};
/** Maximum number of requests in one write. */
const copies = 256;

/** Sends prepared calls to the type `target`, which the other connection has registered. */
export class CallLoad {
  readonly #caller: Connection;
  readonly #requests: Buffer;
  readonly #requestBytes: number;
  #underWay = 0;
  #answered = 0;
  #isRunning = false;
  #onIdle = () => {};

  /** `suffix`: the end of the names of both types. */
  constructor(caller: Connection, target: Connection, suffix = "") {
    this.#caller = caller;
    const { prefixBytes } = caller.channel;
    const [source, type] = [`caller${suffix}`, `target${suffix}`];
    const request = encodeFrame({
      kind: "request",
      requestId: "1",
      source: { type: source, key: "1" },
      target: { type, key: "1" },
      payload,
      metadata: {},
    });
    this.#requests = prefixed(request, prefixBytes, copies);
    this.#requestBytes = prefixBytes + request.length;
    caller.events = { onFrame: () => this.#count(), onTurnEnd: () => this.#askAgain() };
    answerAll(target);
  }

  /** Keeps `inFlight` calls in progress. Resolves to the number of answers when none is left. */
  async run(inFlight: number, seconds: number): Promise<number> {
    this.#answered = 0;
    this.#isRunning = true;
    this.#ask(inFlight);
    setTimeout(() => {
      this.#isRunning = false;
    }, seconds * 1000);
    await new Promise<void>((resolve) => {
      this.#onIdle = resolve;
    });
    return this.#answered;
  }

  #toAsk = 0;

  #count(): void {
    this.#answered += 1;
    this.#underWay -= 1;
    this.#toAsk += 1;
  }

  #askAgain(): void {
    const count = this.#toAsk;
    this.#toAsk = 0;
    if (this.#isRunning) this.#ask(count);
    else if (this.#underWay === 0) this.#onIdle();
  }

  #ask(count: number): void {
    this.#underWay += count;
    for (let left = count; left > 0; left -= copies) {
      this.#caller.channel.write(this.#requests.subarray(0, Math.min(left, copies) * this.#requestBytes));
    }
  }
}

/** Answers every request with the same payload and its own id. */
function answerAll(target: Connection): void {
  const { channel } = target;
  const rest = encodeFrame({ kind: "response", requestId: "", payload, error: "", metadata: {} }).subarray(3);
  let answers: Buffer[] = [];
  target.events = {
    onFrame: (frame) => answers.push(answerTo(frame, rest, channel.prefixBytes)),
    onTurnEnd: () => {
      if (answers.length > 0) channel.write(Buffer.concat(answers));
      answers = [];
    },
  };
}

/** A request is a tag, a length of two bytes, and its id (tag, length, text). So is the answer. */
function answerTo(request: Buffer, rest: Uint8Array, prefixBytes: number): Buffer {
  const idField = request.subarray(3, 5 + (request[4] ?? 0));
  const bodyBytes = idField.length + rest.length;
  const answer = Buffer.allocUnsafe(prefixBytes + 3 + bodyBytes);
  answer[0] = 0;
  answer.writeUInt32BE(3 + bodyBytes, prefixBytes - 4);
  answer[prefixBytes] = 0x12;
  answer[prefixBytes + 1] = (bodyBytes & 0x7f) | 0x80;
  answer[prefixBytes + 2] = bodyBytes >>> 7;
  answer.set(idField, prefixBytes + 3);
  answer.set(rest, prefixBytes + 3 + idField.length);
  return answer;
}
