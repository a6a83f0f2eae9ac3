import { announcement, decodeFrame, emptyMessage, encodeFrame, type Frame } from "../../../src/protocol/internal.ts";
import { ManualClock } from "../../../src/testing/index.ts";
import {
  type Dialer,
  type Link,
  type Metadata,
  RpcError,
  StatusCode,
  type StreamEnd,
  type StreamReceiver,
} from "../../../src/transport/internal.ts";
import { WorkerRuntime, type WorkerRuntimeOptions } from "../../../src/worker/index.ts";
import { RecordingLogger } from "../recording-logger.ts";

type UnaryOptions = NonNullable<Parameters<Link["unary"]>[2]>;

export interface FakeScript {
  /** Rejects when the host can't be reached. */
  readonly ready?: (link: FakeLink) => Promise<void>;
  /** Answers a unary call; undefined: the host answers it with success. */
  readonly unary?: (link: FakeLink, method: string, options: UnaryOptions) => Promise<Uint8Array> | undefined;
  /** Called when the worker has sent a frame on a data channel. */
  readonly sent?: (link: FakeLink, frame: Frame) => void;
  /** Called when the worker half-closes a data channel, before that ends. */
  readonly halfClosed?: (link: FakeLink) => void;
  /** Headers of the host. Default: it announces itself. Undefined: it sends none. */
  readonly headers?: Metadata | undefined;
  /** Whether the host's headers come by themselves; else by `sayHeaders`. Default: they do. */
  readonly sendsHeaders?: (link: FakeLink) => boolean;
}

/** Links whose host is the test: it says when a link leaves (GOAWAY), and what a channel ends with. */
export class FakeDialer implements Dialer {
  readonly links: FakeLink[] = [];
  readonly #script: FakeScript;

  constructor(script: FakeScript = {}) {
    this.#script = script;
  }

  dial(): FakeLink {
    const link = new FakeLink(this.links.length + 1, this.#script);
    this.links.push(link);
    return link;
  }

  /** Number of links that are not closed. */
  get openCount(): number {
    return this.links.filter(({ isOpen }) => isOpen).length;
  }

  /** The link of this number, from 1. */
  link(number: number): FakeLink {
    const link = this.links[number - 1];
    if (link === undefined) throw new Error(`link ${number} was never dialed`);
    return link;
  }
}

export class FakeLink implements Link {
  readonly number: number;
  readonly leaving: Promise<string>;
  readonly closed: Promise<string>;
  /** Frames that the worker sent on the data channel. */
  readonly sent: Frame[] = [];
  /** Each stream that the worker opened, and what it sent there. */
  readonly streams: { readonly method: string; readonly metadata: Metadata; readonly sent: Uint8Array[] }[] = [];
  /** Whether the worker reads the data channel. */
  isRead = true;
  /** Number of unary calls that reached the host. */
  unaryCount = 0;
  isOpen = true;
  readonly #script: FakeScript;
  #isLeaving = false;
  #leave: (reason: string) => void = () => {};
  #close: (reason: string) => void = () => {};
  #channel: StreamReceiver | undefined;
  #isChannelOpen = false;

  constructor(number: number, script: FakeScript) {
    this.number = number;
    this.#script = script;
    this.leaving = new Promise((resolve) => {
      this.#leave = resolve;
    });
    this.closed = new Promise((resolve) => {
      this.#close = resolve;
    });
  }

  async ready(): Promise<void> {
    await this.#script.ready?.(this);
  }

  async unary(method: string, _request: Uint8Array, options: UnaryOptions = {}): Promise<Uint8Array> {
    if (this.#isLeaving) throw new RpcError(StatusCode.unavailable, "The link takes no calls.", { origin: "local" });
    this.unaryCount += 1;
    return (await this.#script.unary?.(this, method, options)) ?? emptyMessage;
  }

  openStream(
    method: string,
    receiver: StreamReceiver,
    { metadata = {} }: Parameters<Link["openStream"]>[2] = {},
  ): ReturnType<Link["openStream"]> {
    const isChannel = this.#channel === undefined;
    const stream = { method, metadata, sent: [] as Uint8Array[] };
    this.streams.push(stream);
    if (isChannel) {
      this.#channel = receiver;
      this.#isChannelOpen = true;
    }
    let isOpen = true;
    const end = (how: StreamEnd) => {
      if (!isOpen || (isChannel && !this.#isChannelOpen)) return;
      isOpen = false;
      if (isChannel) this.#isChannelOpen = false;
      setImmediate(() => receiver.onEnd(how));
    };
    const headers = "headers" in this.#script ? this.#script.headers : announcement;
    const isPrompt = this.#script.sendsHeaders?.(this) ?? true;
    if (headers !== undefined && isPrompt) setImmediate(() => isOpen && receiver.onMetadata?.(headers));
    return {
      send: (bytes) => {
        if (!isOpen || (isChannel && !this.#isChannelOpen)) return false;
        if (bytes instanceof Uint8Array) {
          stream.sent.push(bytes);
          if (isChannel) {
            const frame = decodeFrame(bytes);
            this.sent.push(frame);
            this.#script.sent?.(this, frame);
          }
        }
        return true;
      },
      maxSendBytes: Number.POSITIVE_INFINITY,
      ...{ queuedBytes: 0, queuedFrames: 0, unsentFrames: 0, unconfirmedFrames: 0, unreadFrames: 0, receivedBytes: 0 },
      beforeAsking: () => () => {},
      pause: () => {
        if (isChannel) this.isRead = false;
      },
      resume: () => {
        if (isChannel) this.isRead = true;
      },
      end: () => {
        if (isChannel && isOpen) this.#script.halfClosed?.(this);
        end({ by: "status", status: { code: StatusCode.ok, details: "" } });
      },
      cancel: () => end({ by: "cancelled" }),
      flushed: () => Promise.resolve(),
    };
  }

  async close(): Promise<void> {
    this.isOpen = false;
    this.#leave("closed");
    this.#close("closed");
  }

  /** The link takes no new calls any more. */
  goAway(): void {
    this.#isLeaving = true;
    this.#leave("GOAWAY");
  }

  /** Sends the headers of the data channel. */
  sayHeaders(headers: Metadata): void {
    this.#channel?.onMetadata?.(headers);
  }

  /** Sends a frame on the data channel. */
  say(frame: Frame): void {
    this.sayBytes(encodeFrame(frame));
  }

  sayBytes(bytes: Uint8Array): void {
    this.#channel?.onFrame(bytes);
  }

  /** Ends the data channel. */
  end(how: StreamEnd): void {
    this.#isChannelOpen = false;
    this.#channel?.onEnd(how);
  }
}

export interface FakeStage extends AsyncDisposable {
  readonly clock: ManualClock;
  readonly logger: RecordingLogger;
  readonly worker: WorkerRuntime;
}

/** A started worker whose hosts are fake, and whose time the test makes pass. */
export async function openFakeStage(
  dialer: FakeDialer,
  options: Partial<WorkerRuntimeOptions> = {},
  prepare: (worker: WorkerRuntime) => Promise<void> = async () => {},
): Promise<FakeStage> {
  const [clock, logger] = [new ManualClock(), new RecordingLogger()];
  const ends = { address: "h:1", dialer, clock, logger, requestIdPrefix: "", controlChannel: "when-needed" } as const;
  const worker = new WorkerRuntime({ ...ends, random: () => 0, keepAliveMs: 0, ...options });
  await prepare(worker);
  await worker.start();
  return {
    ...{ clock, logger, worker },
    [Symbol.asyncDispose]: async () => {
      await worker.stop({ signal: AbortSignal.abort() });
    },
  };
}
