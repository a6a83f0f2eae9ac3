import type { Clock } from "../../src/core/index.ts";
import type { Dialer, FrameStream, StreamReceiver } from "../../src/transport/index.ts";

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
