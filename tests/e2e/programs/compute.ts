/** Keeps the event loop for so long. */
export function block(ms: number): void {
  const endMs = performance.now() + ms;
  while (performance.now() < endMs);
}

/** Computes in pieces; the event loop turns `turns` times after each. */
export async function computeInPieces(count: number, pieceMs: number, turns: number): Promise<void> {
  for (let piece = 0; piece < count; piece += 1) {
    block(pieceMs);
    for (let turn = 0; turn < turns; turn += 1) await new Promise((resolve) => setImmediate(resolve));
  }
}
