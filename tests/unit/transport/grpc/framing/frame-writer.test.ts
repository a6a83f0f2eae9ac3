import { Writable } from "node:stream";
import { describe, expect, it } from "vitest";
import { FrameWriter } from "../../../../../src/transport/grpc/framing/frame-writer.ts";

/** A connection that accepts one write at a time, when the test says so. */
class SlowConnection extends Writable {
  readonly writes: Buffer[][] = [];
  #accept: (() => void) | undefined;

  constructor() {
    super({ highWaterMark: 1 });
  }

  acceptWrite(): void {
    const accept = this.#accept;
    this.#accept = undefined;
    accept?.();
  }

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this._writev([{ chunk }], done);
  }

  override _writev(chunks: { chunk: Buffer }[], done: () => void): void {
    this.writes.push(chunks.map(({ chunk }) => chunk));
    this.#accept = done;
  }
}

/** The memory that short messages were copied to, but for what Node cuts from memory that it shares out. */
function longRuns(connection: SlowConnection): ArrayBufferLike[] {
  return connection.writes
    .flat()
    .filter(({ length }) => length > 32_768)
    .map(({ buffer }) => buffer);
}

const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

function writerOn(connection: Writable, onDrain: () => void = () => undefined): FrameWriter {
  return new FrameWriter(connection, { highWaterBytes: 100, maxMessageBytes: 1_000_000, onDrain });
}

describe("the frame writer", () => {
  it("writes everything queued in one turn at once, including what promises queue", async () => {
    const connection = new SlowConnection();
    const writer = writerOn(connection);
    for (let index = 0; index < 10; index += 1) writer.send(Uint8Array.of(index));
    await Promise.resolve();
    writer.send(Uint8Array.of(10));
    await nextTurn();
    expect(connection.writes.map((chunks) => chunks.length)).toEqual([1]);
    expect(connection.writes[0]?.[0]?.length).toBe(11 * 6);
  });

  it("passes a long message by reference, in order with the short ones", async () => {
    const connection = new SlowConnection();
    const writer = writerOn(connection);
    const long = new Uint8Array(100_000);
    for (const message of [Uint8Array.of(1), long, Uint8Array.of(2)]) writer.send(message);
    await nextTurn();
    const [chunks] = connection.writes;
    expect(chunks?.map((chunk) => chunk.length)).toEqual([6 + 5, 100_000, 6]);
    expect(chunks?.[1]?.buffer).toBe(long.buffer);
  });

  it("collects the next batch during a write", async () => {
    const connection = new SlowConnection();
    const writer = writerOn(connection);
    writer.send(Uint8Array.of(1));
    await nextTurn();
    for (let index = 0; index < 5; index += 1) {
      writer.send(Uint8Array.of(index));
      await nextTurn();
    }
    expect(connection.writes).toHaveLength(1);
    connection.acceptWrite();
    await nextTurn();
    expect(connection.writes).toHaveLength(2);
    expect(connection.writes[1]?.[0]?.length).toBe(5 * 6);
  });

  it("counts queued bytes, returns false above the high-water mark and drains at half of it", async () => {
    const connection = new SlowConnection();
    let drains = 0;
    const writer = writerOn(connection, () => {
      drains += 1;
    });
    expect(writer.send(new Uint8Array(90))).toBe(true);
    expect(writer.send(new Uint8Array(90))).toBe(false);
    expect(writer.queuedBytes).toBe(190);
    await nextTurn();
    expect(drains).toBe(0);
    connection.acceptWrite();
    await nextTurn();
    expect(writer.queuedBytes).toBe(0);
    expect(drains).toBe(1);
  });

  it("keeps a long queue in order and copies its messages out of larger buffers", async () => {
    const connection = new SlowConnection();
    const writer = writerOn(connection);
    writer.send(Uint8Array.of(0));
    await nextTurn();
    for (let index = 1; index <= 1_000; index += 1) writer.send(new Uint8Array(65_536).fill(index).subarray(0, 100));
    writer.send(new Uint8Array(65_536).fill(7).subarray(0, 20_000));
    for (let index = 0; index < 256; index += 1) writer.send(Uint8Array.of(8));
    expect(writer.queuedFrames).toBe(1 + 1_000 + 1 + 256);
    const retained = new Set<ArrayBufferLike>();
    let sent = Buffer.alloc(0);
    while (writer.queuedFrames > 0) {
      const chunks = connection.writes.at(-1) ?? [];
      for (const { buffer } of chunks) retained.add(buffer);
      sent = Buffer.concat([sent, ...chunks]);
      connection.acceptWrite();
      await nextTurn();
    }
    expect([...retained].reduce((sum, buffer) => sum + buffer.byteLength, 0)).toBeLessThan(1_000 * 105 + 256 * 65_536);
    expect(sent.length).toBe(6 + 1_000 * 105 + 20_005 + 256 * 6);
    for (let index = 1; index <= 1_000; index += 1) expect(sent[6 + (index - 1) * 105 + 50]).toBe(index & 0xff);
  });

  it("reuses a buffer once it is written, and not before", async () => {
    const connection = new SlowConnection();
    const writer = writerOn(connection);
    const send = (fill: number): void => {
      for (let index = 0; index < 4_000; index += 1) writer.send(new Uint8Array(100).fill(fill));
    };
    const lastWrite = (): Buffer[] => connection.writes.at(-1) ?? [];
    const isAll = (fill: number): boolean =>
      Buffer.concat(lastWrite()).every((byte, at) => at % 105 < 5 || byte === fill);
    send(1);
    await nextTurn();
    const first = new Set(lastWrite().map(({ buffer }) => buffer));
    send(2);
    expect(isAll(1)).toBe(true);
    connection.acceptWrite();
    await nextTurn();
    send(3);
    expect(isAll(2)).toBe(true);
    connection.acceptWrite();
    await nextTurn();
    expect(isAll(3)).toBe(true);
    expect(lastWrite().filter(({ buffer }) => first.has(buffer)).length).toBeGreaterThan(0);
  });

  it("does not reuse a buffer that a broken connection may still hold", async () => {
    const broken = new SlowConnection();
    const writer = writerOn(broken);
    for (let index = 0; index < 4_000; index += 1) writer.send(new Uint8Array(100).fill(1));
    await nextTurn();
    const held = new Set(longRuns(broken));
    writer.close();
    broken.acceptWrite();
    const connection = new SlowConnection();
    const other = writerOn(connection);
    for (let index = 0; index < 4_000; index += 1) other.send(new Uint8Array(100).fill(2));
    await nextTurn();
    expect(longRuns(connection).some((buffer) => held.has(buffer))).toBe(false);
  });

  it("ends after everything queued, and resolves flushed first", async () => {
    const connection = new SlowConnection();
    const writer = writerOn(connection);
    writer.send(Uint8Array.of(1));
    const flushed = writer.flushed();
    writer.end();
    expect(writer.send(Uint8Array.of(2))).toBe(false);
    await nextTurn();
    expect(connection.writableFinished).toBe(false);
    connection.acceptWrite();
    await flushed;
    await nextTurn();
    expect(connection.writableFinished).toBe(true);
  });

  it("writes a long queue in several parts, so that progress is visible", async () => {
    const connection = new SlowConnection();
    const writer = writerOn(connection);
    for (let index = 0; index < 40; index += 1) writer.send(new Uint8Array(100_000));
    await nextTurn();
    expect(connection.writes.flat().reduce((sum, chunk) => sum + chunk.length, 0)).toBeLessThan(1_200_000);
    for (let index = 0; index < 6; index += 1) {
      connection.acceptWrite();
      await nextTurn();
    }
    expect(writer.queuedBytes).toBe(0);
  });

  it("discards its queue when closed, and resolves every flushed promise", async () => {
    const connection = new SlowConnection();
    const writer = writerOn(connection);
    writer.send(new Uint8Array(10));
    const flushed = writer.flushed();
    writer.close();
    await flushed;
    expect(writer.queuedBytes).toBe(0);
    expect(writer.send(new Uint8Array(1))).toBe(false);
    await nextTurn();
    expect(connection.writes).toEqual([]);
  });
});
