import type { FrameStream, StreamEnd, StreamReceiver } from "../../../src/transport/internal.ts";

interface Opened {
  readonly receiver: StreamReceiver;
  readonly sent: Uint8Array[];
}

/** Streams of a worker to a host that the test plays. */
export class FakeStreams {
  readonly streams: Opened[] = [];

  readonly openStream = (_name: string, receiver: StreamReceiver): FrameStream => {
    const sent: Uint8Array[] = [];
    this.streams.push({ receiver, sent });
    return {
      send: (bytes) => bytes instanceof Uint8Array && sent.push(bytes) > 0,
      maxSendBytes: Number.POSITIVE_INFINITY,
      ...{ queuedBytes: 0, queuedFrames: 0, unsentFrames: 0, unconfirmedFrames: 0, unreadFrames: 0, receivedBytes: 0 },
      ...{ beforeAsking: () => () => undefined, pause: () => undefined, resume: () => undefined },
      ...{ end: () => undefined, cancel: () => undefined, flushed: () => Promise.resolve() },
    };
  };

  /** Ends the newest stream. */
  readonly end = (how: StreamEnd): void => this.streams.at(-1)?.receiver.onEnd(how);

  /** The host sends its headers on the newest stream. */
  readonly accept = (): void => this.streams.at(-1)?.receiver.onMetadata?.({});
}
