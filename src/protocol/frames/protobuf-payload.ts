// The payloads of peers that read protobuf alone, as .NET's workers do.
import { create, toBinary } from "@bufbuild/protobuf";
import { BinaryWriter } from "@bufbuild/protobuf/wire";
import { AnySchema } from "@bufbuild/protobuf/wkt";
import { bareContentType, protobufContentType } from "../../core/internal.ts";
import { anyPrefix } from "../wire-names.ts";
import type { WirePayload } from "./frame.ts";
import { RawReader, textAt, WireType } from "./raw-reader.ts";

/**
 * Reason for which a reader of protobuf alone can't take a payload. `foreign`: the payload has another content type. `broken`: it
 * does not hold an `Any` of the type that it names.
 */
export type ProtobufFlaw = "foreign" | "broken";

const typeUrlField = 1;
const valueField = 2;

// protocol.md §4.1, §7
/**
 * Says what is wrong with a payload for a peer that reads a `google.protobuf.Any` of the named type and nothing else, as .NET's
 * workers do. Undefined: the peer can unpack it, if it knows the type. The message inside the `Any` is not read.
 */
export function flawForProtobuf({ typeName, contentType, data }: WirePayload): ProtobufFlaw | undefined {
  if (bareContentType(contentType) !== protobufContentType) return "foreign";
  const url = typeUrlOf(data);
  return url !== undefined && url.slice(url.lastIndexOf("/") + 1) === typeName ? undefined : "broken";
}

/** The last `type_url` of an `Any`; undefined if the bytes are none, or name no type. */
function typeUrlOf(bytes: Uint8Array): string | undefined {
  const reader = new RawReader(bytes, 0, bytes.length);
  let url: string | undefined;
  while (!reader.atEnd) {
    const tag = reader.number();
    if (tag < 8) return undefined;
    const field = tag >>> 3;
    if (field === typeUrlField || field === valueField) {
      const end = (tag & 7) === WireType.bytes ? reader.length() : -1;
      if (end < 0) return undefined;
      if (field === typeUrlField) url = textAt(bytes, reader.position, end);
      reader.position = end;
    } else if (!reader.skip(tag & 7)) return undefined;
  }
  return url;
}

const statusTypeName = "google.rpc.Status";
const codeTag = 0x08;
const messageTag = 0x12;

// protocol.md §7
/** Packs a failure as a message `google.rpc.Status`: the number of a gRPC status, and a text. */
export function rpcStatusPayload(code: number, message: string): WirePayload {
  const writer = new BinaryWriter();
  writer.uint32(codeTag).int32(code).uint32(messageTag).string(message);
  const any = create(AnySchema, { typeUrl: anyPrefix + statusTypeName, value: writer.finish() });
  return { typeName: statusTypeName, contentType: protobufContentType, data: toBinary(AnySchema, any) };
}
