import { decodeFrame, encodeFrame } from "../../src/protocol/index.ts";
import { decodeStatesAsk, encodeStatesAsk } from "../../src/protocol/internal.ts";
import type { Gate } from "./around-streams.ts";
import { meddler, type Pass, type PlantedBug } from "./planting.ts";

/** What was granted since the last grant, in place of all that was granted. */
function grantRelatively(): Gate {
  const granted = new Map<string, number>();
  return {
    ...meddler("credit", 1, (frame, pass) => {
      const before = granted.get(frame.requestId) ?? 0;
      granted.set(frame.requestId, frame.bytes);
      return pass(encodeFrame({ ...frame, bytes: frame.bytes - before }));
    }),
  };
}

/** The last chunk of an answer comes behind it. */
function holdLastChunks(): Gate {
  const held = new Map<string, Uint8Array>();
  const chunks = (pass: Pass) =>
    meddler("chunk", 1, ({ requestId }, _pass, bytes) => {
      const before = held.get(requestId);
      held.set(requestId, bytes);
      return before === undefined ? true : pass(before);
    });
  const answers = (pass: Pass) =>
    meddler("response", 1, ({ requestId }, _pass, bytes) => {
      const last = held.get(requestId);
      held.delete(requestId);
      return pass(bytes) && (last === undefined || pass(last));
    });
  return {
    out: (bytes, pass, stream) =>
      chunks(pass).out?.(bytes, (other) => answers(pass).out?.(other, pass, stream) === true, stream) === true,
  };
}

/** Chunks of one stream go to the stream that had one before it. */
function misdirectChunks(): Gate {
  let other = "";
  return meddler("chunk", 1, (frame, pass, bytes) => {
    const requestId = other === "" ? frame.requestId : other;
    other = frame.requestId;
    return requestId === frame.requestId ? pass(bytes) : pass(encodeFrame({ ...frame, requestId }));
  });
}

/** Answers that ride on commits do not say how many chunks come before them. */
function forgetChunks(): Gate {
  return {
    out: (bytes, pass) => {
      const ask = decodeStatesAsk(bytes);
      if (ask.kind !== "commit") return pass(bytes);
      const answers = ask.answers.map((answer) => {
        const frame = decodeFrame(answer);
        if (frame.kind !== "response") return answer;
        const { agchunks: _chunks, ...metadata } = frame.metadata;
        return encodeFrame({ ...frame, metadata });
      });
      return pass(encodeStatesAsk({ ...ask, answers }));
    },
  };
}

/** Bugs in streams of answers. */
export const plantedStreamBugs: readonly PlantedBug[] = [
  {
    name: "a worker whose grants are lost for good",
    plant: { atWorker: () => meddler("credit", 1, () => true) },
    caughtBy: ["streams"],
  },
  {
    name: "a worker that grants what was added, and not all since the call began",
    plant: { atWorker: grantRelatively },
    caughtBy: ["streams"],
  },
  {
    name: "a host that passes the last chunk on behind the answer",
    plant: { atHost: holdLastChunks },
    caughtBy: ["streams"],
  },
  {
    name: "a host that passes a chunk on twice",
    plant: { atHost: () => meddler("chunk", 5, (_frame, pass, bytes) => pass(bytes) && pass(bytes)) },
    caughtBy: ["wire"],
  },
  {
    name: "a host that loses chunks",
    plant: { atHost: () => meddler("chunk", 5, () => true) },
    caughtBy: ["wire"],
  },
  { name: "a host that gives chunks to the wrong call", plant: { atHost: misdirectChunks }, caughtBy: ["wire"] },
  {
    name: "a worker whose answers do not wait for their chunks",
    plant: { atStates: forgetChunks, channelsLateMs: 20 },
    caughtBy: ["streams", "wire"],
  },
  {
    name: "a host that grants more than the reader has granted",
    plant: {
      atHost: () =>
        meddler("request", 1, (frame, pass, bytes) => {
          const { agstream } = frame.metadata;
          if (agstream === undefined) return pass(bytes);
          return pass(encodeFrame({ ...frame, metadata: { ...frame.metadata, agstream: "1000000" } }));
        }),
    },
    caughtBy: ["failures"],
  },
];
