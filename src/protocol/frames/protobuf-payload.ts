import { protobufContentType } from "../../core/internal.ts";
import type { WirePayload } from "./frame.ts";
import { bareContentType } from "./payload.ts";
import { RawReader, textAt, WireType } from "./raw-reader.ts";

/** Reason for which a reader of protobuf alone can't take a payload. `foreign`: another content type. `broken`: no `Any` of the type that the payload names. */
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
