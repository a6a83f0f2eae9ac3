import {
  type Epoch,
  errorText,
  NotAccessibleError,
  PendingCalls,
  UndeliverableException,
} from "../../core/internal.ts";
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
import { describeEnd, isHostsWord } from "../connection/connection-end.ts";
import type { HostConnection } from "../connection/host-connection.ts";
import type { CarriedStream } from "../connection/link-carrier.ts";
import type { UndeliverableReason } from "../connection/outbox.ts";
import type { WorkerSettings } from "../worker-options.ts";
import { type UnreadEnvelope, UnreadEnvelopes } from "./unread-envelopes.ts";

/** Answers requests about the agents of this worker; never rejects. `epoch`: of the claim of an agent of a shared type. */
export type ControlServer = (request: ControlRequest, epoch: Epoch | undefined) => Promise<ControlAnswer>;

export interface ControlChannelOptions {
  readonly connection: Pick<HostConnection, "clientId" | "openStream"> & {
    readonly outbox: { readonly host: Pick<HostConnection["outbox"]["host"], "isAnnounced"> };
  };
  readonly settings: Pick<WorkerSettings, "clock" | "logger" | "makeId" | "controlTimeoutMs" | "maxOutboxBytes">;
  readonly server: ControlServer;
}

type ControlState =
  /** Not open yet, or the stream has ended while the connection lives. The worker opens it when it needs it. */
  | { readonly at: "closed" }
  | { readonly at: "open"; readonly stream: FrameStream }
  /** The link took no stream any more (GOAWAY). What is sent waits for the next link. */
  | { readonly at: "waiting" }
  /** The host has no control channel, or the connection has ended. */
  | { readonly at: "unusable"; readonly error: () => Error };

/** Statuses of a host that has no control channel. */
const missing: ReadonlySet<number> = new Set([StatusCode.unimplemented]);

/** Largest number of requests that the worker handles at the same time; it refuses further ones. */
const mostServed = 100;

/** The control channel of one connection. It asks about agents on other workers, and answers requests about agents of this worker. */
// protocol.md §1.8
export class ControlChannel {
  readonly #options: ControlChannelOptions;
  readonly #pending: PendingCalls<ControlAnswer>;
  readonly #unread: UnreadEnvelopes;
  #state: ControlState = { at: "closed" };
  /** Whether the host has given a sign on the stream, so that it has taken the stream. */
  #isTaken = false;
  #served = 0;
  /** False while the stream has more queued than it wants. */
  #isWritable = true;

  constructor(options: ControlChannelOptions) {
    this.#options = options;
    this.#pending = new PendingCalls({ clock: options.settings.clock });
    this.#unread = new UnreadEnvelopes(options.settings.maxOutboxBytes);
  }

  /** Whether no request waits for an answer here or there. */
  get isIdle(): boolean {
    return this.#pending.size === 0 && this.#served === 0;
  }

  /** Opens the stream unless it is open. With a host that has no control channel, only later requests fail. */
  open(): void {
    if (this.#state.at !== "closed") return;
    // A stream may end before `openStream` returns.
    let endedEarly: StreamEnd | undefined;
    let carried: CarriedStream | undefined;
    const onEnd = (end: StreamEnd) => {
      if (carried === undefined) endedEarly = end;
      else this.#onEnd(end, carried);
    };
    this.#isTaken = false;
    this.#isWritable = true;
    carried = this.#options.connection.openStream(method.openControlChannel, this.#receiver(onEnd));
    this.#state = { at: "open", stream: carried.stream };
    if (endedEarly !== undefined) this.#onEnd(endedEarly, carried);
  }

  /**
   * Sends a request and resolves to its answer, even if the answer is a failure. When the link takes no streams any more (GOAWAY),
   * the request waits for the next link. Rejects without a control channel, with a host that is too slow, and when the time is up.
   */
  async request(destination: string, body: ControlRequest, signal?: AbortSignal): Promise<ControlAnswer> {
    this.open();
    const { makeId, controlTimeoutMs } = this.#options.settings;
    const rpcId = makeId();
    const respondTo = clientDestination(this.#options.connection.clientId);
    this.#send({ bytes: encodeControl({ rpcId, destination, respondTo, body }), requestId: rpcId });
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

  /** Sends a request now, or when there is a link that takes streams. Throws when it can't be sent. */
  #send(request: UnreadEnvelope): void {
    const state = this.#state;
    switch (state.at) {
      case "open":
        if (this.#isFull(state.stream)) throw tooSlow(state.stream.queuedBytes);
        this.#isWritable = state.stream.send(request.bytes);
        if (!this.#isTaken && !this.#unread.keep(request)) this.#unread.noteUnkept(request);
        return;
      case "waiting":
        if (!this.#unread.keep(request)) throw tooSlow(this.#options.settings.maxOutboxBytes);
        return;
      case "unusable":
        throw state.error();
      case "closed":
        throw new UndeliverableException("The host closed the control channel.");
    }
  }

  #receiver(onEnd: (end: StreamEnd) => void) {
    return {
      onMetadata: () => this.#onTaken(),
      onFrame: (bytes: Uint8Array) => this.#receive(bytes),
      onHalfClose: () => undefined,
      onBadFrame: ({ details }: { readonly details: string }) => this.#passOver(details),
      onDrain: () => {
        this.#isWritable = true;
        this.#review();
      },
      onEnd,
    };
  }

  #onTaken(): void {
    if (this.#isTaken) return;
    this.#isTaken = true;
    this.#unread.take();
    this.#unread.takeUnkept();
  }

  #receive(bytes: Uint8Array): void {
    this.#onTaken();
    if (decodeControlHeartbeat(bytes) !== undefined) return;
    let envelope: ControlEnvelope;
    try {
      envelope = decodeControl(bytes);
    } catch (error) {
      this.#passOver(errorText(error));
      return;
    }
    const { rpcId, body, epoch } = envelope;
    if (isControlRequest(body)) {
      // A host that has placed the agent here names the epoch, so that it has routed the request.
      if (epoch === undefined && this.#pending.has(rpcId)) this.#pending.reject(rpcId, notRouted());
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
    const answer = await this.#options.server(request, envelope.epoch);
    this.#served -= 1;
    this.#reply(envelope, request, answer);
  }

  #reply(envelope: ControlEnvelope, request: ControlRequest, answer: ControlAnswer): void {
    try {
      this.#replyWith(encodeControl(controlReply(envelope, answer)));
    } catch (error) {
      // The answer is too long to be sent. Its failure is never too long.
      const failure = controlFailure(request, errorText(error));
      this.#replyWith(encodeControl(controlReply(envelope, failure)));
    }
    this.#review();
  }

  #replyWith(bytes: Uint8Array): void {
    if (this.#state.at === "waiting") this.#unread.keep({ bytes, requestId: undefined });
    if (this.#state.at !== "open") return;
    this.#isWritable = this.#state.stream.send(bytes);
    if (!this.#isTaken) this.#unread.keep({ bytes, requestId: undefined });
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
    const kind = "A message on the control channel was passed over";
    this.#options.settings.logger.warn(`${kind}: ${why}`, undefined, kind);
  }

  #onEnd(end: StreamEnd, carried: CarriedStream): void {
    if (this.#state.at !== "open" || this.#state.stream !== carried.stream) return;
    if (end.by === "status" && end.isUnread === true) {
      this.#state = { at: "waiting" };
      void this.#openOnNextLink(end, carried);
      return;
    }
    // A host that has announced itself has a control channel: this is the status of a proxy, which may answer as gRPC does.
    const isMissing = isHostsWord(end, missing) && !this.#options.connection.outbox.host.isAnnounced;
    const error = isMissing ? noControlChannel : () => endedError(end);
    this.#state = isMissing ? { at: "unusable", error } : { at: "closed" };
    this.#unread.take();
    this.#unread.takeUnkept();
    this.#pending.rejectAll(error);
  }

  /** Never rejects. */
  async #openOnNextLink(end: StreamEnd, carried: CarriedStream): Promise<void> {
    const hasNext = await carried.nextLink();
    if (this.#state.at !== "waiting") return;
    const unread = this.#unread.take();
    this.#state = { at: "closed" };
    for (const id of this.#unread.takeUnkept()) this.#pending.reject(id, notReadError());
    if (!hasNext) {
      this.#pending.rejectAll(() => endedError(end));
      return;
    }
    this.open();
    for (const envelope of unread) {
      const { requestId } = envelope;
      if (requestId !== undefined && !this.#pending.has(requestId)) continue;
      try {
        this.#send(envelope);
      } catch (error) {
        if (requestId !== undefined) this.#pending.reject(requestId, error);
      }
    }
  }
}

const asked: { readonly [Kind in ControlRequest["kind"]]: string } = {
  "metadata-request": "describe itself",
  "save-request": "save its state",
  "load-request": "load a state",
  "deactivate-request": "end its activation",
  "destroy-request": "end for good",
};

function lateText({ agentId, kind }: ControlRequest, ms: number | undefined): string {
  const agent =
    agentId === undefined ? "An agent on another worker" : `${agentId.type}/${agentId.key}, on another worker,`;
  return `${agent} was asked to ${asked[kind]}, and did not answer within ${ms} ms (the worker's option controlTimeoutMs).`;
}

function endedError(end: StreamEnd): Error {
  return new UndeliverableException(`Control channel: ${describeEnd(end)}`);
}

function notReadError(): Error {
  const text =
    "The host did not take the control channel, and more waited there than the worker keeps to send again (maxOutboxBytes). Send it again.";
  return new UndeliverableException(text, { code: "disconnected", notHandled: true });
}

function tooSlow(bytes: number): Error {
  const text = `${bytes} bytes wait to be sent on the control channel: the host takes too slowly what is sent. Try again later.`;
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
