import { isPortableAgentType, loggableText } from "../../core/internal.ts";
import {
  decodeFrame,
  type FrameBytes,
  flawForProtobuf,
  joinFrame,
  type RequestFrame,
} from "../../protocol/internal.ts";
import { type DotnetWorker, isPortableKey } from "../sessions/dotnet-worker.ts";
import { type CallFailure, callFailure } from "./call-failures.ts";

// protocol.md §7
/**
 * Says why the host does not send a call to a worker of .NET's: the worker would not answer it, or its reader would end on it.
 * Undefined: nothing that the host can see is in the way.
 */
export function whyNotForDotnet(worker: DotnetWorker, agentType: string, call: FrameBytes): CallFailure | undefined {
  if (worker.hasReopened) return callFailure.needsRestart(agentType);
  let request: RequestFrame;
  try {
    const frame = decodeFrame(joinFrame(call));
    if (frame.kind !== "request") return undefined;
    request = frame;
  } catch {
    return callFailure.unreadableRequest("its bytes are no call.");
  }
  const { source, target, payload } = request;
  if (target !== undefined && !isPortableKey(target.key)) return callFailure.notPortable(agentType, "target");
  if (source !== undefined && !(isPortableAgentType(source.type) && isPortableKey(source.key)))
    return callFailure.notPortable(agentType, "source");
  if (payload === undefined) return callFailure.notProtobuf(agentType, "has no payload");
  const name = loggableText(payload.typeName);
  switch (flawForProtobuf(payload)) {
    case "foreign":
      return callFailure.notProtobuf(agentType, `(${name}) came as ${loggableText(payload.contentType)}`);
    case "broken":
      return callFailure.notProtobuf(agentType, `does not hold the ${name} that it names`);
    case undefined:
      return undefined;
  }
}
