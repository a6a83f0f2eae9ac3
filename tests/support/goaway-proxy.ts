import { connect, createServer, type Server, type Socket } from "node:net";
import { listenOnFreePort } from "./listen-on-free-port.ts";

const prefaceBytes = 24;
const headBytes = 9;
const type = { headers: 1, goAway: 7, continuation: 9 } as const;
const endHeaders = 4;
const allStreams = 0x7fff_ffff;

/** Forwards HTTP/2 connections to a host and tells a client to go away (GOAWAY) when a test wants it. */
export class GoAwayProxy implements AsyncDisposable {
  readonly #server: Server;
  readonly #target: { readonly host: string; readonly port: number };
  readonly #connections = new Set<ProxiedConnection>();
  #address = "";
  #endedCount = 0;

  constructor(target: string) {
    const [host = "", port = ""] = target.split(":");
    this.#target = { host, port: Number(port) };
    this.#server = createServer((near) => {
      const connection = new ProxiedConnection(near, connect(this.#target));
      this.#connections.add(connection);
      near.once("close", () => {
        this.#connections.delete(connection);
        this.#endedCount += 1;
      });
    });
  }

  async listen(): Promise<this> {
    this.#address = await listenOnFreePort(this.#server);
    return this;
  }

  get address(): string {
    return this.#address;
  }

  /** Number of connections that have ended. */
  get endedCount(): number {
    return this.#endedCount;
  }

  get openCount(): number {
    return this.#connections.size;
  }

  /** The connections that take streams, oldest first. */
  get takingStreams(): ProxiedConnection[] {
    return [...this.#connections].filter(({ isLeaving }) => !isLeaving);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const connection of this.#connections) connection.destroy();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }
}

/** One connection of a client through the proxy. */
export class ProxiedConnection {
  readonly #near: Socket;
  readonly #far: Socket;
  #last = 0;
  /** Streams above it are not taken. */
  #most = allStreams;
  #isLeaving = false;
  #owesGoAway = false;
  #isInHeaders = false;
  #isSpeaking = false;

  constructor(near: Socket, far: Socket) {
    this.#near = near;
    this.#far = far;
    const toHost = new FrameReader(prefaceBytes, (frame, kind, stream) => {
      if (stream > this.#most) return;
      if (kind === type.headers) this.#last = Math.max(this.#last, stream);
      far.write(frame);
    });
    toHost.onPreface = (preface) => far.write(preface);
    const toClient = new FrameReader(0, (frame, kind, _stream, flags) => {
      near.write(frame);
      if (kind === type.headers || kind === type.continuation) this.#isInHeaders = (flags & endHeaders) === 0;
      this.#isSpeaking = true;
      if (this.#owesGoAway) this.#sendGoAway();
    });
    for (const [from, to, reader] of [
      [near, far, toHost],
      [far, near, toClient],
    ] as const) {
      from.on("data", (bytes) => reader.read(bytes));
      from.on("error", () => undefined);
      from.on("close", () => to.destroy());
    }
  }

  get isLeaving(): boolean {
    return this.#isLeaving;
  }

  /** Tells the client to go away. Streams that did not come through yet are taken, or turned away. */
  goAway(late: "taken" | "turned away"): void {
    if (this.#isLeaving) return;
    this.#isLeaving = true;
    if (late === "turned away") this.#most = this.#last;
    this.#owesGoAway = true;
    this.#sendGoAway();
  }

  destroy(): void {
    this.#near.destroy();
    this.#far.destroy();
  }

  #sendGoAway(): void {
    if (this.#isInHeaders || !this.#isSpeaking) return;
    this.#owesGoAway = false;
    const frame = Buffer.alloc(headBytes + 8);
    frame.writeUIntBE(8, 0, 3);
    frame.writeUInt8(type.goAway, 3);
    frame.writeUInt32BE(this.#most, headBytes);
    this.#near.write(frame);
  }
}

type OnFrame = (frame: Buffer, kind: number, stream: number, flags: number) => void;

/** Cuts bytes into HTTP/2 frames. */
class FrameReader {
  onPreface: (preface: Buffer) => void = () => {};
  readonly #onFrame: OnFrame;
  #prefaceLeft: number;
  #rest = Buffer.alloc(0);

  constructor(preface: number, onFrame: OnFrame) {
    this.#prefaceLeft = preface;
    this.#onFrame = onFrame;
  }

  read(bytes: Buffer): void {
    this.#rest = Buffer.concat([this.#rest, bytes]);
    if (this.#prefaceLeft > 0) {
      if (this.#rest.length < this.#prefaceLeft) return;
      this.onPreface(this.#take(this.#prefaceLeft));
      this.#prefaceLeft = 0;
    }
    while (this.#rest.length >= headBytes) {
      const length = headBytes + this.#rest.readUIntBE(0, 3);
      if (this.#rest.length < length) return;
      const frame = this.#take(length);
      this.#onFrame(frame, frame.readUInt8(3), frame.readUInt32BE(5) & allStreams, frame.readUInt8(4));
    }
  }

  #take(length: number): Buffer {
    const taken = this.#rest.subarray(0, length);
    this.#rest = this.#rest.subarray(length);
    return taken;
  }
}
