import { GrpcWorkerAgentRuntime, type GrpcWorkerAgentRuntimeOptions } from "../../../src/grpc/index.ts";
import { RecordingLogger } from "../recording-logger.ts";
import { MyMessage } from "./messages.ts";

/** A worker over gRPC that comes back at once, and opens its control channel when it needs it. It is not started. */
export function newMovingWorker(address: string, options: GrpcWorkerAgentRuntimeOptions = {}): GrpcWorkerAgentRuntime {
  const worker = new GrpcWorkerAgentRuntime(address, {
    ...{ logger: new RecordingLogger(), halfCloseWaitMs: 20, controlChannel: "when-needed" },
    ...{ reconnect: { initialDelayMs: 1, maxDelayMs: 1 } },
    ...options,
  });
  worker.addMessageSerializer(MyMessage);
  return worker;
}
