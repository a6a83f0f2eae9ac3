import type { Clock } from "../../core/internal.ts";
import type { FrameStream, Link, Metadata, StreamEnd, StreamReceiver } from "../../transport/internal.ts";
import { isUnavailable } from "./connection-end.ts";
import { atMost } from "./time-limits.ts";

export interface LinkCarrierOptions {
  readonly link: Link;
  /** Metadata of every call and stream. */
  readonly metadata: Metadata;
  readonly clock: Clock;
  /** The time of a call without a time of its own. */
  readonly timeoutMs: number;
  /** Whether the data channel on the link lives. */
  readonly isOpen: () => boolean;
  /** Throws the error for calls that the worker no longer makes, because it leaves the connection. */
  readonly assertStays: () => void;
  /** Resolves when a link that takes no calls has got a newer one, or gets none. Never rejects. */
  readonly renewed: () => Promise<void>;
}

/** A stream beside the data channel. */
export interface CarriedStream {
  readonly stream: FrameStream;
  /** After the end of a stream that the link did not take: resolves to whether there is another link for it. Never rejects. */
  nextLink(): Promise<boolean>;
}

type UnaryOptions = Parameters<Link["unary"]>[2];

/** Carries the calls and streams of a connection: over its own link until that leaves (GOAWAY), then over a newer connection's. */
export class LinkCarrier implements Pick<Link, "unary"> {
  /** Resolves with the reason when its own link takes no new calls any more or has ended. Never rejects. */
  readonly leaving: Promise<string>;
  readonly #options: LinkCarrierOptions;
  #next: LinkCarrier | undefined;
  #usersCount = 0;
  #isLinkGone = false;
  #isLinkLeaving = false;

  constructor(options: LinkCarrierOptions) {
    this.#options = options;
    void options.link.closed.then(() => {
      this.#isLinkGone = true;
    });
    this.leaving = options.link.leaving.then((reason) => {
      this.#isLinkLeaving = !this.#isLinkGone;
      return reason;
    });
  }

  /** Whether its own link takes no new calls, while its calls and streams continue. */
  get isLeaving(): boolean {
    return this.#isLinkLeaving && !this.#isLinkGone;
  }

  /** Number of `use`s that are not released. */
  get usersCount(): number {
    return this.#usersCount;
  }

  /** The link that carries calls now. */
  get link(): Link {
    return this.#newest.#options.link;
  }

  /** Keeps the link in use. Returns the function that ends the use. */
  use(): () => void {
    this.#usersCount += 1;
    return () => {
      this.#usersCount -= 1;
    };
  }

  /** Carries over the link of a newer connection from now on. */
  carryOver(newer: LinkCarrier): void {
    if (newer !== this) this.#next = newer;
  }

  /** A call that a leaving link does not take goes over the next link. */
  async unary(name: string, request: Uint8Array, how: UnaryOptions = {}): Promise<Uint8Array> {
    const { clock, isOpen, assertStays } = this.#options;
    const { timeoutMs = this.#options.timeoutMs, signal } = how;
    const endMs = clock.now() + timeoutMs;
    const isOver = () => signal?.aborted === true || clock.now() >= endMs;
    for (let limits = { ...how, timeoutMs }; ; limits = { ...how, timeoutMs: endMs - clock.now() }) {
      const carrier = this.#newest;
      assertStays();
      try {
        return await carrier.#options.link.unary(name, request, limits);
      } catch (error) {
        if (!isUnavailable(error) || isOver()) throw error;
        if (this.#newest === carrier) await atMost(carrier.#options.renewed(), endMs - clock.now(), clock, signal);
        // A lost link may have taken the call.
        const hasNext = this.#newest !== carrier && !carrier.#isLinkGone;
        if (!hasNext || !isOpen() || isOver()) throw error;
      }
    }
  }

  /** Opens a stream. It keeps a newer connection's link in use until its end. */
  openStream(name: string, receiver: StreamReceiver): CarriedStream {
    const { metadata, isOpen } = this.#options;
    const carrier = this.#newest;
    const release = carrier === this ? () => {} : carrier.use();
    const onEnd = (end: StreamEnd) => {
      release();
      receiver.onEnd(end);
    };
    const stream = carrier.#options.link.openStream(name, { ...receiver, onEnd }, { metadata });
    const nextLink = async () => {
      if (this.#newest === carrier) await carrier.#options.renewed();
      return isOpen() && this.#newest !== carrier;
    };
    return { stream, nextLink };
  }

  get #newest(): LinkCarrier {
    let carrier: LinkCarrier = this;
    while (carrier.#next !== undefined) carrier = carrier.#next;
    return carrier;
  }
}
