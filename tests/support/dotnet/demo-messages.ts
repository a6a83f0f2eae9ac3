import type { WirePayload } from "../../../src/protocol/index.ts";

/** A payload as .NET writes it: an `Any` of a message whose field 1 is a text. `packed` is the type that the `Any` names. */
export function demo(typeName: string, text: string, packed = typeName): WirePayload {
  const data = Buffer.concat([field(1, Buffer.from(`type.googleapis.com/${packed}`)), field(2, textMessage(text))]);
  return { typeName, contentType: "application/x-protobuf", data };
}

/** The name of the packed type and the text of field 1, or of `textField`. */
export function openDemo(data: Uint8Array, textField = 1): { readonly typeName: string; readonly text: string } {
  const any = fieldsOf(data);
  const url = Buffer.from(any.get(1) ?? []).toString();
  const text = Buffer.from(fieldsOf(any.get(2) ?? Buffer.alloc(0)).get(textField) ?? []).toString();
  return { typeName: url.slice(url.lastIndexOf("/") + 1), text };
}

function textMessage(text: string): Buffer {
  return text === "" ? Buffer.alloc(0) : field(1, Buffer.from(text));
}

function field(number: number, bytes: Uint8Array): Buffer {
  return Buffer.concat([Buffer.of((number << 3) | 2), varint(bytes.length), bytes]);
}

function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 0x80; rest >>>= 7) bytes.push((rest & 0x7f) | 0x80);
  return Buffer.of(...bytes, rest);
}

/** The length-delimited fields of a message; throws for bytes that are none. */
function fieldsOf(bytes: Uint8Array): ReadonlyMap<number, Uint8Array> {
  const fields = new Map<number, Uint8Array>();
  let at = 0;
  const read = (): number => {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = bytes[at++];
      if (byte === undefined) throw new Error("the message is cut");
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
  };
  while (at < bytes.length) {
    const tag = read();
    if ((tag & 7) === 0) read();
    else if ((tag & 7) === 2) {
      const length = read();
      if (at + length > bytes.length) throw new Error("the message is cut");
      fields.set(tag >>> 3, bytes.subarray(at, at + length));
      at += length;
    } else throw new Error(`wire type ${tag & 7} is not expected here`);
  }
  return fields;
}
