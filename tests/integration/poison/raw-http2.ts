import { once } from "node:events";
import { connect, type Socket } from "node:net";

/** HTTP/2 by hand: frames as bytes, right or wrong, and whatever comes back. */

export const preface: Uint8Array = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "latin1");

export const frameType = {
  data: 0,
  headers: 1,
  priority: 2,
  reset: 3,
  settings: 4,
  push: 5,
  ping: 6,
  goAway: 7,
  windowUpdate: 8,
  continuation: 9,
} as const;

export const flag = { endStream: 1, acknowledged: 1, endHeaders: 4 } as const;

export interface RawFrame {
  readonly type: number;
  readonly flags: number;
  readonly stream: number;
  readonly payload: Uint8Array;
}

export function frame(type: number, flags: number, stream: number, payload: Uint8Array = new Uint8Array(0)): Buffer {
  const bytes = Buffer.alloc(9 + payload.length);
  bytes.writeUIntBE(payload.length, 0, 3);
  bytes[3] = type;
  bytes[4] = flags;
  bytes.writeUInt32BE(stream, 5);
  bytes.set(payload, 9);
  return bytes;
}

export type Header = readonly [name: string, value: string];

export function callHeaders(path: string, clientId: string, extra: readonly Header[] = []): Header[] {
  return [
    [":method", "POST"],
    [":scheme", "http"],
    [":path", path],
    [":authority", "poison"],
    ["content-type", "application/grpc"],
    ["te", "trailers"],
    ["client-id", clientId],
    ...extra,
  ];
}

/** Header fields as HPACK literals that are not put into the table. */
export function headerBlock(headers: readonly Header[]): Buffer {
  return Buffer.concat(headers.flatMap(([name, value]) => [Buffer.of(0), hpackText(name), hpackText(value)]));
}

function hpackText(text: string): Buffer {
  const bytes = Buffer.from(text, "latin1");
  if (bytes.length < 127) return Buffer.concat([Buffer.of(bytes.length), bytes]);
  const length = [127];
  let rest = bytes.length - 127;
  for (; rest >= 0x80; rest >>>= 7) length.push((rest & 0x7f) | 0x80);
  return Buffer.concat([Buffer.of(...length, rest), bytes]);
}

/** A message behind its five bytes. */
export function message(body: Uint8Array, announced = body.length, compressed = 0): Buffer {
  const bytes = Buffer.alloc(5 + body.length);
  bytes[0] = compressed;
  bytes.writeUInt32BE(announced, 1);
  bytes.set(body, 5);
  return bytes;
}

/** One TCP connection. */
export class RawConnection {
  readonly socket: Socket;
  /** Resolves when the connection is gone, however. */
  readonly closed: Promise<void>;
  readonly received: RawFrame[] = [];
  #rest = Buffer.alloc(0);
  #waiters: { readonly isIt: (one: RawFrame) => boolean; readonly resolve: (one: RawFrame) => void }[] = [];

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.on("error", () => undefined);
    socket.on("data", (chunk) => this.#read(chunk));
    this.closed = new Promise((resolve) => socket.once("close", () => resolve()));
  }

  static async connect(address: string): Promise<RawConnection> {
    const socket = connect({ host: "127.0.0.1", port: Number(address.split(":").at(-1)), noDelay: true });
    const connection = new RawConnection(socket);
    await Promise.race([once(socket, "connect"), connection.closed]);
    return connection;
  }

  /** Connected, and both sides' settings exchanged. */
  static async open(address: string): Promise<RawConnection> {
    const connection = await RawConnection.connect(address);
    connection.write(preface, frame(frameType.settings, 0, 0));
    await connection.sees(({ type, flags }) => type === frameType.settings && flags === 0);
    connection.write(frame(frameType.settings, flag.acknowledged, 0));
    return connection;
  }

  write(...bytes: readonly Uint8Array[]): void {
    this.socket.write(Buffer.concat(bytes));
  }

  /** Writes as fast as the other side reads; false once the connection is gone. */
  async pour(bytes: Uint8Array): Promise<boolean> {
    if (this.socket.destroyed) return false;
    if (!this.socket.write(bytes)) await Promise.race([once(this.socket, "drain").catch(() => undefined), this.closed]);
    return !this.socket.destroyed;
  }

  /** Resolves with the first frame of that kind that has come or comes. */
  sees(isIt: (one: RawFrame) => boolean): Promise<RawFrame> {
    const there = this.received.find(isIt);
    if (there !== undefined) return Promise.resolve(there);
    return new Promise((resolve) => this.#waiters.push({ isIt, resolve }));
  }

  /** Everything written before is through the peer's HTTP/2. False: the connection ended instead. */
  async isAlive(mark: string): Promise<boolean> {
    const payload = Buffer.from(mark.padEnd(8).slice(0, 8));
    this.write(frame(frameType.ping, 0, 0, payload));
    const pong = this.sees(
      ({ type, flags, payload: echoed }) => type === frameType.ping && flags === 1 && payload.equals(echoed),
    );
    return Promise.race([pong.then(() => true), this.closed.then(() => false)]);
  }

  destroy(): void {
    this.socket.destroy();
  }

  #read(chunk: Buffer): void {
    this.#rest = Buffer.concat([this.#rest, chunk]);
    while (this.#rest.length >= 9) {
      const end = 9 + this.#rest.readUIntBE(0, 3);
      if (this.#rest.length < end) return;
      const [type, flags] = [this.#rest[3] ?? 0, this.#rest[4] ?? 0];
      const one = { type, flags, stream: this.#rest.readUInt32BE(5), payload: this.#rest.subarray(9, end) };
      this.#rest = this.#rest.subarray(end);
      this.received.push(one);
      for (const waiter of this.#waiters) if (waiter.isIt(one)) waiter.resolve(one);
      this.#waiters = this.#waiters.filter(({ isIt }) => !isIt(one));
    }
  }
}
