import { errorText } from "../../core/internal.ts";
import {
  decodeHealthCheckRequest,
  encodeHealthCheckResponse,
  encodeHealthListResponse,
  health,
  type ServingStatus,
  serviceName,
} from "../../protocol/internal.ts";
import {
  type CallContext,
  FairCount,
  type FairCountOptions,
  type LinkService,
  RpcError,
  type ServerStream,
  StatusCode,
} from "../../transport/internal.ts";
import { shuttingDownText } from "../sessions/admission.ts";
import { acceptFairStream } from "./fair-stream.ts";

/** The names under which the host's health is asked for: of the whole host, and of its one service. */
const services: readonly string[] = ["", serviceName];

/**
 * gRPC's health service: proxies and probes ask it whether the host takes workers. It asks `authorize` nothing, because
 * such programs have no credentials, and tells nothing but the one state.
 */
export class HealthService implements LinkService {
  readonly serviceName = health.serviceName;
  readonly unaryMethods: ReadonlySet<string> = new Set([health.check, health.list]);
  readonly streamMethods: ReadonlySet<string> = new Set([health.watch]);
  /** Open watches. True: the watched service is known. */
  readonly #watches = new Map<ServerStream, boolean>();
  readonly #places: FairCount;
  #status: ServingStatus = "serving";
  #isDraining = false;
  #isInTouch = true;
  #isStored = true;

  /** `places` bounds the open watches. */
  constructor(places: FairCountOptions) {
    this.#places = new FairCount(places);
  }

  async unary(request: Uint8Array, { method }: CallContext): Promise<Uint8Array> {
    if (method === health.list) return encodeHealthListResponse(services, this.#status);
    if (services.includes(readService(request))) return encodeHealthCheckResponse(this.#status);
    throw new RpcError(StatusCode.notFound, "The host has no service of this name.");
  }

  stream(call: CallContext) {
    return acceptFairStream(call, {
      places: this.#places,
      noPlaceText: `At most ${this.#places.size} health checks watch at once.`,
      gaveWayText,
      onRequest: (stream, request) => this.#watch(stream, request),
      onHalfClose: (stream) => {
        if (!this.#watches.has(stream)) stream.finish(noRequest);
      },
      onEnd: (stream) => this.#watches.delete(stream),
    });
  }

  /** Says from now on that the host takes no new work. */
  drain(): void {
    this.#isDraining = true;
    this.#tell();
  }

  // protocol.md §12.7
  /** Says whether the host is in touch with its cluster. One that drains stays NOT_SERVING. */
  setServing(isServing: boolean): void {
    this.#isInTouch = isServing;
    this.#tell();
  }

  /** Says whether the state store of the host can be used. */
  setStored(isStored: boolean): void {
    this.#isStored = isStored;
    this.#tell();
  }

  #tell(): void {
    const isServing = this.#isInTouch && this.#isStored && !this.#isDraining;
    const status = isServing ? "serving" : "not-serving";
    if (this.#status === status) return;
    this.#status = status;
    for (const [stream, isKnown] of this.#watches) if (isKnown) stream.send(encodeHealthCheckResponse(this.#status));
  }

  /** Ends all watches. */
  close(): void {
    const gone = { code: StatusCode.unavailable, details: shuttingDownText };
    for (const stream of this.#watches.keys()) stream.finish(gone);
  }

  #watch(stream: ServerStream, request: Uint8Array): void {
    if (this.#watches.has(stream)) {
      stream.finish({ code: StatusCode.invalidArgument, details: "A watch takes one request." });
      return;
    }
    try {
      const isKnown = services.includes(readService(request));
      this.#watches.set(stream, isKnown);
      stream.send(encodeHealthCheckResponse(isKnown ? this.#status : "service-unknown"));
    } catch (error) {
      stream.finish({ code: StatusCode.invalidArgument, details: errorText(error) });
    }
  }
}

const gaveWayText = "The clients of this address had most of the watches that this host takes, and others needed one.";
const noRequest = { code: StatusCode.invalidArgument, details: "A watch needs a request." };

function readService(request: Uint8Array): string {
  try {
    return decodeHealthCheckRequest(request);
  } catch (cause) {
    throw new RpcError(StatusCode.invalidArgument, errorText(cause), { cause });
  }
}
