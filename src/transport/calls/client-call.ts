import type { Clock } from "../../core/internal.ts";
import { followAbort, unfollowAbort } from "../../core/internal.ts";
import { serviceName } from "../../protocol/internal.ts";
import type { FrameStream, StreamReceiver, UnaryOptions } from "../link.ts";
import { nextTick } from "../real-time.ts";
import { RpcError, type RpcStatus, StatusCode } from "../rpc-status.ts";
import { errorFromEnd } from "./call-errors.ts";
import { startDeadline } from "./long-timer.ts";

/** Returns the full path of a method: prefixes a bare name with `agents.AgentRpc`, keeps a path. */
export function toMethodPath(method: string): string {
  return method.startsWith("/") ? method : `/${serviceName}/${method}`;
}

/** Sends one request over the stream that `open` creates, and resolves to its one answer. Rejects with `RpcError`. */
export function callUnary(
  open: (receiver: StreamReceiver) => FrameStream,
  request: Uint8Array,
  options: Omit<UnaryOptions, "metadata">,
  clock?: Clock,
): Promise<Uint8Array> {
  const { signal, timeoutMs } = options;
  return new Promise((resolve, reject) => {
    if (signal?.aborted === true) {
      reject(callAborted(signal));
      return;
    }
    let answer: Uint8Array | undefined;
    let stopDeadline: () => void = () => undefined;
    const settle = (error: RpcError | undefined): void => {
      stopDeadline();
      unfollowAbort(signal, onAbort);
      if (error !== undefined) reject(error);
      else if (answer !== undefined) resolve(answer);
      else {
        const text = "The server said OK but sent no answer to a unary call.";
        reject(new RpcError(StatusCode.unimplemented, text, { origin: "peer" }));
      }
    };
    const giveUp = (error: RpcError): void => {
      settle(error);
      stream.cancel();
    };
    const onAbort = (): void => giveUp(callAborted(signal));
    const stream = open({
      onFrame(frame) {
        if (answer === undefined) answer = frame;
        else giveUp(new RpcError(StatusCode.unimplemented, "The server sent more than one answer to a unary call."));
      },
      onHalfClose: () => undefined,
      onBadFrame: (status) => giveUp(new RpcError(status.code, status.details)),
      onDrain: () => undefined,
      onEnd: (end) => settle(end.by === "status" && end.status.code === StatusCode.ok ? undefined : errorFromEnd(end)),
    });
    try {
      stream.send(request);
      stream.end();
    } catch (error) {
      stream.cancel();
      reject(error);
      return;
    }
    if (timeoutMs !== undefined) {
      stopDeadline = startDeadline(timeoutMs, () => giveUp(deadlinePassed(timeoutMs)), clock);
    }
    followAbort(signal, onAbort);
  });
}

function callAborted(signal: AbortSignal | undefined): RpcError {
  return new RpcError(StatusCode.cancelled, "The call was cancelled by its signal.", { cause: signal?.reason });
}

function deadlinePassed(timeoutMs: number): RpcError {
  return new RpcError(StatusCode.deadlineExceeded, `No answer came within ${timeoutMs} ms.`);
}

/** Creates a stream that could not be opened: it reports its end in the next tick and does nothing else. */
export function deadStream(receiver: StreamReceiver, status: RpcStatus): FrameStream {
  nextTick(() => receiver.onEnd({ by: "status", status, origin: "local", isUnread: true }));
  return {
    queuedBytes: 0,
    queuedFrames: 0,
    unsentFrames: 0,
    unconfirmedFrames: 0,
    beforeAsking: () => () => undefined,
    unreadFrames: 0,
    receivedBytes: 0,
    maxSendBytes: 0,
    send: () => false,
    pause: () => undefined,
    resume: () => undefined,
    end: () => undefined,
    cancel: () => undefined,
    flushed: () => Promise.resolve(),
  };
}
