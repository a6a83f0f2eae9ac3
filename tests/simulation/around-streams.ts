import type { Clock } from "../../src/core/index.ts";
import { type FrameBytes, method } from "../../src/protocol/index.ts";
import { joinFrame } from "../../src/protocol/internal.ts";
import type {
  Dialer,
  FrameStream,
  LinkService,
  ServerStreamReceiver,
  StreamReceiver,
} from "../../src/transport/index.ts";

/** Stands in the way of a data channel's frames: passes each on, or not, or others. */
export interface Gate {
  /** Frames that this side sends. */
  out?(bytes: Uint8Array, pass: (bytes: Uint8Array) => boolean, stream: FrameStream): boolean;
  /** Frames that reach this side. */
  in?(bytes: Uint8Array, pass: (bytes: Uint8Array) => void): void;
  /** The end of the stream, or of what the other side sends. */
  ends?(pass: () => void): void;
  /** Whether this side reads on; the gate may see to it itself. */
  reads?(isReading: boolean, stream: FrameStream): void;
}

/** Lets this side read when it wants to and is not held. */
export class ReaderGate implements Gate {
  #stream: FrameStream | undefined;
  #isHeld = false;
  #isReading = true;

  reads(isReading: boolean, stream: FrameStream): void {
    this.#stream = stream;
    this.#isReading = isReading;
    this.#apply();
  }

  hold(isHeld: boolean): void {
    this.#isHeld = isHeld;
    this.#apply();
  }

  #apply(): void {
    if (this.#isReading && !this.#isHeld) this.#stream?.resume();
    else this.#stream?.pause();
  }
}

/** What reaches this side comes so many milliseconds late, in order; the rest comes at once with the end. */
export function lateGate(clock: Clock, lateMs: number): Gate {
  const late: (() => void)[] = [];
  return {
    in: (bytes, pass) => {
      late.push(() => pass(bytes));
      clock.setTimer(lateMs, () => late.shift()?.());
    },
    ends: (told) => {
      for (const task of late.splice(0)) task();
      told();
    },
  };
}

/** A dialer whose data channels, or other streams of one name, each have a gate of their own, on the worker's side. */
export function aroundStreams(dialer: Dialer, makeGate: () => Gate, streamName: string = method.openChannel): Dialer {
  return {
    dial: (address) => {
      const link = dialer.dial(address);
      return {
        ready: (options) => link.ready(options),
        unary: (name, request, options) => link.unary(name, request, options),
        close: () => link.close(),
        leaving: link.leaving,
        closed: link.closed,
        openStream: (name, receiver, options) => {
          if (name !== streamName) return link.openStream(name, receiver, options);
          const gate = makeGate();
          const stream = link.openStream(name, gatedReceiver(receiver, gate), options);
          gate.reads?.(true, stream);
          return gatedStream(stream, gate);
        },
      };
    },
  };
}

/** The same on the host's side. */
export function aroundService(service: LinkService, makeGate: () => Gate): LinkService {
  return {
    serviceName: service.serviceName,
    unaryMethods: service.unaryMethods,
    streamMethods: service.streamMethods,
    unary: (request, call) => service.unary(request, call),
    stream: (call) => {
      const receiver = service.stream(call);
      if (call.method !== method.openChannel) return receiver;
      const gate = makeGate();
      const gated: ServerStreamReceiver = {
        ...gatedReceiver(receiver, gate),
        ...(receiver.responseMetadata === undefined ? {} : { responseMetadata: receiver.responseMetadata }),
        ...(receiver.answersLater === undefined ? {} : { answersLater: receiver.answersLater }),
        onOpen: (stream) => {
          receiver.onOpen(gatedStream(stream, gate));
        },
      };
      return gated;
    },
  };
}

function gatedReceiver(receiver: StreamReceiver, gate: Gate): StreamReceiver {
  const pass = (bytes: Uint8Array) => receiver.onFrame(bytes);
  const ends = (told: () => void) => (gate.ends === undefined ? told() : gate.ends(told));
  return {
    onMetadata: (metadata) => receiver.onMetadata?.(metadata),
    onFrame: (bytes) => (gate.in === undefined ? pass(bytes) : gate.in(bytes, pass)),
    onHalfClose: () => ends(() => receiver.onHalfClose()),
    onBadFrame: (status, head) => receiver.onBadFrame(status, head),
    onDrain: () => receiver.onDrain(),
    onEnd: (end) => ends(() => receiver.onEnd(end)),
  };
}

function gatedStream<S extends FrameStream>(stream: S, gate: Gate): S {
  const pass = (bytes: Uint8Array) => stream.send(bytes);
  // The prototype answers for what is not changed, also for what a stream learns later.
  return Object.assign(Object.create(bound(stream)), {
    // A host's frame may come in two parts: the gate sees the whole.
    send: (frame: FrameBytes) =>
      gate.out === undefined ? stream.send(frame) : gate.out(joinFrame(frame), pass, stream),
    pause: () => (gate.reads === undefined ? stream.pause() : gate.reads(false, stream)),
    resume: () => (gate.reads === undefined ? stream.resume() : gate.reads(true, stream)),
  });
}

/** Methods of the stream keep their `this`, getters stay alive. */
function bound<S extends FrameStream>(stream: S): S {
  return new Proxy(stream, {
    get: (target, name) => {
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}
