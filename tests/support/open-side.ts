import { signals } from "../../src/protocol/internal.ts";
import type { Link } from "../../src/transport/index.ts";

/** Opens a side stream as a worker does, and says how it ends. */
export function openSide(link: Link, clientId: string) {
  let settle: (end: unknown) => void = () => {};
  const ended = new Promise<unknown>((resolve) => {
    settle = resolve;
  });
  const stream = link.openStream(
    signals.path,
    { onFrame: () => {}, onHalfClose: () => {}, onBadFrame: () => {}, onDrain: () => {}, onEnd: (end) => settle(end) },
    { metadata: { "client-id": clientId } },
  );
  return { stream, ended };
}
