import type { Clock } from "../../core/internal.ts";
import type { QuotaLimits } from "../../security/internal.ts";
import { limits as bounds } from "../limits.ts";
import { TokenBucket } from "./token-bucket.ts";

/** The kinds of things that are counted as long as they are there. */
export type Countable = "channels" | "types" | "subscriptions" | "calls";

/** The refusal of a quota. */
export interface Overuse {
  readonly text: string;
  /** Milliseconds after which another attempt may succeed. Undefined: when something else has ended. */
  readonly retryMs: number | undefined;
}

/** The use that one principal, or one peer address, makes of the host. */
export class Usage {
  readonly key: string;
  /** Names the subject in refusals: `This principal`, or `This address`. */
  readonly title: string;
  channels = 0;
  types = 0;
  subscriptions = 0;
  calls = 0;
  /** Bytes that the host keeps, and the accounts that count them. */
  keptBytes = 0;
  accounts = 0;
  #limitsOf: () => QuotaLimits;
  #limits: QuotaLimits = {};
  #messages: TokenBucket | undefined;
  #bytes: TokenBucket | undefined;
  #revision: unknown = unread;
  /** When it got the first of its channels. */
  #servedSinceMs = 0;
  /** Until when it is known, though it has no channel. */
  #knownUntilMs = 0;
  /** When the log has last said that it uses too much. */
  reportedAtMs = Number.NEGATIVE_INFINITY;

  constructor(key: string, title: string, limitsOf: () => QuotaLimits) {
    this.key = key;
    this.title = title;
    this.#limitsOf = limitsOf;
  }

  /** Its limits depend on something else from now on, such as other roles. */
  setLimits(limitsOf: () => QuotaLimits): void {
    this.#limitsOf = limitsOf;
    this.#revision = unread;
  }

  /** Reads its limits, if they may be others than before. */
  refresh(revision: unknown, clock: Clock): void {
    if (revision === this.#revision) return;
    const nowMs = clock.now();
    this.#revision = revision;
    this.#limits = this.#limitsOf();
    const { messagesPerSecond, bytesPerSecond } = this.#limits;
    this.#messages = bucketOf(this.#messages, messagesPerSecond, nowMs);
    this.#bytes = bucketOf(this.#bytes, bytesPerSecond, nowMs);
  }

  /** Whether its messages are limited. */
  get limitsMessages(): boolean {
    return this.#messages !== undefined || this.#bytes !== undefined;
  }

  /** Says why it may not send so many messages now. */
  whyNotMessages(count: number, bytes: number, nowMs: number): Overuse | undefined {
    const ofMessages = this.#messages?.waitMs(count, nowMs) ?? 0;
    const ofBytes = this.#bytes?.waitMs(bytes, nowMs) ?? 0;
    if (ofMessages === 0 && ofBytes === 0) return undefined;
    const [limit, unit] =
      ofMessages >= ofBytes
        ? [this.#limits.messagesPerSecond, "messages"]
        : [this.#limits.bytesPerSecond, "bytes of messages"];
    const retryMs = Math.max(ofMessages, ofBytes);
    const text = `${this.title} may send ${limit} ${unit} in a second. Try again in ${retryMs} ms.`;
    return { text, retryMs };
  }

  /** The parts of a second's messages and bytes that one session may take at once, so that most of its messages cost next to nothing. */
  get lot(): { readonly messages: number; readonly bytes: number } {
    return { messages: lotOf(this.#messages, bounds.quotaLot), bytes: lotOf(this.#bytes, Number.POSITIVE_INFINITY) };
  }

  takeMessages(count: number, bytes: number): void {
    this.#messages?.take(count);
    this.#bytes?.take(bytes);
  }

  /** Says why it may not have one more. */
  whyNotMore(what: Countable): Overuse | undefined {
    const most = this.#limits[what];
    if (most === undefined || this[what] < most) return undefined;
    return { text: `${this.title} may have ${most} ${wordsOf[what]} at once. ${advice[what]}`, retryMs: undefined };
  }

  /** Says why its address may not have one more connection than `open`. */
  whyNotConnect(open: number): Overuse | undefined {
    const { connections } = this.#limits;
    if (connections === undefined || open < connections) return undefined;
    return { text: `${this.title} may have ${connections} connections at once.`, retryMs: undefined };
  }

  /** Bytes that the host may keep for it. */
  get mostKeptBytes(): number {
    return this.#limits.keptBytes ?? Number.POSITIVE_INFINITY;
  }

  /** Says why the host keeps no more for it. */
  whyNotKeep(): Overuse {
    const text = `${this.title} may make the host keep ${this.#limits.keptBytes} bytes at once. Try again when some messages have their answers.`;
    return { text, retryMs: undefined };
  }

  channelOpened(nowMs: number): void {
    if (this.channels === 0) this.#servedSinceMs = nowMs;
    this.channels += 1;
  }

  /** `remembers`: whether there is space to remember it. */
  channelClosed(nowMs: number, remembers: boolean): void {
    if (remembers && this.#isServedLong(nowMs)) this.#knownUntilMs = nowMs + bounds.knownMs;
    this.channels -= 1;
  }

  /** Whether it has had a channel for so long that a flood of newcomers does not keep it out. */
  isKnown(nowMs: number): boolean {
    return nowMs < this.#knownUntilMs || this.#isServedLong(nowMs);
  }

  /** Whether it has nothing at the host. */
  get isUnused(): boolean {
    const { channels, types, subscriptions, calls, accounts } = this;
    return accounts === 0 && channels === 0 && calls === 0 && types === 0 && subscriptions === 0;
  }

  /** Whether nothing is lost when it is forgotten. */
  isForgettable(nowMs: number): boolean {
    return !this.isKnown(nowMs) && (this.#messages?.isFull(nowMs) ?? true) && (this.#bytes?.isFull(nowMs) ?? true);
  }

  #isServedLong(nowMs: number): boolean {
    return this.channels > 0 && nowMs - this.#servedSinceMs >= bounds.knownAfterMs;
  }
}

/** No quotas have this revision. */
const unread = {};

function bucketOf(before: TokenBucket | undefined, perSecond: number | undefined, nowMs: number) {
  if (perSecond === undefined) return undefined;
  return before?.perSecond === perSecond ? before : new TokenBucket(perSecond, nowMs, before);
}

/** Of a small quota it is nothing: then each message asks for itself. */
function lotOf(bucket: TokenBucket | undefined, most: number): number {
  return bucket === undefined ? most : Math.min(most, Math.floor(bucket.perSecond / 100));
}

const wordsOf: Readonly<Record<Countable, string>> = {
  channels: "channels",
  types: "agent types",
  subscriptions: "subscriptions",
  calls: "calls under way",
};

const advice: Readonly<Record<Countable, string>> = {
  channels: "Stop a worker first.",
  types: "Stop a worker with some first.",
  subscriptions: "Remove some first.",
  calls: "Try again when some have their answers.",
};
