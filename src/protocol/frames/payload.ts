import type { Payload } from "../gen/agent_worker_pb.ts";
import type { WirePayload } from "./frame.ts";

// protocol.md §4.2
/** Wire name of "no value", Python's `None`. */
const noneTypeName = "NoneType";

type PayloadFields = Pick<Payload, "dataType" | "dataContentType" | "data">;

export function toWirePayload(payload: WirePayload): PayloadFields {
  return { dataType: payload.typeName, dataContentType: payload.contentType, data: payload.data };
}

export function fromWirePayload(payload: PayloadFields): WirePayload {
  return { typeName: payload.dataType, contentType: payload.dataContentType, data: payload.data };
}

// protocol.md §4.5, W7
/** Whether an answer carries no value: `NoneType`, or no payload. */
export function isVoidPayload(payload: WirePayload | undefined): payload is undefined {
  return payload === undefined || payload.typeName === noneTypeName;
}
