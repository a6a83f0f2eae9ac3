import type { SeededRandom } from "../../src/testing/seeded-random.ts";
import { join, mutateBytes, tokenOf } from "./mutate-bytes.ts";

/** One field of a protobuf message: its tag as written, and what follows it. */
interface Field {
  tag: number;
  /** A number or fixed bytes as they stand; or the content of a length-delimited field, in fields where it can be read so. */
  value: Uint8Array | Field[];
}

/**
 * Harms a message where its fields meet and mends all lengths around: fields doubled, moved, dropped, of another number or
 * wire type, unknown ones and groups put in, numbers written longer than needed. Damage that survives the outer parser.
 */
export function mutateFields(random: SeededRandom, bytes: Uint8Array, other: Uint8Array): Uint8Array {
  const fields = parse(bytes, 6);
  if (fields === undefined) return mutateBytes(random, bytes, other);
  for (let left = random.between(1, 4); left > 0; left -= 1) harm(random, someList(random, fields), other);
  return write(random, fields);
}

function harm(random: SeededRandom, fields: Field[], other: Uint8Array): void {
  const at = random.between(0, Math.max(0, fields.length - 1));
  const field = fields[at];
  if (field === undefined) {
    fields.push({ tag: (random.between(1, 16) << 3) | 2, value: tokenOf(random) });
    return;
  }
  switch (random.between(0, 9)) {
    case 0:
      fields.splice(random.between(0, fields.length), 0, structuredClone(field));
      return;
    case 1:
      fields.splice(at, 1);
      return;
    case 2:
      fields.push(...fields.splice(at, 1));
      return;
    case 3:
      field.tag = (random.between(0, 20) << 3) | (field.tag & 7);
      return;
    case 4:
      field.tag = (field.tag & ~7) | random.between(0, 7);
      return;
    case 5:
      fields.splice(at, 0, unknownField(random));
      return;
    case 6:
      if (field.value instanceof Uint8Array) field.value = mutateBytes(random, field.value, other);
      else field.value = [];
      return;
    case 7:
      field.value = tokenOf(random);
      return;
    case 8:
      if (field.value instanceof Uint8Array) field.value = new Uint8Array(random.between(90, 300)).fill(0x61);
      return;
    default: {
      const strangers = parse(other, 6);
      if (strangers !== undefined) fields.splice(at, 0, ...structuredClone(someList(random, strangers)));
    }
  }
}

function unknownField(random: SeededRandom): Field {
  const number = random.between(0, 3) === 0 ? random.between(1, 2_000) : random.between(1, 16);
  switch (random.between(0, 4)) {
    case 0:
      return { tag: number << 3, value: Uint8Array.of(random.between(0, 127)) };
    case 1:
      return { tag: (number << 3) | 1, value: new Uint8Array(8) };
    case 2:
      return { tag: (number << 3) | 5, value: new Uint8Array(4) };
    case 3: // a whole group: begin, something in it, end
      return { tag: (number << 3) | 3, value: join(Uint8Array.of(0x08, 0x01), varint((number << 3) | 4)) };
    default:
      return { tag: (number << 3) | 2, value: tokenOf(random) };
  }
}

/** The fields of the message itself or of one nested in it. */
function someList(random: SeededRandom, fields: Field[]): Field[] {
  const nested = fields.flatMap(({ value }) => (value instanceof Uint8Array ? [] : [value]));
  const inner = nested[random.between(0, nested.length)];
  return inner === undefined ? fields : someList(random, inner);
}

function parse(bytes: Uint8Array, depth: number): Field[] | undefined {
  const fields: Field[] = [];
  for (let at = 0; at < bytes.length; ) {
    const [tag, valueAt] = readVarint(bytes, at);
    if (tag < 8) return undefined;
    const end = endOf(bytes, valueAt, tag & 7);
    if (end === undefined) return undefined;
    if ((tag & 7) === 2) {
      const content = bytes.subarray(readVarint(bytes, valueAt)[1], end);
      const isNested = depth > 0 && content.length > 1;
      fields.push({ tag, value: (isNested ? parse(content, depth - 1) : undefined) ?? content });
    } else fields.push({ tag, value: bytes.subarray(valueAt, end) });
    at = end;
  }
  return fields;
}

function endOf(bytes: Uint8Array, at: number, wireType: number): number | undefined {
  const [number, after] = readVarint(bytes, at);
  const end = wireType === 0 ? after : wireType === 1 ? at + 8 : wireType === 5 ? at + 4 : after + number;
  return wireType === 3 || wireType === 4 || wireType > 5 || number < 0 || end > bytes.length ? undefined : end;
}

function readVarint(bytes: Uint8Array, start: number): readonly [value: number, end: number] {
  let value = 0;
  for (let at = start; at < Math.min(bytes.length, start + 4); at += 1) {
    const byte = bytes[at] ?? 0;
    value |= (byte & 0x7f) << (7 * (at - start));
    if (byte < 0x80) return [value, at + 1];
  }
  return [-1, start];
}

function write(random: SeededRandom, fields: readonly Field[]): Uint8Array {
  const parts: Uint8Array[] = [];
  for (const { tag, value } of fields) {
    const content = value instanceof Uint8Array ? value : write(random, value);
    parts.push(someVarint(random, tag));
    if ((tag & 7) === 2) parts.push(someVarint(random, content.length));
    parts.push(content);
  }
  return join(...parts);
}

/** Now and then longer than it must be, as no known encoder writes it and every decoder takes it. */
function someVarint(random: SeededRandom, value: number): Uint8Array {
  const short = varint(value);
  if (random.between(0, 60) > 0) return short;
  const padded = [...short.subarray(0, -1), (short.at(-1) ?? 0) | 0x80];
  for (let left = random.between(0, 4); left > 0; left -= 1) padded.push(0x80);
  return Uint8Array.from([...padded, 0]);
}

function varint(value: number): Uint8Array {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 0x80; rest >>>= 7) bytes.push((rest & 0x7f) | 0x80);
  return Uint8Array.from([...bytes, rest]);
}
