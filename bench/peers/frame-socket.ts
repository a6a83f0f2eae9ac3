import type { Socket } from "node:net";

const prefixBytes = 4;
/** Frames up to this length leave together in one buffer; longer ones by reference. */
const copyUpToBytes = 16 * 1024;

/**
 * Length-prefixed frames over TCP: the least that a message transport can do. Frames of one turn leave in one write.
 */
export class FrameSocket {
  readonly #socket: Socket;
  readonly #onFrame: (frame: Uint8Array) => void;
  #waiting: Uint8Array[] = [];
  /** The parts of an incomplete frame that have arrived. */
  #parts: Uint8Array[] = [];
  #partsBytes = 0;
  #neededBytes = prefixBytes;

  constructor(socket: Socket, onFrame: (frame: Uint8Array) => void) {
    this.#socket = socket;
    this.#onFrame = onFrame;
    socket.setNoDelay(true);
    socket.on("data", (chunk) => this.#read(chunk));
    socket.on("error", () => socket.destroy());
  }

  send(frame: Uint8Array): void {
    if (this.#waiting.push(frame) === 1) process.nextTick(this.#flush);
  }

  readonly #flush = (): void => {
    const frames = this.#waiting;
    this.#waiting = [];
    this.#socket.cork();
    let run: Uint8Array[] = [];
    for (const frame of frames) {
      run.push(frame);
      if (frame.length <= copyUpToBytes) continue;
      this.#socket.write(packed(run));
      this.#socket.write(frame);
      run = [];
    }
    if (run.length > 0) this.#socket.write(packed(run));
    this.#socket.uncork();
  };

  #read(chunk: Uint8Array): void {
    this.#parts.push(chunk);
    this.#partsBytes += chunk.length;
    if (this.#partsBytes < this.#neededBytes) return;
    const bytes = Buffer.concat(this.#parts);
    let at = 0;
    for (;;) {
      const left = bytes.length - at;
      this.#neededBytes = prefixBytes + (left < prefixBytes ? 0 : bytes.readUInt32BE(at));
      if (left < this.#neededBytes || left < prefixBytes) break;
      this.#onFrame(bytes.subarray(at + prefixBytes, at + this.#neededBytes));
      at += this.#neededBytes;
    }
    this.#parts = at === bytes.length ? [] : [bytes.subarray(at)];
    this.#partsBytes = bytes.length - at;
  }
}

/** Joins prefixes and short frames; of a long frame, the last, only the prefix. */
function packed(frames: readonly Uint8Array[]): Uint8Array {
  const short = (frame: Uint8Array) => (frame.length <= copyUpToBytes ? frame.length : 0);
  const bytes = Buffer.allocUnsafe(frames.reduce((sum, frame) => sum + prefixBytes + short(frame), 0));
  let at = 0;
  for (const frame of frames) {
    bytes.writeUInt32BE(frame.length, at);
    at += prefixBytes;
    if (short(frame) === 0) continue;
    bytes.set(frame, at);
    at += frame.length;
  }
  return bytes;
}
