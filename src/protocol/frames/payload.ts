import type { Payload } from "../gen/agent_worker_pb.ts";
import type { WirePayload } from "./frame.ts";

/** The wire name of "no value" (Python's `None`, protocol.md §4.2). */
export const noneTypeName = "NoneType";

export type PayloadFields = Pick<Payload, "dataType" | "dataContentType" | "data">;

export function toWirePayload(payload: WirePayload): PayloadFields {
  return { dataType: payload.typeName, dataContentType: payload.contentType, data: payload.data };
}

export function fromWirePayload(payload: PayloadFields): WirePayload {
  return { typeName: payload.dataType, contentType: payload.dataContentType, data: payload.data };
}

/** Whether an answer without error carries no value: `NoneType`, or no payload at all (protocol.md §4.5, W7). */
export function isVoidPayload(payload: WirePayload | undefined): payload is undefined {
  return payload === undefined || payload.typeName === noneTypeName;
}

/** A content type without its parameters, in lower case: how two are compared (protocol.md §3.1). */
export function bareContentType(contentType: string): string {
  const semicolon = contentType.indexOf(";");
  return (semicolon < 0 ? contentType : contentType.slice(0, semicolon)).trim().toLowerCase();
}
