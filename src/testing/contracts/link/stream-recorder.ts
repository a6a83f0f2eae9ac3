import type {
  Metadata,
  RpcStatus,
  ServerStream,
  ServerStreamReceiver,
  StreamEnd,
} from "../../../transport/internal.ts";

/** One callback of a stream's receiver. */
export type StreamEvent =
  | { readonly on: "open" }
  | { readonly on: "metadata"; readonly metadata: Metadata }
  | { readonly on: "frame"; readonly frame: Uint8Array }
  | { readonly on: "half-close" }
  | { readonly on: "bad-frame"; readonly status: RpcStatus }
  | { readonly on: "drain" }
  | { readonly on: "end"; readonly end: StreamEnd };

/** A receiver for tests: records every callback, and lets a test wait for one. */
export class StreamRecorder implements ServerStreamReceiver {
  /** Server only: metadata sent with the response headers. */
  readonly responseMetadata: Metadata;
  /** Server only: the headers wait for `respond`. */
  readonly answersLater: boolean;
  readonly events: StreamEvent[] = [];
  #waiters: { readonly isMet: () => boolean; readonly resolve: () => void }[] = [];
  #stream: ServerStream | undefined;

  constructor(responseMetadata: Metadata = {}, options: { readonly answersLater?: boolean } = {}) {
    this.responseMetadata = responseMetadata;
    this.answersLater = options.answersLater ?? false;
  }

  /** The server's stream; available after `opened`. */
  get stream(): ServerStream {
    if (this.#stream === undefined) throw new Error("The stream is not open yet: await opened() first.");
    return this.#stream;
  }

  get frames(): Uint8Array[] {
    return this.events.flatMap((event) => (event.on === "frame" ? [event.frame] : []));
  }

  get badFrames(): RpcStatus[] {
    return this.events.flatMap((event) => (event.on === "bad-frame" ? [event.status] : []));
  }

  count(on: StreamEvent["on"]): number {
    return this.events.filter((event) => event.on === on).length;
  }

  async opened(): Promise<ServerStream> {
    await this.has("open");
    return this.stream;
  }

  async ended(): Promise<StreamEnd> {
    await this.has("end");
    const last = this.events.at(-1);
    if (last?.on !== "end") throw new Error(`"${last?.on}" came after the end.`);
    return last.end;
  }

  /** Resolves when `count` callbacks of this kind have arrived. */
  has(on: StreamEvent["on"], count = 1): Promise<void> {
    const isMet = (): boolean => this.count(on) >= count;
    if (isMet()) return Promise.resolve();
    return new Promise((resolve) => this.#waiters.push({ isMet, resolve }));
  }

  onOpen(stream: ServerStream): void {
    this.#stream = stream;
    this.#note({ on: "open" });
  }

  onMetadata(metadata: Metadata): void {
    this.#note({ on: "metadata", metadata });
  }

  onFrame(frame: Uint8Array): void {
    this.#note({ on: "frame", frame });
  }

  onHalfClose(): void {
    this.#note({ on: "half-close" });
  }

  onBadFrame(status: RpcStatus): void {
    this.#note({ on: "bad-frame", status });
  }

  onDrain(): void {
    this.#note({ on: "drain" });
  }

  onEnd(end: StreamEnd): void {
    this.#note({ on: "end", end });
  }

  #note(event: StreamEvent): void {
    this.events.push(event);
    const met = this.#waiters.filter((waiter) => waiter.isMet());
    this.#waiters = this.#waiters.filter((waiter) => !met.includes(waiter));
    for (const waiter of met) waiter.resolve();
  }
}
