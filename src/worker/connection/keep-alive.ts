import { type Clock, setPatientTimer, watchingClock } from "../../core/internal.ts";
import { type Link, type Metadata, RpcError, StatusCode } from "../../transport/internal.ts";

export interface KeepAliveOptions {
  readonly link: Pick<Link, "unary">;
  readonly metadata: Metadata;
  readonly clock: Clock;
  /** Milliseconds of silence after which the worker asks the host. 0: never. */
  readonly afterMs: number;
  /** Milliseconds that the host has for its answer. */
  readonly timeoutMs: number;
  /** Asks inside the data channel, where any message of the host is the answer. False: it can't, and the worker asks by a call. */
  readonly askInChannel: () => boolean;
  /** Whether the worker reads the data channel now. An answer there is not noticed otherwise. */
  readonly isChannelRead: () => boolean;
  /** Whether the worker has sent frames without a sign of their arrival (`FrameStream.unconfirmedFrames`). An answer is that sign. */
  readonly isInDoubt: () => boolean;
  /** Number of bytes that have come on the data channel. Those of a long message that is not whole yet are a sign of life, too. */
  readonly receivedBytes: () => number;
  /** Whether the link takes no new calls, so that a question can't leave. The host is not silent then. */
  readonly isLinkLeaving: () => boolean;
  /** Called when the host has answered. */
  readonly onAnswer: () => void;
  /** Called when no sign of life came in time. */
  readonly onDead: (reason: string) => void;
}

/** A method that no host serves. The host's UNIMPLEMENTED shows that it lives; stock hosts do not log the call. */
const method = "/troupe.v1.KeepAlive/AreYouThere";

/** Part of the timeout after which the worker asks again, if something other than the host answered. */
const askAgainPart = 0.2;

/**
 * Asks a host for a sign of life. Resolves when the host itself has answered, whatever it says; rejects with the transport's
 * error otherwise.
 */
export async function askForSignOfLife(
  link: Pick<Link, "unary">,
  options: { readonly metadata: Metadata; readonly signal?: AbortSignal; readonly timeoutMs?: number },
): Promise<void> {
  try {
    await link.unary(method, new Uint8Array(0), options);
  } catch (error) {
    if (!isHostsOwnAnswer(error)) throw error;
  }
}

/**
 * Whether a failed call shows that the host lives. An error of this side does not. An HTTP status or a reset does not
 * either, because a proxy may have sent it. Proxies that speak gRPC send UNAVAILABLE when they can't reach the host.
 */
function isHostsOwnAnswer(error: unknown): boolean {
  return error instanceof RpcError && error.origin === "peer" && error.code !== StatusCode.unavailable;
}

/** Whether this side made the error, because the question could not leave. */
function isLocal(error: unknown): boolean {
  return error instanceof RpcError && error.origin === "local";
}

/**
 * Asks a silent host for a sign of life. It also asks a host that sends messages, if nothing shows that the host has received
 * the worker's frames. It asks a host that knows heartbeats inside the data channel, because behind a proxy nothing else shows
 * that this channel lives. It asks other hosts by a unary call, because gRPC's own servers end a quiet connection with HTTP/2
 * pings (`too_many_pings`). After this process was busy, it first reads what has come.
 */
export class KeepAlive {
  readonly #options: KeepAliveOptions;
  #heardMs: number;
  #stop = () => {};

  constructor(options: KeepAliveOptions) {
    this.#options = { ...options, clock: watchingClock(options.clock) };
    this.#heardMs = this.#options.clock.now();
    if (options.afterMs > 0) this.#wait(options.afterMs);
  }

  /** Notes that the host has sent something. */
  heard(): void {
    this.#heardMs = this.#options.clock.now();
  }

  stop(): void {
    this.#stop();
  }

  #wait(ms: number): void {
    const timer = this.#options.clock.setTimer(ms, () => this.#look());
    this.#stop = () => timer.cancel();
  }

  #look(): void {
    const { clock, afterMs, isInDoubt } = this.#options;
    const silentMs = clock.now() - this.#heardMs;
    if (silentMs < afterMs && !isInDoubt()) this.#wait(afterMs - silentMs);
    else this.#ask();
  }

  #ask(): void {
    const { link, metadata, clock, timeoutMs, afterMs, isLinkLeaving, isChannelRead, onAnswer, onDead } = this.#options;
    const controller = new AbortController();
    const { signal } = controller;
    const askedMs = clock.now();
    const receivedBytes = this.#options.receivedBytes();
    const isInChannel = this.#options.askInChannel();
    const timeUp = setPatientTimer(clock, timeoutMs, () => {
      this.#stop();
      // A message that the host has sent meanwhile is a sign of life, too.
      if (this.#heardMs >= askedMs || this.#options.receivedBytes() > receivedBytes) this.#look();
      else if (isInChannel && !isChannelRead()) this.#ask();
      else onDead(`it gave no sign of life within ${timeoutMs} ms.`);
    });
    let again = timeUp;
    this.#stop = () => {
      timeUp.cancel();
      again.cancel();
      controller.abort();
    };
    const answered = () => {
      if (signal.aborted) return;
      timeUp.cancel();
      this.heard();
      onAnswer();
      this.#wait(afterMs);
    };
    // The data channel lives on a link that leaves. Only the loss of the link ends it.
    const unaskable = () => {
      timeUp.cancel();
      this.#wait(afterMs);
    };
    const ask = () => {
      void askForSignOfLife(link, { metadata, signal }).then(answered, (error) => {
        if (signal.aborted) return;
        if (isLinkLeaving() && isLocal(error)) unaskable();
        else again = clock.setTimer(timeoutMs * askAgainPart, ask);
      });
    };
    if (!isInChannel) ask();
  }
}
