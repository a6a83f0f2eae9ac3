import type { TracerProvider } from "@opentelemetry/api";
import { assertOptions, optionShape, options as optionsOf, withMethods } from "../core/internal.ts";
import { openTelemetryTracing, workerRuntimeTracer } from "../telemetry/otel/index.ts";
import { dialerKinds, type GrpcDialerOptions, grpcDialer } from "../transport/internal.ts";
import { type WorkerOptions, WorkerRuntime, workerKinds } from "../worker/internal.ts";

/** Options of a `GrpcWorkerAgentRuntime`: the worker's own, and those of its gRPC connection. */
export interface GrpcWorkerAgentRuntimeOptions extends WorkerOptions {
  // protocol.md §5.10
  /** Provider of the tracer, unless `tracing` is given. Default: the global one. Without a provider that records, the worker makes no spans. */
  readonly tracerProvider?: TracerProvider | undefined;
  /** TLS, message size limits, keep-alive and HTTP/2 windows of the connection. Default: plaintext, messages up to 64 MiB. */
  readonly channelOptions?: GrpcDialerOptions | undefined;
}

const shape = optionShape<GrpcWorkerAgentRuntimeOptions>({
  ...workerKinds,
  tracerProvider: withMethods("a TracerProvider of OpenTelemetry", "getTracer"),
  channelOptions: optionsOf(dialerKinds),
});

// protocol.md §5.9
/**
 * A worker over gRPC, under AutoGen's name. It connects at `start` to the host at `hostAddress`: `host:port`, or several
 * addresses that it tries in turn. The host may be Troupe's, Python's or .NET's. The worker reconnects when it loses the
 * host. Throws `invalid-argument` for invalid options.
 */
export class GrpcWorkerAgentRuntime extends WorkerRuntime {
  constructor(hostAddress: string | readonly string[], given: GrpcWorkerAgentRuntimeOptions = {}) {
    assertOptions(given, shape, "A worker");
    const { channelOptions, tracerProvider, ...options } = given;
    super({
      ...options,
      tracing: options.tracing ?? openTelemetryTracing({ tracerProvider, tracerName: workerRuntimeTracer }),
      dialer: grpcDialer(channelOptions),
      address: hostAddress,
    });
  }
}
