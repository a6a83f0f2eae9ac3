import { errorText } from "../../core/internal.ts";
import { answerReflection, reflection } from "../../protocol/internal.ts";
import {
  type CallContext,
  FairCount,
  type FairCountOptions,
  type LinkService,
  RpcError,
  type ServerStream,
  StatusCode,
} from "../../transport/internal.ts";
import { limits } from "../limits.ts";
import { shuttingDownText } from "../sessions/admission.ts";
import { acceptFairStream } from "./fair-stream.ts";

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
    return acceptFairStream(call, {
      places: this.#places,
      noPlaceText: `At most ${this.#places.size} streams of server reflection are open at once.`,
      gaveWayText,
      onOpen: (stream) => this.#streams.add(stream),
      onRequest: answer,
      onHalfClose: (stream) => stream.end(),
      onEnd: (stream) => this.#streams.delete(stream),
    });
  }
}

const gaveWayText = "The clients of this address had most of the streams of server reflection, and others needed one.";

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
