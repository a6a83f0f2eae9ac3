import {
  type HostOptions,
  HostServicer,
  type JoinedOthers,
  type JoinOthersOptions,
  joinOthers,
} from "../../src/host/internal.ts";
import {
  type Capability,
  decodePeerFrame,
  encodePeerFrame,
  type PeerFrame,
  type PeerHello,
  peerLinks,
} from "../../src/protocol/internal.ts";
import {
  createMemoryNetwork,
  type FrameStream,
  type Link,
  type LinkService,
  type MemoryNetwork,
  type ServerStream,
  type StreamEnd,
} from "../../src/transport/index.ts";
import { FakeCluster } from "./fake-cluster.ts";
import { Inbox } from "./inbox.ts";

/** Returns what a host says first on a link. */
export function helloOfHost(hostId: string, features: readonly Capability[] = []) {
  return {
    ...{ kind: "hello" as const, cluster: "test", hostId, oldest: 1, newest: 1 },
    features: new Set(features),
  } as const;
}

/** A link to a host, of another one that does only what a test says, frame by frame. */
export interface RawLink {
  readonly stream: FrameStream;
  readonly ended: Promise<StreamEnd>;
  next(): Promise<PeerFrame>;
}

/** A host that waits for links. */
export interface WaitingHost extends AsyncDisposable {
  readonly network: MemoryNetwork;
  readonly cluster: FakeCluster;
  readonly servicer: HostServicer;
  readonly joined: JoinedOthers;
  /** Opens a link, and sends these frames on it. */
  dial(frames: readonly Uint8Array[], metadata?: Record<string, string>): RawLink;
}

export interface WaitingHostOptions extends Partial<JoinOthersOptions> {
  readonly host?: HostOptions | undefined;
  readonly network?: MemoryNetwork | undefined;
}

/** Starts a host under the id `h1`. */
export async function openWaitingHost(options: WaitingHostOptions = {}): Promise<WaitingHost> {
  const { host, network = createMemoryNetwork(), ...join } = options;
  const cluster = new FakeCluster();
  const servicer = new HostServicer(host);
  const joined = await joinOthers(servicer, {
    ...{ cluster: cluster.viewOf("h1"), transport: { dialer: network, listener: network, isMutual: false } },
    ...{ address: "127.0.0.1:0", ...join },
  });
  return {
    ...{ network, cluster, servicer, joined },
    dial: (frames, metadata) => openRawLink(network.dial(joined.address), frames, metadata),
    [Symbol.asyncDispose]: () => servicer.drain(0, Promise.resolve()),
  };
}

/** Opens a link over a connection, and sends these frames on it. */
export function openRawLink(link: Link, frames: readonly Uint8Array[], metadata: Record<string, string> = {}): RawLink {
  const inbox = new Inbox<PeerFrame>();
  let settle = (_end: StreamEnd): void => undefined;
  const ended = new Promise<StreamEnd>((resolve) => {
    settle = resolve;
  });
  const nothing = (): void => undefined;
  const receiver = {
    onFrame: (bytes: Uint8Array) => inbox.put(decodePeerFrame(bytes)),
    ...{ onHalfClose: nothing, onBadFrame: nothing, onDrain: nothing, onEnd: settle },
  };
  const stream = link.openStream(peerLinks.path, receiver, { metadata });
  for (const frame of frames) stream.send(frame);
  return { stream, ended, next: () => inbox.take() };
}

/**
 * A host that takes links, says these frames on each, and then only collects what comes. `ended`: of the first link. `hello`: by default that of a
 * host under the id `h2`.
 */
export async function openRawHost(
  network: MemoryNetwork,
  said: readonly Uint8Array[],
  hello: PeerHello = helloOfHost("h2"),
) {
  const inbox = new Inbox<PeerFrame>();
  const streams: ServerStream[] = [];
  let settle = (_end: StreamEnd): void => undefined;
  const ended = new Promise<StreamEnd>((resolve) => {
    settle = resolve;
  });
  const nothing = (): void => undefined;
  const service: LinkService = {
    serviceName: peerLinks.serviceName,
    unaryMethods: new Set(),
    streamMethods: new Set([peerLinks.method]),
    unary: async () => new Uint8Array(0),
    stream: () => ({
      onOpen: (stream) => {
        streams.push(stream);
        for (const frame of [encodePeerFrame(hello), ...said]) stream.send(frame);
      },
      onFrame: (bytes) => inbox.put(decodePeerFrame(bytes)),
      ...{ onHalfClose: nothing, onBadFrame: nothing, onDrain: nothing, onEnd: settle },
    }),
  };
  const listening = await network.listen("127.0.0.1:0", [service]);
  return { address: listening.address, streams, ended, next: () => inbox.take() };
}

/** Takes frames until one of this kind comes, and returns it. */
export async function nextOfKind(from: { next(): Promise<PeerFrame> }, kind: PeerFrame["kind"]): Promise<PeerFrame> {
  for (;;) {
    const frame = await from.next();
    if (frame.kind === kind) return frame;
  }
}
