import type { ServerCall } from "../calls/server-call.ts";
import type { MessageLimits } from "../limits.ts";
import type { FrameStream, Metadata, ServerStream, ServerStreamReceiver, StreamEnd, StreamReceiver } from "../link.ts";
import { toMetadataHeaders } from "../metadata.ts";
import { RpcError, type RpcStatus, StatusCode, type StatusOrigin } from "../rpc-status.ts";
import { messageOf } from "../system-error.ts";
import { MemoryParty } from "./memory-party.ts";
import { MemoryPipe, type Schedule } from "./memory-pipe.ts";

export interface MemoryCallOptions {
  readonly schedule: Schedule;
  readonly limits: MessageLimits;
  readonly windowBytes: number;
  /** Called when both sides have ended. */
  readonly onClosed: () => void;
}

/** One call between two receivers: one pipe per direction, one end per side. */
export class MemoryCall {
  readonly client: FrameStream;
  readonly #server: ServerStream;
  readonly #up: MemoryPipe;
  readonly #down: MemoryPipe;
  readonly #clientParty: MemoryParty;
  readonly #serverParty: MemoryParty;
  readonly #limits: MessageLimits;
  #serverCall: ServerCall | undefined;
  #status: RpcStatus | undefined;
  #hasResponded = false;

  constructor(receiver: StreamReceiver, options: MemoryCallOptions) {
    const { schedule, limits, windowBytes } = options;
    this.#limits = limits;
    const onEnded = (): void => {
      if (this.#clientParty.hasEnded && this.#serverParty.hasEnded) options.onClosed();
    };
    this.#clientParty = new MemoryParty({ schedule, onEnded, onFailure: (error) => this.#clientFailed(error) });
    this.#serverParty = new MemoryParty({ schedule, onEnded, onFailure: (error) => this.finishNow(threw(error)) });
    this.#clientParty.receiver = receiver;
    const client = this.#clientParty;
    const server = this.#serverParty;
    this.#up = new MemoryPipe({
      ...{ schedule, limits, windowBytes },
      onFrame: (frame) => server.tell((to) => to.onFrame(frame)),
      onBadFrame: (status, head) => server.tell((to) => to.onBadFrame(status, head)),
      onSent: () => undefined,
      onReceived: () => server.tell((to) => to.onHalfClose()),
      onDrain: () => client.tell((to) => to.onDrain()),
    });
    this.#down = new MemoryPipe({
      ...{ schedule, limits, windowBytes },
      onFrame: (frame) => client.tell((to) => to.onFrame(frame)),
      onBadFrame: (status, head) => client.tell((to) => to.onBadFrame(status, head)),
      onSent: () => this.#endServer({ by: "status", status: this.#endStatus() }),
      onReceived: () => this.#endClient({ by: "status", status: this.#endStatus(), origin: "peer" }),
      onDrain: () => server.tell((to) => to.onDrain()),
    });
    this.client = this.#makeClient();
    this.#server = this.#makeServer();
    this.#down.resume();
  }

  /**
   * Accepts the call for the server: its receiver gets the stream, then the client's frames. Throws `RpcError` for
   * response metadata that HTTP/2 cannot carry.
   */
  accept(receiver: ServerStreamReceiver, serverCall: ServerCall): void {
    if (this.#clientParty.hasEnded) return;
    const metadata = toMetadataHeaders(receiver.responseMetadata ?? {});
    this.#serverCall = serverCall;
    this.#serverParty.receiver = receiver;
    if (receiver.answersLater !== true) this.#respond(metadata);
    // Frames follow in a later turn, so the receiver may still pause the stream.
    this.#up.resume();
    this.#serverParty.tell(() => receiver.onOpen(this.#server));
  }

  /** Ends the call with a status and discards queued frames. With the origin `local` no server has answered. */
  finishNow(status: RpcStatus, origin: StatusOrigin = "peer"): void {
    this.#endServer({ by: "status", status });
    this.#endClient({ by: "status", status, origin, ...(origin === "local" && { isUnread: true }) });
  }

  /** Ends the call because the connection was lost; each side gets its own reason. */
  lose(clientReason: string, serverReason: string): void {
    this.#endServer({ by: "connection-lost", reason: serverReason });
    this.#endClient({ by: "connection-lost", reason: clientReason });
  }

  #makeClient(): FrameStream {
    const [up, down] = [this.#up, this.#down];
    return {
      ...this.#halfOf(up, down),
      get queuedBytes() {
        return up.queuedBytes;
      },
      get queuedFrames() {
        return up.queuedFrames;
      },
      get unsentFrames() {
        return up.unsentFrames;
      },
      get unconfirmedFrames() {
        return up.unconfirmedFrames;
      },
      get receivedBytes() {
        return down.deliveredBytes;
      },
      end: () => up.end(),
      cancel: () => this.#endClient({ by: "cancelled" }),
    };
  }

  #makeServer(): ServerStream {
    const [up, down] = [this.#up, this.#down];
    const finish = (status: RpcStatus): void => {
      this.#status ??= status;
      down.end();
    };
    return {
      ...this.#halfOf(down, up),
      get queuedBytes() {
        return down.queuedBytes;
      },
      get queuedFrames() {
        return down.queuedFrames;
      },
      get unsentFrames() {
        return down.unsentFrames;
      },
      get unconfirmedFrames() {
        return down.unconfirmedFrames;
      },
      get receivedBytes() {
        return up.deliveredBytes;
      },
      respond: (metadata = {}) => this.#respond(toMetadataHeaders(metadata)),
      finish,
      end: () => finish({ code: StatusCode.ok, details: "" }),
      abort: (status) => {
        if (!this.#serverParty.hasEnded || !this.#clientParty.hasEnded) this.finishNow(status);
      },
      cancel: () => {
        if (this.#serverParty.hasEnded) return;
        this.#endServer({ by: "cancelled" });
        this.#endClient({ by: "peer" });
      },
    };
  }

  #halfOf(
    outgoing: MemoryPipe,
    incoming: MemoryPipe,
  ): Omit<
    FrameStream,
    "queuedBytes" | "queuedFrames" | "unsentFrames" | "unconfirmedFrames" | "receivedBytes" | "end" | "cancel"
  > {
    return {
      // The sender counts unread frames as unconfirmed.
      unreadFrames: 0,
      // A frame is confirmed when it is read.
      beforeAsking: () => () => undefined,
      send: (frame) => outgoing.send(frame),
      maxSendBytes: this.#limits.maxSendMessageBytes,
      pause: () => incoming.pause(),
      resume: () => incoming.resume(),
      flushed: () => outgoing.flushed(),
    };
  }

  #respond(headers: Metadata): void {
    if (this.#hasResponded || this.#status !== undefined || this.#serverParty.hasEnded) return;
    this.#hasResponded = true;
    this.#clientParty.tell((to) => to.onMetadata?.(headers));
  }

  #endClient(end: StreamEnd): void {
    if (this.#clientParty.hasEnded) return;
    this.#clientParty.end(end);
    this.#up.close();
    this.#down.close();
    // A server that has sent its status ignores this; any other learns that the client is gone.
    this.#endServer({ by: "peer" });
  }

  #endServer(end: StreamEnd): void {
    if (this.#serverParty.hasEnded) return;
    this.#serverParty.end(end);
    this.#up.close();
    if (end.by === "status") return;
    const text = end.by === "connection-lost" ? end.reason : "The caller cancelled the call.";
    this.#serverCall?.abort(new RpcError(StatusCode.cancelled, text));
  }

  #clientFailed(error: unknown): void {
    this.#endClient({ by: "status", status: threw(error), origin: "local" });
  }

  #endStatus(): RpcStatus {
    return this.#status ?? { code: StatusCode.ok, details: "" };
  }
}

function threw(error: unknown): RpcStatus {
  return { code: StatusCode.internal, details: `The receiver of this stream threw: ${messageOf(error)}` };
}
