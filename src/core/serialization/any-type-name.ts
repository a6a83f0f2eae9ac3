/**
 * The full name of the message in the bytes of a `google.protobuf.Any`: what follows the last `/` of its first field, as
 * every protobuf library writes it first. Empty when there is none. Read here because core knows no protobuf.
 */
export function anyTypeName(bytes: Uint8Array): string {
  if (bytes[0] !== typeUrlTag) return "";
  let length = 0;
  let at = 1;
  for (let shift = 0; shift <= 21; shift += 7) {
    const byte = bytes[at++] ?? 0;
    length |= (byte & 0x7f) << shift;
    if (byte < 0x80) break;
  }
  if (at + length > bytes.length) return "";
  const url = utf8.decode(bytes.subarray(at, at + length));
  return url.slice(url.lastIndexOf("/") + 1);
}

/** Field 1, length-delimited. */
const typeUrlTag = 0x0a;
const utf8 = new TextDecoder();
