import { PrefixedReader } from "./prefixed-reader.ts";
import type { OpenRawChannel } from "./raw-channel.ts";

/** Frames behind four bytes of length, on the socket itself. */
export const openTcpChannel: OpenRawChannel = (socket, { onFrame, onTurnEnd }) => {
  const reader = new PrefixedReader(4, onFrame);
  socket.on("data", (chunk) => {
    reader.push(chunk);
    onTurnEnd();
  });
  return { prefixBytes: 4, write: (frames) => void socket.write(frames) };
};
