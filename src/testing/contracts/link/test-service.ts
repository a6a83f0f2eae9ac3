import type { CallContext, LinkService, ServerStreamReceiver } from "../../../transport/internal.ts";
import { StreamRecorder } from "./stream-recorder.ts";

/** Creates a service whose unary methods echo and whose stream method records. Each part can be replaced. */
export function testService(parts: Partial<LinkService>): LinkService {
  return {
    serviceName: "agents.AgentRpc",
    unaryMethods: new Set(["Echo", "Other"]),
    streamMethods: new Set(["OpenChannel"]),
    unary: async (request) => request,
    stream: () => new StreamRecorder(),
    ...parts,
  };
}

/** Serves `OpenChannel` with this receiver. */
export function serveStream(receiver: ServerStreamReceiver): Partial<LinkService> {
  return { stream: () => receiver };
}

/** A unary method that records its call and never answers. */
export class HangingService {
  readonly started: Promise<CallContext>;
  /** Resolves with the reason when the signal of the call aborts. */
  readonly aborted: Promise<unknown>;
  #onStarted: (call: CallContext) => void = () => undefined;
  #onAborted: (reason: unknown) => void = () => undefined;

  constructor() {
    this.started = new Promise((resolve) => {
      this.#onStarted = resolve;
    });
    this.aborted = new Promise((resolve) => {
      this.#onAborted = resolve;
    });
  }

  readonly unary = (_request: Uint8Array, call: CallContext): Promise<Uint8Array> => {
    call.signal.addEventListener("abort", () => this.#onAborted(call.signal.reason));
    this.#onStarted(call);
    return new Promise(() => undefined);
  };
}
