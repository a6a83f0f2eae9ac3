import { Buffer } from "node:buffer";

const slabBits = 20;
const slabSize = 1 << slabBits;
const inSlab = slabSize - 1;
/** Before each key: the number of its entry, and the length of the key. */
const headBytes = 6;
/** In place of the number of an entry: the key is gone. */
const dead = 0xffff_ffff;
/** Keys that one call of `tidy` looks at. */
const tidiedAtOnce = 16;

interface Slab {
  readonly bytes: Buffer;
  /** Bytes that keys have taken. */
  end: number;
  /** Bytes of keys that are not gone. */
  living: number;
  isSparse: boolean;
}

/**
 * The keys of a table as bytes, in slabs of 1 MiB. So the collector sees a few buffers in place of a million texts. A slab of which
 * less than half lives is rewritten, some keys at a time.
 */
export class KeySlabs {
  /** By number; an empty place may be taken again. */
  readonly #slabs: (Slab | undefined)[] = [];
  readonly #free: number[] = [];
  readonly #sparse: number[] = [];
  readonly #onMoved: (entry: number, place: number) => void;
  #current = -1;
  /** Where `tidy` continues in the first of the sparse slabs. */
  #cursor = 0;
  #living = 0;

  /** `onMoved`: a key has another place from now on. */
  constructor(onMoved: (entry: number, place: number) => void) {
    this.#onMoved = onMoved;
  }

  /** Bytes of all slabs. */
  get byteLength(): number {
    return (this.#slabs.length - this.#free.length) * slabSize;
  }

  /** Bytes of the keys that are not gone. */
  get livingBytes(): number {
    return this.#living;
  }

  /** Adds the first `length` bytes of a key; returns its place. A key has at most 65,535 bytes. */
  add(entry: number, key: Uint8Array, length: number): number {
    const needed = headBytes + length;
    let slab = this.#slabs[this.#current];
    if (slab === undefined || slab.end + needed > slabSize) slab = this.#open();
    const at = slab.end;
    slab.bytes.writeUInt32LE(entry, at);
    slab.bytes.writeUInt16LE(length, at + 4);
    slab.bytes.set(key.subarray(0, length), at + headBytes);
    slab.end += needed;
    slab.living += needed;
    this.#living += needed;
    return this.#current * slabSize + at;
  }

  /** Whether the key at a place has these bytes. */
  equals(place: number, key: Uint8Array, length: number): boolean {
    const bytes = this.#slabs[place >>> slabBits]?.bytes;
    if (bytes === undefined) return false;
    const at = place & inSlab;
    if (bytes.readUInt16LE(at + 4) !== length) return false;
    const start = at + headBytes;
    for (let index = 0; index < length; index += 1) if (bytes[start + index] !== key[index]) return false;
    return true;
  }

  /** The length of the key at a place, in bytes. */
  lengthOf(place: number): number {
    return this.#slabs[place >>> slabBits]?.bytes.readUInt16LE((place & inSlab) + 4) ?? 0;
  }

  text(place: number): string {
    const bytes = this.#slabs[place >>> slabBits]?.bytes;
    if (bytes === undefined) return "";
    const at = place & inSlab;
    const start = at + headBytes;
    return bytes.toString("utf8", start, start + bytes.readUInt16LE(at + 4));
  }

  delete(place: number): void {
    const number = place >>> slabBits;
    const slab = this.#slabs[number];
    if (slab === undefined) return;
    const at = place & inSlab;
    const freed = headBytes + slab.bytes.readUInt16LE(at + 4);
    slab.bytes.writeUInt32LE(dead, at);
    slab.living -= freed;
    this.#living -= freed;
    if (number !== this.#current) this.#review(number, slab);
  }

  /** Moves a few keys out of a slab of which less than half lives. Call it with each change. */
  tidy(): void {
    const number = this.#sparse[0];
    if (number === undefined) return;
    const slab = this.#slabs[number];
    for (let left = tidiedAtOnce; slab !== undefined && left > 0 && this.#cursor < slab.end; left -= 1) {
      const at = this.#cursor;
      const entry = slab.bytes.readUInt32LE(at);
      const length = slab.bytes.readUInt16LE(at + 4);
      this.#cursor += headBytes + length;
      if (entry === dead) continue;
      const place = this.add(entry, slab.bytes.subarray(at + headBytes), length);
      slab.living -= headBytes + length;
      this.#living -= headBytes + length;
      this.#onMoved(entry, place);
    }
    if (slab !== undefined && this.#cursor < slab.end) return;
    this.#sparse.shift();
    this.#cursor = 0;
    if (slab !== undefined) this.#drop(number);
  }

  #open(): Slab {
    const before = this.#slabs[this.#current];
    const number = this.#free.pop() ?? this.#slabs.length;
    const slab: Slab = { bytes: Buffer.alloc(slabSize), end: 0, living: 0, isSparse: false };
    this.#slabs[number] = slab;
    const full = this.#current;
    this.#current = number;
    if (before !== undefined) this.#review(full, before);
    return slab;
  }

  #review(number: number, slab: Slab): void {
    if (slab.isSparse || 2 * slab.living >= slabSize) return;
    slab.isSparse = true;
    this.#sparse.push(number);
  }

  #drop(number: number): void {
    this.#slabs[number] = undefined;
    this.#free.push(number);
  }
}
