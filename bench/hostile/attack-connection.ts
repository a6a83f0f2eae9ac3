import { connect, type Socket } from "node:net";
import { flag, frame, frameHeadBytes, frameType, preface, settingsFrame, uint32 } from "./bytes.ts";

const widestWindow = 0x7fff_ffff;
const initialWindow = 65_535;
/** SETTINGS_INITIAL_WINDOW_SIZE. */
const initialWindowSetting = 4;

export interface AttackConnectionOptions {
  readonly address: string;
  /** Local address. */
  readonly from: string;
  /** Whether it takes all that the host sends; otherwise it takes 64 KiB of each stream and of all together. */
  readonly takesAll?: boolean;
  /** A call was answered or refused: HEADERS that end a stream, or a reset. */
  readonly onAnswer?: () => void;
  readonly onClosed?: () => void;
}

/** A connection that speaks as much HTTP/2 as an attack needs. */
export class AttackConnection {
  readonly socket: Socket;
  /** Resolves when the host's settings have come, or the connection is gone: false. */
  readonly opened: Promise<boolean>;
  /** The next free stream id. */
  nextStream = 1;
  answers = 0;
  pongs = 0;
  readonly #options: AttackConnectionOptions;
  readonly #windows = new Map<number, number>([[0, initialWindow]]);
  #peerWindow = initialWindow;
  #rest: Buffer = Buffer.alloc(0);
  #wake: () => void = () => {};
  #isOpen: (open: boolean) => void = () => {};

  constructor(options: AttackConnectionOptions) {
    this.#options = options;
    const [host = "", port = ""] = options.address.split(":");
    this.socket = connect({ host, port: Number(port), localAddress: options.from, noDelay: true });
    this.opened = new Promise((resolve) => {
      this.#isOpen = resolve;
    });
    this.socket.on("error", () => undefined);
    this.socket.on("data", (chunk) => this.#read(chunk));
    this.socket.on("drain", () => this.#wake());
    this.socket.once("close", () => {
      this.#isOpen(false);
      this.#wake();
      options.onClosed?.();
    });
    this.socket.write(preface);
    this.socket.write(settingsFrame(options.takesAll === true ? [[initialWindowSetting, widestWindow]] : []));
    if (options.takesAll === true)
      this.socket.write(frame(frameType.windowUpdate, { payload: uint32(widestWindow - initialWindow) }));
  }

  get isGone(): boolean {
    return this.socket.destroyed;
  }

  takeStream(): number {
    const stream = this.nextStream;
    this.nextStream += 2;
    return stream;
  }

  /** Writes frames that no flow control holds. False: wait for `drained`. */
  write(bytes: Uint8Array): boolean {
    return this.isGone || this.socket.write(bytes);
  }

  /** Resolves when the socket takes more, or something has come from the host, or the connection is gone. */
  drained(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }

  /** Writes DATA frames of a stream as the host has room for them. `dataBytes`: the sum of their payloads. False: the connection is gone. */
  async pour(frames: Uint8Array, stream: number, dataBytes: number): Promise<boolean> {
    while (!this.isGone && Math.min(this.#window(0), this.#window(stream)) < dataBytes) await this.drained();
    this.#windows.set(0, this.#window(0) - dataBytes);
    this.#windows.set(stream, this.#window(stream) - dataBytes);
    if (!this.write(frames)) await this.drained();
    return !this.isGone;
  }

  destroy(): void {
    this.socket.destroy();
  }

  #window(stream: number): number {
    return this.#windows.get(stream) ?? this.#peerWindow;
  }

  #read(chunk: Buffer): void {
    const bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    let at = 0;
    while (bytes.length - at >= frameHeadBytes) {
      const end = at + frameHeadBytes + bytes.readUIntBE(at, 3);
      if (end > bytes.length) break;
      this.#take(bytes, at, end);
      at = end;
    }
    this.#rest = bytes.subarray(at);
    this.#wake();
  }

  #take(bytes: Buffer, at: number, end: number): void {
    const [type, flags] = [bytes[at + 3], bytes[at + 4] ?? 0];
    const payload = at + frameHeadBytes;
    if (type === frameType.headers || type === frameType.data) {
      if ((flags & flag.endStream) !== 0) this.#noteAnswer();
    } else if (type === frameType.reset) this.#noteAnswer();
    else if (type === frameType.settings && flags === 0) this.#takeSettings(bytes.subarray(payload, end));
    else if (type === frameType.ping) {
      if (flags === flag.acknowledged) this.pongs += 1;
      else this.write(frame(frameType.ping, { flags: flag.acknowledged, payload: bytes.subarray(payload, end) }));
    } else if (type === frameType.windowUpdate) {
      const stream = bytes.readUInt32BE(at + 5);
      this.#windows.set(stream, this.#window(stream) + bytes.readUInt32BE(payload));
    }
  }

  #takeSettings(settings: Buffer): void {
    for (let at = 0; at + 6 <= settings.length; at += 6) {
      if (settings.readUInt16BE(at) === initialWindowSetting) this.#peerWindow = settings.readUInt32BE(at + 2);
    }
    this.write(frame(frameType.settings, { flags: flag.acknowledged }));
    this.#isOpen(true);
  }

  #noteAnswer(): void {
    this.answers += 1;
    this.#options.onAnswer?.();
  }
}
