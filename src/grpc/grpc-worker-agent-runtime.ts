import type { TracerProvider } from "@opentelemetry/api";
import { openTelemetryTracing, workerRuntimeTracer } from "../telemetry/otel/index.ts";
import { type GrpcDialerOptions, grpcDialer } from "../transport/internal.ts";
import { type WorkerOptions, WorkerRuntime } from "../worker/internal.ts";
import { assertDialerNumbers } from "./channel-numbers.ts";

export interface GrpcWorkerAgentRuntimeOptions extends WorkerOptions {
  /** Where spans go, unless `tracing` is given. Default: the global provider; none are made if nothing records them (protocol.md §5.10). */
  readonly tracerProvider?: TracerProvider | undefined;
  /** TLS, message size limits, keep-alive and HTTP/2 windows of the connection. Default: plaintext, messages up to 64 MiB. */
  readonly channelOptions?: GrpcDialerOptions | undefined;
}

/**
 * A worker of AutoGen's gRPC runtime: joins the host at `hostAddress` (`host:port`, or several that are tried in turn), ours,
 * Python's or .NET's (protocol.md §5.9), and comes back to it when it is lost. Throws `invalid-argument` for options that can't be
 * meant. Connects at `start`.
 */
export class GrpcWorkerAgentRuntime extends WorkerRuntime {
  constructor(
    hostAddress: string | readonly string[],
    { channelOptions, tracerProvider, ...options }: GrpcWorkerAgentRuntimeOptions = {},
  ) {
    assertDialerNumbers(channelOptions);
    super({
      ...options,
      tracing: options.tracing ?? openTelemetryTracing({ tracerProvider, tracerName: workerRuntimeTracer }),
      dialer: grpcDialer(channelOptions),
      address: hostAddress,
    });
  }
}
