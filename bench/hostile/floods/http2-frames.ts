import {
  callHeaders,
  dataFrames,
  flag,
  frame,
  frameType,
  message,
  numberStreams,
  settingsFrame,
  uint32,
} from "../bytes.ts";
import type { Crowd } from "../crowd.ts";

/** Pairs of HEADERS and RST_STREAM in one write. */
const resetsAtOnce = 500;

/** Rapid reset: opens channels and resets each at once. */
export function rapidResets(connections: number): (crowd: Crowd) => void {
  const cancel = frame(frameType.reset, { payload: uint32(8) });
  return (crowd) =>
    crowd.keep(connections, async (connection, number) => {
      const pair = Buffer.concat([callHeaders("OpenChannel", { clientId: `resetter-${number}` }), cancel]);
      const burst = Buffer.concat(Array.from({ length: resetsAtOnce }, () => pair));
      while (!crowd.isOver && !connection.isGone) {
        connection.nextStream = numberStreams(burst, connection.nextStream, 2);
        if (!connection.write(Buffer.from(burst))) await connection.drained();
        crowd.noteSent(resetsAtOnce);
      }
    });
}

/** Opens 1,000 streams of a connection, half-closes them, and continues with others when those have ended. */
export function halfClosedStreams(connections: number): (crowd: Crowd) => void {
  return (crowd) =>
    crowd.keep(connections, async (connection, number) => {
      const open = callHeaders("OpenChannel", { clientId: `idler-${number}`, flags: flag.endStream });
      const burst = Buffer.concat(Array.from({ length: 1_000 }, () => open));
      while (!crowd.isOver && !connection.isGone) {
        const answers = connection.answers;
        connection.nextStream = numberStreams(burst, connection.nextStream, 1);
        connection.write(Buffer.from(burst));
        crowd.noteSent(1_000);
        while (!connection.isGone && connection.answers < answers + 1_000) await connection.drained();
      }
    });
}

/** The same frames again and again, as fast as the host takes them. */
function pourFrames(burst: Buffer, count: number, connections: number): (crowd: Crowd) => void {
  return (crowd) =>
    crowd.keep(connections, async (connection) => {
      while (!crowd.isOver && !connection.isGone) {
        if (!connection.write(burst)) await connection.drained();
        crowd.noteSent(count);
      }
    });
}

const atOnce = 1_000;
const many = (one: Buffer): Buffer => Buffer.concat(Array.from({ length: atOnce }, () => one));

export const pings = (connections: number) =>
  pourFrames(many(frame(frameType.ping, { payload: Buffer.alloc(8) })), atOnce, connections);

/** SETTINGS_MAX_CONCURRENT_STREAMS, which changes nothing. */
export const settings = (connections: number) => pourFrames(many(settingsFrame([[3, 100]])), atOnce, connections);

/** The window of the connection grows by a byte each, a thousand million times at most. */
export const windowUpdates = (connections: number) =>
  pourFrames(many(frame(frameType.windowUpdate, { payload: uint32(1) })), atOnce, connections);

const tinyMessageBytes = 60_000;

/** Calls of an unknown agent, in DATA frames of one byte. */
export function tinyData(connections: number): (crowd: Crowd) => void {
  return (crowd) =>
    crowd.keep(connections, async (connection, number) => {
      const stream = connection.takeStream();
      connection.write(callHeaders("OpenChannel", { clientId: `dripper-${number}`, stream }));
      const body = message(Buffer.alloc(tinyMessageBytes));
      const frames = dataFrames(body, stream, 1);
      while (!crowd.isOver && (await connection.pour(frames, stream, body.length))) crowd.noteSent(body.length);
    });
}
