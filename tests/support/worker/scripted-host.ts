import {
  decodeFrame,
  emptyMessage,
  encodeFrame,
  type Frame,
  method,
  serviceName,
} from "../../../src/protocol/index.ts";
import {
  announcementOf,
  type Capability,
  type ControlEnvelope,
  decodeControl,
  encodeControl,
  signals,
} from "../../../src/protocol/internal.ts";
import {
  type CallContext,
  createMemoryNetwork,
  type Listening,
  type MemoryNetwork,
  type Metadata,
  RpcError,
  type ServerStream,
  type ServerStreamReceiver,
  StatusCode,
  type StreamEnd,
} from "../../../src/transport/index.ts";
import { WorkerRuntime, type WorkerRuntimeOptions } from "../../../src/worker/index.ts";
import { Inbox } from "../inbox.ts";
import { RecordingLogger } from "../recording-logger.ts";

export interface UnaryCall {
  readonly method: string;
  readonly request: Uint8Array;
  readonly clientId: string | undefined;
}

/** Answers a unary call, or throws `RpcError`. */
export type Script = (call: UnaryCall) => Uint8Array | Promise<Uint8Array>;

/** Generation 1's host: it has the data channel, and nothing else that matters here. */
export const onlyChannel: Script = () => {
  throw new RpcError(StatusCode.unimplemented, "Method not found!");
};

/** A host that does only what a test says, on a network in memory. */
export class ScriptedHost implements AsyncDisposable {
  readonly network: MemoryNetwork;
  readonly calls: UnaryCall[] = [];
  readonly logger = new RecordingLogger();
  /** Data channels, in the order they were opened. */
  readonly channels = new Inbox<ScriptedStream<Frame>>();
  readonly controls = new Inbox<ScriptedStream<ControlEnvelope>>();
  script: Script;
  hasControl = true;
  /** Whether it announces itself as Troupe's hosts do. */
  isTroupe = false;
  /** The capabilities that a host of Troupe's names. */
  capabilities: readonly Capability[] = [];
  /** Whether it serves side streams. */
  hasSignals = false;
  /** Side streams, in the order they were opened. */
  readonly sides = new Inbox<ScriptedStream<Frame>>();
  /** Takes a frame of a data channel or a side stream; true: nobody else gets it. */
  takes: (frame: Frame, stream: ScriptedStream<Frame>) => boolean = () => false;
  /** Whether it ends a channel that its worker half-closes, as Troupe's hosts do. */
  endsChannels = false;
  readonly #workers: WorkerRuntime[] = [];
  readonly #frames: Codec<Frame> = {
    encode: encodeFrame,
    decode: decodeFrame,
    takes: (frame, stream) => this.takes(frame, stream),
  };
  #listening: Listening | undefined;
  #lastAddress = "127.0.0.1:1";

  /** Several hosts may share one network. */
  constructor(script: Script = () => emptyMessage, network = createMemoryNetwork()) {
    this.script = script;
    this.network = network;
  }

  async listen(address = "127.0.0.1:0"): Promise<this> {
    const unaryMethods = new Set([
      method.registerAgent,
      method.addSubscription,
      method.removeSubscription,
      method.getSubscriptions,
    ]);
    const service = {
      serviceName,
      unaryMethods,
      streamMethods: new Set([method.openChannel, method.openControlChannel]),
      unary: async (request: Uint8Array, call: CallContext) => {
        const recorded = { method: call.method, request, clientId: call.metadata["client-id"] };
        this.calls.push(recorded);
        return this.script(recorded);
      },
      stream: (call: CallContext) => this.#stream(call),
    };
    const side = {
      serviceName: signals.serviceName,
      unaryMethods: new Set<string>(),
      streamMethods: new Set([signals.method]),
      unary: async () => emptyMessage,
      stream: (call: CallContext) => {
        if (this.hasSignals) return new ScriptedStream(call, this.#frames, this.sides);
        throw new RpcError(StatusCode.unimplemented, "Method not found!");
      },
    };
    this.#listening = await this.network.listen(address, [service, side]);
    return this;
  }

  /** Ends as if the process were killed; it can listen again, on the same address. */
  async kill(): Promise<void> {
    const { address } = this;
    this.network.cut(address);
    await this.#listening?.close();
    this.#lastAddress = address;
    this.#listening = undefined;
  }

  /** After `kill`. */
  async revive(): Promise<void> {
    await this.listen(this.#lastAddress);
  }

  get address(): string {
    return this.#listening?.address ?? this.#lastAddress;
  }

  /** The methods called so far, in order. */
  get methods(): string[] {
    return this.calls.map((call) => call.method);
  }

  newWorker(options: Partial<WorkerRuntimeOptions> = {}): WorkerRuntime {
    const ends = { dialer: this.network, address: this.address, logger: this.logger, halfCloseWaitMs: 20 };
    const worker = new WorkerRuntime({ ...ends, drainTimeoutMs: 200, requestIdPrefix: "", ...options });
    this.#workers.push(worker);
    return worker;
  }

  /** A started worker and its data channel. */
  async worker(options: Partial<WorkerRuntimeOptions> = {}): Promise<readonly [WorkerRuntime, ScriptedStream<Frame>]> {
    const worker = this.newWorker(options);
    await worker.start();
    return [worker, await this.channels.take()];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#workers.map((worker) => worker[Symbol.asyncDispose]()));
    await this.#listening?.close();
  }

  #stream(call: CallContext): ServerStreamReceiver {
    if (call.method === method.openChannel) {
      const metadata = this.isTroupe ? announcementOf(this.capabilities) : {};
      const channel = new ScriptedStream(call, this.#frames, this.channels, metadata);
      if (this.endsChannels) void channel.halfClosed.then(() => channel.stream.finish({ code: 0, details: "" }));
      return channel;
    }
    if (!this.hasControl) throw new RpcError(StatusCode.unimplemented, "Method not found!");
    return new ScriptedStream(call, { encode: encodeControl, decode: decodeControl }, this.controls);
  }
}

interface Codec<T> {
  encode(message: T): Uint8Array;
  decode(bytes: Uint8Array): T;
  takes?(message: T, stream: ScriptedStream<T>): boolean;
}

/** The host's end of one stream. */
export class ScriptedStream<T> implements ServerStreamReceiver {
  readonly clientId: string | undefined;
  readonly responseMetadata: Metadata;
  /** What the worker said of itself when it opened the stream. */
  readonly metadata: Metadata;
  readonly received = new Inbox<T>();
  readonly halfClosed: Promise<void>;
  readonly ended: Promise<StreamEnd>;
  readonly #codec: Codec<T>;
  readonly #opened: Inbox<ScriptedStream<T>>;
  #stream: ServerStream | undefined;
  #onHalfClosed: () => void = () => {};
  #onEnded: (end: StreamEnd) => void = () => {};

  constructor(call: CallContext, codec: Codec<T>, opened: Inbox<ScriptedStream<T>>, responseMetadata: Metadata = {}) {
    this.responseMetadata = responseMetadata;
    this.metadata = call.metadata;
    this.clientId = call.metadata["client-id"];
    this.#codec = codec;
    this.#opened = opened;
    this.halfClosed = new Promise((resolve) => {
      this.#onHalfClosed = resolve;
    });
    this.ended = new Promise((resolve) => {
      this.#onEnded = resolve;
    });
  }

  get stream(): ServerStream {
    if (this.#stream === undefined) throw new Error("the stream is not open");
    return this.#stream;
  }

  send(message: T): void {
    this.stream.send(this.#codec.encode(message));
  }

  sendBytes(bytes: Uint8Array): void {
    this.stream.send(bytes);
  }

  onOpen(stream: ServerStream): void {
    this.#stream = stream;
    this.#opened.put(this);
  }

  onFrame(bytes: Uint8Array): void {
    const message = this.#codec.decode(bytes);
    if (this.#codec.takes?.(message, this) !== true) this.received.put(message);
  }

  onHalfClose(): void {
    this.#onHalfClosed();
  }

  onBadFrame(): void {}

  onDrain(): void {}

  onEnd(end: StreamEnd): void {
    this.#onEnded(end);
  }
}
