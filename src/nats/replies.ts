import { type Clock, errorText, type Timer } from "../core/internal.ts";
import type { Msg, MsgHdrs, NatsConnection } from "./driver.ts";

/** The outcome of a request. A text is the reason why it has no answer. `untaken`: no server takes messages of its subject. */
export type Reply = { readonly message: Msg } | { readonly why: string; readonly isUntaken: boolean };

/** The parts of `Replies`. */
export interface RepliesParts {
  readonly connection: Pick<NatsConnection, "publish">;
  readonly clock: Clock;
  /** Milliseconds that a request waits. */
  readonly timeoutMs: number;
  readonly createInbox: () => string;
  readonly subscribe: (subject: string, onMessage: (message: Msg) => void) => () => void;
}

interface Waiting {
  readonly subject: string;
  readonly untilMs: number;
  readonly resolve: (reply: Reply) => void;
}

/**
 * Requests that wait for their answers. All have one subscription and one timer. The library's own requests take a timer, several promises and an
 * error with its stack each, also for those that are answered.
 */
export class Replies {
  readonly #parts: RepliesParts;
  /** By token, oldest first. All wait equally long, so that the oldest is the first whose time is up. */
  readonly #waiting = new Map<string, Waiting>();
  #inbox = "";
  #unsubscribe: (() => void) | undefined;
  #count = 0;
  #timer: Timer | undefined;

  constructor(parts: RepliesParts) {
    this.#parts = parts;
  }

  /** Sends a request. Never rejects. */
  request(subject: string, payload: Uint8Array, headers?: MsgHdrs): Promise<Reply> {
    const { connection, clock, timeoutMs } = this.#parts;
    return new Promise((resolve) => {
      this.#count += 1;
      const token = this.#count.toString(36);
      this.#waiting.set(token, { subject, untilMs: clock.now() + timeoutMs, resolve });
      this.#timer ??= clock.setTimer(timeoutMs, this.#onTime, { keepAlive: true });
      try {
        this.#listen();
        const reply = `${this.#inbox}.${token}`;
        connection.publish(subject, payload, headers === undefined ? { reply } : { reply, headers });
      } catch (error) {
        this.#end(token, unanswered(errorText(error)));
      }
    });
  }

  /** The servers do not let this client use a subject: what was asked there, or all if answers can't come, ends now. */
  refused(subject: string): void {
    const isInbox = subject === `${this.#inbox}.*`;
    if (isInbox) {
      // The next request subscribes anew: it may be permitted again by then, and must not be sent while its answer can't be heard.
      this.#unsubscribe?.();
      this.#unsubscribe = undefined;
    }
    for (const [token, waiting] of this.#waiting)
      if (isInbox || waiting.subject === subject) this.#end(token, unanswered("the servers do not permit it"));
  }

  /** Ends all that waits. */
  close(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#unsubscribe?.();
    for (const token of this.#waiting.keys()) this.#end(token, unanswered("the client is closed"));
  }

  #listen(): void {
    if (this.#unsubscribe !== undefined) return;
    const inbox = this.#parts.createInbox();
    this.#inbox = inbox;
    this.#unsubscribe = this.#parts.subscribe(`${inbox}.*`, (message) => {
      const { subject, headers, data } = message;
      const isUntaken = data.length === 0 && headers?.code === 503;
      const reply = isUntaken ? { why: "no server takes it", isUntaken } : { message };
      this.#end(subject.slice(inbox.length + 1), reply);
    });
  }

  #end(token: string, reply: Reply): void {
    const waiting = this.#waiting.get(token);
    if (waiting === undefined) return;
    this.#waiting.delete(token);
    waiting.resolve(reply);
  }

  readonly #onTime = (): void => {
    this.#timer = undefined;
    const { clock, timeoutMs } = this.#parts;
    const nowMs = clock.now();
    for (const [token, { untilMs }] of this.#waiting) {
      if (untilMs > nowMs) {
        this.#timer = clock.setTimer(untilMs - nowMs, this.#onTime, { keepAlive: true });
        return;
      }
      this.#end(token, unanswered(`no answer within ${timeoutMs} ms`));
    }
  };
}

function unanswered(why: string): Reply {
  return { why, isUntaken: false };
}
