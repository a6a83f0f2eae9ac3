import { create, toBinary } from "@bufbuild/protobuf";
import { BinaryWriter } from "@bufbuild/protobuf/wire";
import { AnySchema } from "@bufbuild/protobuf/wkt";
import { protobufContentType } from "../../core/internal.ts";
import type { WirePayload } from "../frames/frame.ts";
import { anyPrefix } from "../wire-names.ts";

const typeName = "google.rpc.Status";
const codeTag = 0x08;
const messageTag = 0x12;

// protocol.md §7
/** Packs a failure as a message `google.rpc.Status`: the number of a gRPC status, and a text. */
export function rpcStatusPayload(code: number, message: string): WirePayload {
  const writer = new BinaryWriter();
  writer.uint32(codeTag).int32(code).uint32(messageTag).string(message);
  const any = create(AnySchema, { typeUrl: anyPrefix + typeName, value: writer.finish() });
  return { typeName, contentType: protobufContentType, data: toBinary(AnySchema, any) };
}
