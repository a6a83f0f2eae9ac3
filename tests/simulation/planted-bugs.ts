import { decodeFrame, encodeFrame, type ResponseFrame } from "../../src/protocol/index.ts";
import type { Gate } from "./around-streams.ts";
import { meddler, type Pass, type PlantedBug } from "./planting.ts";

function swapAnswers(): Gate {
  let first: ResponseFrame | undefined;
  return meddler("response", 1, (frame, pass, bytes) => {
    if (frame.error !== "") return pass(bytes);
    if (first === undefined) {
      first = frame;
      return true;
    }
    pass(encodeFrame({ ...first, requestId: frame.requestId }));
    const second = encodeFrame({ ...frame, requestId: first.requestId });
    first = undefined;
    return pass(second);
  });
}

function reorderEvents(): Gate {
  let held: Uint8Array | undefined;
  return meddler("event", 1, (_frame, pass, bytes) => {
    if (held === undefined) {
      held = bytes;
      return true;
    }
    pass(bytes);
    const first = held;
    held = undefined;
    return pass(first);
  });
}

/** Answers of one worker's calls go to another. */
function misdirectAnswers(): () => Gate {
  const streams: Pass[] = [];
  return () => {
    let isKnown = false;
    return meddler("response", 5, (_frame, pass, bytes) => {
      if (!isKnown) streams.push(pass);
      isKnown = true;
      const other = streams.findLast((stream) => stream !== pass) ?? pass;
      return other(bytes);
    });
  };
}

/** The worker never learns of the answers to its ghost calls. */
function hideGhosts(): Gate {
  const ghosts = new Set<string>();
  return {
    out: (bytes, pass) => {
      const frame = decodeFrame(bytes);
      if (frame.kind === "request" && frame.target?.key === "ghost") ghosts.add(frame.requestId);
      return pass(bytes);
    },
    in: (bytes, pass) => {
      const frame = decodeFrame(bytes);
      if (frame.kind !== "response" || !ghosts.has(frame.requestId)) pass(bytes);
    },
  };
}

/** The worker hands on every other event behind the one that came after it. */
function misorderArrivals(): Gate {
  let held: Uint8Array | undefined;
  return {
    in: (bytes, pass) => {
      if (decodeFrame(bytes).kind !== "event") return pass(bytes);
      if (held === undefined) {
        held = bytes;
        return;
      }
      pass(bytes);
      pass(held);
      held = undefined;
    },
  };
}

/** The worker passes over every so many events that come. */
function ignoreEvents(period: number): Gate {
  let count = 0;
  return {
    in: (bytes, pass) => {
      if (decodeFrame(bytes).kind !== "event" || ++count % period !== 0) pass(bytes);
    },
  };
}

/** The first call to each agent is lost on its way. */
function loseFirstCalls(): Gate {
  const called = new Set<string>();
  return meddler("request", 1, ({ target }, pass, bytes) => {
    const agent = `${target?.type}/${target?.key}`;
    if (called.has(agent)) return pass(bytes);
    called.add(agent);
    return true;
  });
}

/** Every call says that the call before it, to the same agent, waits for it. */
function forgePaths(): Gate {
  const before = new Map<string, string>();
  return meddler("request", 1, (frame, pass) => {
    const agent = `${frame.target?.type}/${frame.target?.key}`;
    const agpath = `${before.get(agent) ?? "none"}@${agent}`;
    before.set(agent, frame.requestId);
    return pass(encodeFrame({ ...frame, metadata: { ...frame.metadata, agpath } }));
  });
}

/** Each call that waits is said to wait for the turns that wait for it. */
function reportRings(): Gate {
  return meddler("stuck", 1, (frame, pass) => {
    const behind = frame.path.split(",").map((turn) => turn.slice(0, turn.indexOf("@")));
    return pass(encodeFrame({ ...frame, behind }));
  });
}

export const plantedBugs: readonly PlantedBug[] = [
  {
    name: "a host that answers twice",
    plant: { atHost: () => meddler("response", 3, (_frame, pass, bytes) => pass(bytes) && pass(bytes)) },
    caughtBy: ["wire"],
  },
  { name: "a host that swaps answers", plant: { atHost: swapAnswers }, caughtBy: ["answers"] },
  { name: "a host that gives answers to the wrong worker", plant: { atHost: misdirectAnswers() }, caughtBy: ["wire"] },
  {
    name: "a host that drops answers in silence",
    plant: { atHost: () => meddler("response", 7, () => true) },
    caughtBy: ["outcomes"],
  },
  {
    name: "a host that makes failures up",
    plant: {
      atHost: () =>
        meddler("response", 5, (frame, pass) => pass(encodeFrame({ ...frame, payload: undefined, error: "boom" }))),
    },
    caughtBy: ["failures"],
  },
  {
    name: "a host that sends a call twice",
    plant: {
      atHost: () =>
        meddler("request", 5, (frame, pass, bytes) => {
          pass(bytes);
          return pass(encodeFrame({ ...frame, requestId: `${frame.requestId}-again` }));
        }),
    },
    caughtBy: ["once"],
  },
  {
    name: "a host that sends calls to the wrong agent",
    plant: {
      atHost: () =>
        meddler("request", 3, (frame, pass) => {
          const target = { type: frame.target?.type ?? "", key: "stranger" };
          return pass(encodeFrame({ ...frame, target }));
        }),
    },
    caughtBy: ["once"],
  },
  {
    name: "a host that duplicates events",
    plant: { atHost: () => meddler("event", 4, (_frame, pass, bytes) => pass(bytes) && pass(bytes)) },
    caughtBy: ["events"],
  },
  { name: "a host that reorders events", plant: { atHost: reorderEvents }, caughtBy: ["order"] },
  {
    name: "a host that loses events",
    plant: { atHost: () => meddler("event", 5, () => true) },
    caughtBy: ["losses"],
  },
  {
    name: "a host that keeps sessions of workers that have gone",
    plant: { atHost: () => ({ ends: () => undefined }) },
    caughtBy: ["leftovers"],
  },
  {
    name: "a host that swallows cancels",
    plant: { atHost: () => meddler("cancel", 1, () => true) },
    caughtBy: ["signals"],
  },
  { name: "a host that loses the first call to each agent", plant: { atHost: loseFirstCalls }, caughtBy: ["recovery"] },
  { name: "a worker that loses events", plant: { atWorker: () => ignoreEvents(5) }, caughtBy: ["losses"] },
  { name: "a worker that hands events on out of order", plant: { atWorker: misorderArrivals }, caughtBy: ["order"] },
  {
    name: "a worker that leaves calls unanswered",
    plant: { atWorker: () => meddler("response", 7, () => true) },
    caughtBy: ["failures"],
  },
  {
    name: "a worker that answers twice",
    plant: { atWorker: () => meddler("response", 7, (_frame, pass, bytes) => pass(bytes) && pass(bytes)) },
    caughtBy: ["wire"],
  },
  {
    name: "a worker that keeps calls pending",
    plant: { ghostCalls: true, atWorker: hideGhosts },
    caughtBy: ["leftovers"],
  },
  { name: "a worker that lets the turns of an agent interleave", plant: { mixesTurns: true }, caughtBy: ["turns"] },
  { name: "a host that says of calls that others wait for them", plant: { atHost: forgePaths }, caughtBy: ["turns"] },
  {
    name: "a worker that does not report calls that wait for each other",
    plant: { hidesRings: true },
    caughtBy: ["deadlock"],
  },
  {
    name: "a worker that takes each call that waits for part of a ring",
    plant: { atWorker: reportRings },
    caughtBy: ["deadlock"],
  },
  { name: "a worker that does not cancel its timers", plant: { keepsTimers: true }, caughtBy: ["leftovers"] },
];
