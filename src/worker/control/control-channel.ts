import { errorText, NotAccessibleError, PendingCalls, UndeliverableException } from "../../core/internal.ts";
import {
  type ControlAnswer,
  type ControlEnvelope,
  type ControlRequest,
  clientDestination,
  controlFailure,
  controlReply,
  decodeControl,
  decodeControlHeartbeat,
  encodeControl,
  encodeControlHeartbeat,
  type HeartbeatFrame,
  isControlRequest,
  method,
} from "../../protocol/internal.ts";
import { type FrameStream, StatusCode, type StreamEnd } from "../../transport/internal.ts";
import { describeEnd } from "../connection/connection-end.ts";
import type { HostConnection } from "../connection/host-connection.ts";
import type { UndeliverableReason } from "../connection/outbox.ts";
import type { WorkerSettings } from "../worker-options.ts";

/** Answers requests about the agents of this worker; never rejects. */
export type ControlServer = (request: ControlRequest) => Promise<ControlAnswer>;

export interface ControlChannelOptions {
  readonly connection: Pick<HostConnection, "clientId" | "openStream">;
  readonly settings: WorkerSettings;
  readonly server: ControlServer;
}

type ControlState =
  /** Not open yet, or the stream has ended while the connection lives. The worker opens it when it needs it. */
  | { readonly at: "closed" }
  | { readonly at: "open"; readonly stream: FrameStream }
  /** The host has no control channel, or the connection has ended. */
  | { readonly at: "unusable"; readonly error: () => Error };

/** Largest number of requests that the worker handles at the same time; it refuses further ones. */
const mostServed = 100;

/** The control channel of one connection. It asks about agents on other workers, and answers requests about agents of this worker. */
// protocol.md §1.8
export class ControlChannel {
  readonly #options: ControlChannelOptions;
  readonly #pending: PendingCalls<ControlAnswer>;
  #state: ControlState = { at: "closed" };
  #served = 0;
  /** False while the stream has more queued than it wants. */
  #isWritable = true;

  constructor(options: ControlChannelOptions) {
    this.#options = options;
    this.#pending = new PendingCalls({ clock: options.settings.clock });
  }

  /** Whether no request waits for an answer here or there. */
  get isIdle(): boolean {
    return this.#pending.size === 0 && this.#served === 0;
  }

  /** Opens the stream unless it is open. With a host that has no control channel, only later requests fail. */
  open(): void {
    if (this.#state.at !== "closed") return;
    const stream = this.#options.connection.openStream(method.openControlChannel, this.#receiver());
    // A stream may end before `openStream` returns.
    if (this.#state.at !== "closed") return;
    this.#state = { at: "open", stream };
    this.#isWritable = true;
  }

  /**
   * Sends a request and resolves to its answer, even if the answer is a failure. Rejects without a control channel, with a host
   * that is too slow, and when the time is up.
   */
  async request(destination: string, body: ControlRequest, signal?: AbortSignal): Promise<ControlAnswer> {
    const stream = this.#openStream();
    if (this.#isFull(stream)) throw tooSlow(stream);
    const { makeId, controlTimeoutMs } = this.#options.settings;
    const rpcId = makeId();
    const respondTo = clientDestination(this.#options.connection.clientId);
    this.#isWritable = stream.send(encodeControl({ rpcId, destination, respondTo, body }));
    return this.#pending.open(rpcId, { timeoutMs: controlTimeoutMs, signal, timedOut: (ms) => lateText(body, ms) });
  }

  /** Sends a heartbeat if the channel is open and nothing waits on it. */
  sayHeartbeat(heartbeat: HeartbeatFrame): void {
    if (this.#state.at !== "open" || this.#state.stream.queuedBytes > 0) return;
    this.#isWritable = this.#state.stream.send(encodeControlHeartbeat(heartbeat));
  }

  close(reason: UndeliverableReason): void {
    const error = () => new UndeliverableException(reason.text, { code: reason.code });
    if (this.#state.at === "open") this.#state.stream.cancel();
    this.#state = { at: "unusable", error };
    this.#pending.rejectAll(error);
  }

  #openStream(): FrameStream {
    this.open();
    const state = this.#state;
    if (state.at === "open") return state.stream;
    throw state.at === "unusable" ? state.error() : new UndeliverableException("The host closed the control channel.");
  }

  #receiver() {
    return {
      onFrame: (bytes: Uint8Array) => this.#receive(bytes),
      onHalfClose: () => undefined,
      onBadFrame: ({ details }: { readonly details: string }) => this.#passOver(details),
      onDrain: () => {
        this.#isWritable = true;
        this.#review();
      },
      onEnd: (end: StreamEnd) => this.#onEnd(end),
    };
  }

  #receive(bytes: Uint8Array): void {
    if (decodeControlHeartbeat(bytes) !== undefined) return;
    let envelope: ControlEnvelope;
    try {
      envelope = decodeControl(bytes);
    } catch (error) {
      this.#passOver(errorText(error));
      return;
    }
    const { rpcId, body } = envelope;
    if (isControlRequest(body)) {
      if (this.#pending.has(rpcId)) this.#pending.reject(rpcId, notRouted());
      else void this.#serve(envelope, body);
    } else if (body === undefined || body.kind === "unknown") {
      this.#passOver(`it holds ${body === undefined ? "nothing" : body.typeUrl || "an unnamed message"}.`);
    } else if (!this.#pending.resolve(rpcId, body)) {
      this.#options.settings.logger.debug(
        "An answer on the control channel came for a request that does not wait any more.",
      );
    }
  }

  async #serve(envelope: ControlEnvelope, request: ControlRequest): Promise<void> {
    if (this.#served >= mostServed) {
      this.#reply(envelope, request, controlFailure(request, "The worker has too much to do. Try again later."));
      return;
    }
    this.#served += 1;
    const answer = await this.#options.server(request);
    this.#served -= 1;
    this.#reply(envelope, request, answer);
  }

  #reply(envelope: ControlEnvelope, request: ControlRequest, answer: ControlAnswer): void {
    if (this.#state.at !== "open") return;
    const { stream } = this.#state;
    try {
      this.#isWritable = stream.send(encodeControl(controlReply(envelope, answer)));
    } catch (error) {
      // The answer is too long to be sent. Its failure is never too long.
      const failure = controlFailure(request, errorText(error));
      this.#isWritable = stream.send(encodeControl(controlReply(envelope, failure)));
    }
    this.#review();
  }

  /** Stops reading from a host that does not take its answers, so that it can send no more requests. */
  #review(): void {
    if (this.#state.at !== "open") return;
    const { stream } = this.#state;
    if (this.#isFull(stream)) stream.pause();
    else stream.resume();
  }

  #isFull({ queuedBytes }: FrameStream): boolean {
    return !this.#isWritable && queuedBytes > this.#options.settings.maxOutboxBytes;
  }

  #passOver(why: string): void {
    this.#options.settings.logger.warn(`A message on the control channel was passed over: ${why}`);
  }

  #onEnd(end: StreamEnd): void {
    if (this.#state.at === "unusable") return;
    const isMissing = end.by === "status" && end.status.code === StatusCode.unimplemented;
    const error = isMissing
      ? noControlChannel
      : () => new UndeliverableException(`Control channel: ${describeEnd(end)}`);
    this.#state = isMissing ? { at: "unusable", error } : { at: "closed" };
    this.#pending.rejectAll(error);
  }
}

const asked: { readonly [Kind in ControlRequest["kind"]]: string } = {
  "metadata-request": "describe itself",
  "save-request": "save its state",
  "load-request": "load a state",
};

function lateText({ agentId, kind }: ControlRequest, ms: number | undefined): string {
  const agent =
    agentId === undefined ? "An agent on another worker" : `${agentId.type}/${agentId.key}, on another worker,`;
  return `${agent} was asked to ${asked[kind]}, and did not answer within ${ms} ms (the worker's option controlTimeoutMs).`;
}

function tooSlow({ queuedBytes }: FrameStream): Error {
  const text = `${queuedBytes} bytes wait to be sent on the control channel: the host takes too slowly what is sent. Try again later.`;
  return new UndeliverableException(text, { code: "overloaded" });
}

function noControlChannel(): Error {
  return new NotAccessibleError(
    "The host has no control channel (AutoGen before 0.4.6 has none): agents on other workers can't be saved, loaded or described.",
  );
}

function notRouted(): Error {
  return new NotAccessibleError("The control channel is not routed by the host: it sent our own request back to us.");
}
