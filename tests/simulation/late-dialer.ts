import type { Clock } from "../../src/core/index.ts";
import type { Dialer, FrameStream, LinkService, StreamReceiver } from "../../src/transport/index.ts";

/** A dialer whose user hears of a lost connection so many milliseconds late: of its streams' ends, and of its own. */
export function lateDialer(dialer: Dialer, clock: Clock, lateMs: () => number): Dialer {
  const later = (task: () => void) => {
    const ms = lateMs();
    if (ms === 0) task();
    else clock.setTimer(ms, task);
  };
  return {
    dial: (address) => {
      const link = dialer.dial(address);
      const late = <T>(value: T): T | Promise<T> =>
        lateMs() === 0 ? value : new Promise<T>((resolve) => later(() => resolve(value)));
      return {
        ready: (options) => link.ready(options),
        unary: (name, request, options) => link.unary(name, request, options),
        close: () => link.close(),
        leaving: link.leaving.then(late),
        closed: link.closed.then(late),
        openStream: (name, receiver, options): FrameStream =>
          link.openStream(name, lateReceiver(receiver, later), options),
      };
    },
  };
}

/** A dialer whose present link says that it takes no new calls (GOAWAY) when its user wants that. What runs on it goes on. */
export function goAwayDialer(dialer: Dialer, onDial: (goAway: () => Promise<unknown>) => void): Dialer {
  return {
    dial: (address) => {
      const link = dialer.dial(address);
      let goAway: (reason: string) => void = () => undefined;
      const goesAway = new Promise<string>((resolve) => {
        goAway = resolve;
      });
      onDial(() => {
        goAway("The server has sent GOAWAY.");
        return link.closed;
      });
      return {
        ready: (options) => link.ready(options),
        unary: (name, request, options) => link.unary(name, request, options),
        openStream: (name, receiver, options) => link.openStream(name, receiver, options),
        close: () => link.close(),
        leaving: Promise.race([link.leaving, goesAway]),
        closed: link.closed,
      };
    },
  };
}

/** A service whose host hears of the lost connections of its streams so many milliseconds late. */
export function lateService(service: LinkService, clock: Clock, lateMs: () => number): LinkService {
  const later = (task: () => void) => {
    const ms = lateMs();
    if (ms === 0) task();
    else clock.setTimer(ms, task);
  };
  return {
    serviceName: service.serviceName,
    unaryMethods: service.unaryMethods,
    streamMethods: service.streamMethods,
    unary: (request, call) => service.unary(request, call),
    stream: (call) => {
      const receiver = service.stream(call);
      return {
        ...lateReceiver(receiver, later),
        ...(receiver.responseMetadata === undefined ? {} : { responseMetadata: receiver.responseMetadata }),
        ...(receiver.answersLater === undefined ? {} : { answersLater: receiver.answersLater }),
        onOpen: (stream) => receiver.onOpen(stream),
      };
    },
  };
}

function lateReceiver(receiver: StreamReceiver, later: (task: () => void) => void): StreamReceiver {
  return {
    onMetadata: (metadata) => receiver.onMetadata?.(metadata),
    onFrame: (bytes) => receiver.onFrame(bytes),
    onHalfClose: () => receiver.onHalfClose(),
    onBadFrame: (status, head) => receiver.onBadFrame(status, head),
    onDrain: () => receiver.onDrain(),
    onEnd: (end) => (end.by === "connection-lost" ? later(() => receiver.onEnd(end)) : receiver.onEnd(end)),
  };
}
