import type { FrameStream, StreamReceiver } from "../link.ts";
import type { RpcStatus } from "../rpc-status.ts";

/** A stream that could not be opened: it reports its end in a turn of its own and does nothing else. */
export function deadStream(receiver: StreamReceiver, status: RpcStatus): FrameStream {
  process.nextTick(() => receiver.onEnd({ by: "status", status, origin: "local" }));
  return {
    queuedBytes: 0,
    queuedFrames: 0,
    unsentFrames: 0,
    unconfirmedFrames: 0,
    unreadFrames: 0,
    maxSendBytes: 0,
    send: () => false,
    pause: () => undefined,
    resume: () => undefined,
    end: () => undefined,
    cancel: () => undefined,
    flushed: () => Promise.resolve(),
  };
}
