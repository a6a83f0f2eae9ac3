import type { Sendable, When } from "../../../src/core/index.ts";
import { type ClaimedAgent, decodeFrame, encodeFrame } from "../../../src/protocol/index.ts";
import type { Gate } from "../around-streams.ts";
import type { Pass, PlantedBug } from "../planting.ts";
import { KeptAgent } from "./kept-agent.ts";

/** The worker says at once of agents that are to leave since it is drained that they have left. They run on, and end when they would have. */
function leavesEarly(): Gate {
  let say: Pass | undefined;
  const said = new Set<string>();
  const nameOf = ({ type, key }: ClaimedAgent) => `${type}/${key}`;
  return {
    out: (bytes, pass) => {
      say = pass;
      const frame = decodeFrame(bytes);
      const isSaid = frame.kind === "left" && frame.agents.every((one) => said.has(nameOf(one)));
      return isSaid || pass(bytes);
    },
    in: (bytes, pass) => {
      const frame = decodeFrame(bytes);
      if (frame.kind === "leave" && frame.reason === "draining" && frame.agents.length > 0 && say !== undefined) {
        for (const agent of frame.agents) said.add(nameOf(agent));
        say(encodeFrame({ kind: "left", agents: frame.agents }));
      }
      pass(bytes);
    },
  };
}

/** Of two calls to a persistent agent that leave one behind the other, the second goes first. */
function swapsCalls(): Gate {
  let held: { readonly agent: string; readonly bytes: Uint8Array } | undefined;
  return {
    out: (bytes, pass) => {
      const frame = decodeFrame(bytes);
      const agent = frame.kind === "request" ? `${frame.target?.type}/${frame.target?.key}` : undefined;
      if (held === undefined && agent?.startsWith("kept-") === true) {
        held = { agent, bytes };
        return true;
      }
      if (held === undefined) return pass(bytes);
      const first = held.bytes;
      const isSame = held.agent === agent;
      held = undefined;
      if (!isSame) pass(first);
      const isWritable = pass(bytes);
      return isSame ? pass(first) : isWritable;
    },
  };
}

class RemindsEarly extends KeptAgent {
  override remindMe<Message>(name: string, _when: When, message: Sendable<Message>): Promise<void> {
    return super.remindMe<Message>(name, { after: 0 }, message);
  }
}

export const plantedLeaveBugs: readonly PlantedBug[] = [
  {
    name: "a worker whose agents are placed elsewhere while they run",
    plant: { atWorker: leavesEarly },
    alwaysLeaves: true,
    caughtBy: ["single"],
  },
  {
    name: "a worker whose agents run on after its drain",
    plant: { atWorker: leavesEarly },
    alwaysLeaves: true,
    caughtBy: ["drains"],
  },
  {
    name: "a host that hands calls to an agent on in another order",
    plant: { atHost: swapsCalls },
    alwaysLeaves: true,
    caughtBy: ["kept order"],
  },
  {
    name: "agents whose reminders come before their time",
    plant: { keptClass: RemindsEarly },
    alwaysLeaves: true,
    caughtBy: ["reminders"],
  },
];
