import { errorText } from "../../core/internal.ts";
import { answerReflection, reflection } from "../../protocol/internal.ts";
import {
  type CallContext,
  FairCount,
  type FairCountOptions,
  type LinkService,
  partyOfCall,
  RpcError,
  type ServerStream,
  StatusCode,
} from "../../transport/internal.ts";
import { limits } from "../limits.ts";
import { shuttingDownText } from "../sessions/admission.ts";

/**
 * gRPC's server reflection, under both of its names: command line tools ask it for the methods and messages of the host's services. It
 * asks `authorize` nothing, and tells what the published .proto files say.
 */
export class ReflectionServices {
  readonly services: readonly LinkService[];
  readonly #streams = new Set<ServerStream>();
  readonly #places: FairCount;

  /** `places` bounds the streams of both services together. */
  constructor(places: FairCountOptions) {
    this.#places = new FairCount(places);
    this.services = reflection.serviceNames.map((serviceName) => ({
      serviceName,
      unaryMethods: new Set<string>(),
      streamMethods: new Set([reflection.method]),
      unary: async () => {
        throw new RpcError(StatusCode.unimplemented, "Server reflection has no unary method.");
      },
      stream: (call) => this.#open(call),
    }));
  }

  /** Ends all streams. */
  close(): void {
    for (const stream of this.#streams) stream.finish({ code: StatusCode.unavailable, details: shuttingDownText });
  }

  #open(call: CallContext) {
    const party = partyOfCall(call);
    if (!this.#places.mayTake(party)) {
      const text = `At most ${this.#places.size} streams of server reflection are open at once.`;
      throw new RpcError(StatusCode.resourceExhausted, text);
    }
    let stream: ServerStream | undefined;
    let isLost = false;
    const place = this.#places.take(party, () => {
      isLost = true;
      stream?.abort(gaveWay);
    });
    return {
      onOpen: (opened: ServerStream) => {
        stream = opened;
        this.#streams.add(opened);
        if (isLost) stream.abort(gaveWay);
      },
      onFrame: (request: Uint8Array) => {
        if (stream !== undefined) answer(stream, request);
      },
      onHalfClose: () => stream?.end(),
      onBadFrame: (status: { readonly code: StatusCode; readonly details: string }) => stream?.finish(status),
      onDrain: () => undefined,
      onEnd: () => {
        place.leave();
        if (stream !== undefined) this.#streams.delete(stream);
      },
    };
  }
}

const gaveWay = {
  code: StatusCode.resourceExhausted,
  details: "The clients of this address had most of the streams of server reflection, and others needed one.",
};

function answer(stream: ServerStream, request: Uint8Array): void {
  // An answer repeats its request.
  if (request.byteLength > limits.reflectionRequestBytes) {
    const details = `A request of server reflection has at most ${limits.reflectionRequestBytes} bytes.`;
    stream.finish({ code: StatusCode.invalidArgument, details });
    return;
  }
  if (stream.queuedBytes > limits.reflectionQueuedBytes) {
    stream.abort({ code: StatusCode.resourceExhausted, details: "Read the answers before you ask for more." });
    return;
  }
  try {
    stream.send(answerReflection(request));
  } catch (error) {
    stream.finish({ code: StatusCode.invalidArgument, details: errorText(error) });
  }
}
