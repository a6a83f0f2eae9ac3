import type { Socket } from "node:net";
import { PrefixedReader } from "./prefixed-reader.ts";
import type { OpenRawChannel, RawChannel, RawChannelEvents } from "./raw-channel.ts";

const type = { data: 0, headers: 1, reset: 3, settings: 4, ping: 6, goAway: 7, windowUpdate: 8 } as const;
const flag = { acknowledged: 1, endHeaders: 4 } as const;
const streamId = 1;
const headBytes = 9;
/** Bytes that every peer accepts in one DATA frame. */
const dataBytes = 16_384;
const initialWindow = 65_535;
const widestWindow = 0x7fff_ffff;
/** Flow-control credit given to the peer at the start, so wide that it never waits. */
const creditBytes = 64 * 1024 * 1024;

const headers: readonly (readonly [name: string, value: string])[] = [
  [":method", "POST"],
  [":scheme", "http"],
  [":path", "/agents.AgentRpc/OpenChannel"],
  [":authority", "127.0.0.1"],
  ["content-type", "application/grpc"],
  ["te", "trailers"],
];

/** One gRPC stream on one connection, HTTP/2 written by hand (RFC 9113), so that the generator's own cost stays out of the way. */
export const openHttp2Channel: OpenRawChannel = (socket, events) => new Http2Channel(socket, events);

class Http2Channel implements RawChannel {
  readonly prefixBytes = 5;
  readonly #socket: Socket;
  readonly #reader: PrefixedReader;
  readonly #onTurnEnd: () => void;
  #rest: Buffer = Buffer.alloc(0);
  #waiting: Buffer[] = [];
  #sendWindow = { connection: initialWindow, stream: initialWindow };
  #peerInitialWindow = initialWindow;
  #taken = 0;

  constructor(socket: Socket, { onFrame, onTurnEnd }: RawChannelEvents) {
    this.#socket = socket;
    this.#reader = new PrefixedReader(this.prefixBytes, onFrame);
    this.#onTurnEnd = onTurnEnd;
    const settings = Buffer.alloc(6);
    settings.writeUInt16BE(4, 0);
    settings.writeUInt32BE(widestWindow, 2);
    socket.write("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "latin1");
    socket.write(frameOf(type.settings, 0, 0, settings));
    socket.write(frameOf(type.windowUpdate, 0, 0, uint32(widestWindow - initialWindow)));
    socket.write(frameOf(type.headers, flag.endHeaders, streamId, headerBlock()));
    socket.on("data", (chunk) => this.#read(chunk));
  }

  write(frames: Buffer): void {
    this.#waiting.push(frames);
    this.#flush();
  }

  /** Sends as much as the peer has room for. */
  #flush(): void {
    this.#socket.cork();
    for (let first = this.#waiting[0]; first !== undefined; first = this.#waiting[0]) {
      const room = Math.min(this.#sendWindow.connection, this.#sendWindow.stream, dataBytes);
      if (room <= 0) break;
      const part = first.subarray(0, room);
      this.#socket.write(head(part.length, type.data, 0, streamId));
      this.#socket.write(part);
      this.#sendWindow.connection -= part.length;
      this.#sendWindow.stream -= part.length;
      if (part.length === first.length) this.#waiting.shift();
      else this.#waiting[0] = first.subarray(part.length);
    }
    this.#socket.uncork();
  }

  #read(chunk: Buffer): void {
    const bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    let at = 0;
    while (bytes.length - at >= headBytes) {
      const end = at + headBytes + bytes.readUIntBE(at, 3);
      if (end > bytes.length) break;
      this.#take(
        bytes[at + 3] ?? 0,
        bytes[at + 4] ?? 0,
        bytes.readUInt32BE(at + 5),
        bytes.subarray(at + headBytes, end),
      );
      at = end;
    }
    this.#rest = bytes.subarray(at);
    this.#onTurnEnd();
  }

  #take(kind: number, flags: number, stream: number, payload: Buffer): void {
    switch (kind) {
      case type.data:
        this.#giveCredit(payload.length);
        return this.#reader.push(payload);
      case type.settings:
        if ((flags & flag.acknowledged) === 0) this.#takeSettings(payload);
        return;
      case type.ping:
        if ((flags & flag.acknowledged) === 0) this.#socket.write(frameOf(type.ping, flag.acknowledged, 0, payload));
        return;
      case type.windowUpdate:
        this.#sendWindow[stream === 0 ? "connection" : "stream"] += payload.readUInt32BE(0);
        return this.#flush();
      case type.reset:
      case type.goAway:
        throw new Error(`the host ended the channel: ${payload.toString("latin1")}`);
    }
  }

  #takeSettings(payload: Buffer): void {
    for (let at = 0; at < payload.length; at += 6) {
      if (payload.readUInt16BE(at) !== 4) continue;
      this.#sendWindow.stream += payload.readUInt32BE(at + 2) - this.#peerInitialWindow;
      this.#peerInitialWindow = payload.readUInt32BE(at + 2);
    }
    this.#socket.write(frameOf(type.settings, flag.acknowledged, 0));
    this.#flush();
  }

  #giveCredit(bytes: number): void {
    this.#taken += bytes;
    if (this.#taken < creditBytes) return;
    for (const stream of [0, streamId]) this.#socket.write(frameOf(type.windowUpdate, 0, stream, uint32(this.#taken)));
    this.#taken = 0;
  }
}

/** HPACK literals that are not put into the table. */
function headerBlock(): Buffer {
  const text = (value: string) => Buffer.concat([Buffer.of(value.length), Buffer.from(value, "latin1")]);
  return Buffer.concat(headers.flatMap(([name, value]) => [Buffer.of(0), text(name), text(value)]));
}

function frameOf(kind: number, flags: number, stream: number, payload: Uint8Array = new Uint8Array(0)): Buffer {
  return Buffer.concat([head(payload.length, kind, flags, stream), payload]);
}

function head(length: number, kind: number, flags: number, stream: number): Buffer {
  const bytes = Buffer.allocUnsafe(headBytes);
  bytes.writeUIntBE(length, 0, 3);
  bytes[3] = kind;
  bytes[4] = flags;
  bytes.writeUInt32BE(stream, 5);
  return bytes;
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}
