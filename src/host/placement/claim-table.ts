import { Buffer } from "node:buffer";
import { ChunkedColumn } from "./chunked-column.ts";
import { ClaimIndex } from "./claim-index.ts";
import { createKeyHash } from "./key-hash.ts";
import { KeySlabs } from "./key-slabs.ts";
import { NumberedNames } from "./numbered-names.ts";

/** The longest key of an agent of a shared type, in characters. */
export const mostKeyChars = 1_024;

/** An entry of the table. */
export interface ClaimEntry {
  readonly type: string;
  readonly key: string;
  readonly workerId: string;
  /** The n-th claim of the table. */
  readonly number: number;
  /** For whom it was entered: the address that shares the bound of the table. */
  readonly party: string;
}

const none = -1;

// protocol.md §11.14
/**
 * Holds which worker has which agent. A million entries with keys of 36 characters take some 85 MB, and a full collection passes over a
 * few arrays. Types, workers and parties are numbers in it. The entries of each worker are a list, in the order in which they came.
 */
export class ClaimTable {
  readonly #hashes = new ChunkedColumn((length) => new Int32Array(length));
  readonly #places = new ChunkedColumn((length) => new Uint32Array(length));
  readonly #types = new ChunkedColumn((length) => new Uint32Array(length));
  readonly #workers = new ChunkedColumn((length) => new Uint32Array(length));
  readonly #parties = new ChunkedColumn((length) => new Uint32Array(length));
  readonly #numbers = new ChunkedColumn((length) => new Float64Array(length));
  readonly #next = new ChunkedColumn((length) => new Int32Array(length));
  readonly #before = new ChunkedColumn((length) => new Int32Array(length));
  readonly #index = new ClaimIndex((entry) => this.#hashes.get(entry));
  readonly #hashOf = createKeyHash();
  readonly #keys = new KeySlabs((entry, place) => this.#places.set(entry, place));
  readonly #typeNames = new NumberedNames();
  readonly #workerNames = new NumberedNames();
  readonly #partyNames = new NumberedNames();
  /** First and last entry of each worker, by its number. */
  readonly #first: number[] = [];
  readonly #last: number[] = [];
  /** The key that was looked for last, as UTF-8. */
  readonly #key = Buffer.alloc(3 * mostKeyChars);
  #soughtKey = "";
  #keyLength = 0;
  #soughtType = 0;
  /** Entries ever used, and the first of those that are free again. */
  #used = 0;
  #free = none;
  #size = 0;
  readonly #isSought = (entry: number): boolean =>
    this.#types.get(entry) === this.#soughtType &&
    this.#keys.equals(this.#places.get(entry), this.#key, this.#keyLength);

  get size(): number {
    return this.#size;
  }

  /** The bytes of keys, which the size does not bound. */
  get keyBytes(): number {
    return this.#keys.livingBytes;
  }

  /** The bytes of all arrays. */
  get byteLength(): number {
    const columns = [this.#hashes, this.#places, this.#types, this.#workers];
    columns.push(this.#parties, this.#numbers, this.#next, this.#before);
    return columns.reduce((sum, { byteLength }) => sum + byteLength, this.#index.byteLength + this.#keys.byteLength);
  }

  /** Returns the number of an entry; -1: there is none. */
  find(type: string, key: string): number {
    const typeNumber = this.#typeNames.find(type);
    if (typeNumber === undefined || key.length > mostKeyChars) return none;
    return this.#index.find(this.#seek(typeNumber, key), this.#isSought);
  }

  /** Enters a claim. The table must not have the agent, and the key must be short enough. */
  add({ type, key, workerId, number, party }: ClaimEntry): number {
    const typeNumber = this.#typeNames.use(type);
    const hash = this.#seek(typeNumber, key);
    const entry = this.#takeEntry();
    this.#hashes.set(entry, hash);
    this.#types.set(entry, typeNumber);
    this.#parties.set(entry, this.#partyNames.use(party));
    this.#numbers.set(entry, number);
    this.#places.set(entry, this.#keys.add(entry, this.#key, this.#keyLength));
    this.#index.add(hash, entry);
    this.#link(entry, this.#workerNames.use(workerId));
    this.#size += 1;
    this.#keys.tidy();
    return entry;
  }

  delete(entry: number): void {
    this.#index.delete(this.#hashes.get(entry), entry);
    this.#keys.delete(this.#places.get(entry));
    this.#unlink(entry, this.#workers.get(entry));
    this.#typeNames.release(this.#types.get(entry));
    this.#workerNames.release(this.#workers.get(entry));
    this.#partyNames.release(this.#parties.get(entry));
    this.#numbers.set(entry, 0);
    this.#next.set(entry, this.#free);
    this.#free = entry;
    this.#size -= 1;
    this.#keys.tidy();
  }

  /** The length of an entry's key, in bytes. */
  keyLengthOf(entry: number): number {
    return this.#keys.lengthOf(this.#places.get(entry));
  }

  /** Reads an entry. */
  read(entry: number): ClaimEntry {
    return {
      type: this.typeOf(entry),
      key: this.#keys.text(this.#places.get(entry)),
      workerId: this.workerOf(entry),
      number: this.numberOf(entry),
      party: this.#partyNames.name(this.#parties.get(entry)),
    };
  }

  /** The claim of an entry has been made anew. */
  renumber(entry: number, number: number): void {
    this.#numbers.set(entry, number);
  }

  /** Gives an entry to another worker, as its newest one. */
  pass(entry: number, workerId: string): void {
    const before = this.#workers.get(entry);
    const next = this.#workerNames.use(workerId);
    this.#unlink(entry, before);
    this.#workerNames.release(before);
    this.#link(entry, next);
  }

  /** Entries have numbers below this one. */
  get end(): number {
    return this.#used;
  }

  isUsed(entry: number): boolean {
    return this.#numbers.get(entry) > 0;
  }

  /** Whether a type has entries. */
  hasType(type: string): boolean {
    return this.#typeNames.find(type) !== undefined;
  }

  typeOf(entry: number): string {
    return this.#typeNames.name(this.#types.get(entry));
  }

  workerOf(entry: number): string {
    return this.#workerNames.name(this.#workers.get(entry));
  }

  numberOf(entry: number): number {
    return this.#numbers.get(entry);
  }

  partyOf(entry: number): string {
    return this.#partyNames.name(this.#parties.get(entry));
  }

  /** How many entries a worker has. */
  countOf(workerId: string): number {
    const number = this.#workerNames.find(workerId);
    return number === undefined ? 0 : this.#workerNames.uses(number);
  }

  /**
   * Parts a worker from all its entries, which costs the same however many they are. `isParted` holds for each from now on. A worker of
   * the same id has none. The reader of the returned entries deletes each that it gets.
   */
  part(workerId: string): Iterable<number> {
    const number = this.#workerNames.find(workerId);
    if (number === undefined) return [];
    this.#workerNames.part(workerId);
    return this.#partedOf(workerId, number);
  }

  /** Whether the worker of an entry has been parted from it. */
  isParted(entry: number): boolean {
    const number = this.#workers.get(entry);
    return this.#workerNames.find(this.#workerNames.name(number)) !== number;
  }

  /** The oldest entry of a worker; -1: it has none. */
  firstOf(workerId: string): number {
    const number = this.#workerNames.find(workerId);
    return number === undefined ? none : (this.#first[number] ?? none);
  }

  /** The newest entry of a worker, and the one that came before an entry; -1: there is none. */
  lastOf(workerId: string): number {
    const number = this.#workerNames.find(workerId);
    return number === undefined ? none : (this.#last[number] ?? none);
  }

  before(entry: number): number {
    return this.#before.get(entry);
  }

  /** The next entry from this number on that is in use; -1: there is none. */
  nextUsed(from: number): number {
    for (let entry = from; entry < this.#used; entry += 1) if (this.isUsed(entry)) return entry;
    return none;
  }

  *#partedOf(workerId: string, number: number): Iterable<number> {
    // The number may belong to another worker once the last entry has gone, or to a worker of the same id.
    while (this.#workerNames.name(number) === workerId && this.#workerNames.find(workerId) !== number) {
      const entry = this.#first[number] ?? none;
      if (entry === none) return;
      yield entry;
    }
  }

  #takeEntry(): number {
    const entry = this.#free;
    if (entry === none) {
      this.#used += 1;
      return this.#used - 1;
    }
    this.#free = this.#next.get(entry);
    return entry;
  }

  /** Notes what `isSought` compares; returns its hash: of the number of the type and the bytes of the key. */
  #seek(typeNumber: number, key: string): number {
    this.#soughtType = typeNumber;
    // An event seeks agents of many types under one key.
    if (key !== this.#soughtKey) this.#keyLength = this.#key.write(key, "utf8");
    this.#soughtKey = key;
    return this.#hashOf(this.#key, this.#keyLength, typeNumber);
  }

  #link(entry: number, worker: number): void {
    const last = this.#workerNames.uses(worker) === 1 ? none : (this.#last[worker] ?? none);
    this.#workers.set(entry, worker);
    this.#before.set(entry, last);
    this.#next.set(entry, none);
    if (last === none) this.#first[worker] = entry;
    else this.#next.set(last, entry);
    this.#last[worker] = entry;
  }

  #unlink(entry: number, worker: number): void {
    const before = this.#before.get(entry);
    const next = this.#next.get(entry);
    if (before === none) this.#first[worker] = next;
    else this.#next.set(before, next);
    if (next === none) this.#last[worker] = before;
    else this.#before.set(next, before);
  }
}
