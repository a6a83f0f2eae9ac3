// What the contenders without agents carry: bytes, of which the first eight tell when they left, or how far a worker is.

const bytesOfNews = 100;

/** As long as the JSON of a `News`. */
export function rawNews(sentNs: number): Buffer {
  const bytes = Buffer.alloc(bytesOfNews, "x");
  bytes.writeDoubleBE(sentNs);
  return bytes;
}

export function sentNsOf(bytes: Uint8Array): number {
  return bytes[0] === 0 ? 0 : viewOf(bytes).getFloat64(0);
}

export function rawProgress(worker: number, events: number): Buffer {
  const bytes = Buffer.alloc(16);
  bytes.writeDoubleBE(events);
  bytes.writeDoubleBE(worker, 8);
  return bytes;
}

export function progressOf(bytes: Uint8Array): { readonly worker: number; readonly events: number } {
  const view = viewOf(bytes);
  return { events: view.getFloat64(0), worker: view.getFloat64(8) };
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
