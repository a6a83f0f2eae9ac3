import { create } from "@bufbuild/protobuf";
import {
  AskLeaveSchema,
  type ChannelSignal,
  ClaimedAgentSchema,
  LeaveAgentsSchema,
  LeftAgentsSchema,
  ReturnedMessageSchema,
  StayingAgentsSchema,
  type ClaimedAgent as WireClaimedAgent,
} from "../gen/troupe/v1/channel_signal_pb.ts";
import type { ClaimedAgent, LeaveReason, LeavingNotice, ReturnReason } from "./frame.ts";
import { fromWireEpoch, toWireEpoch } from "./wire-epoch.ts";

// protocol.md §11.17
/** The most agents that one notice may name. */
export const mostAgentsOfNotice = 1_000;

const leaveReasons: readonly LeaveReason[] = ["idle", "capacity", "asked", "failed", "stale", "draining"];
const returnReasons: readonly ReturnReason[] = ["leaving", "conflict", "unfit", "too-old", "no-lease"];

type WireNotice = ChannelSignal["signal"];

export function toWireLeaving(frame: LeavingNotice): WireNotice {
  switch (frame.kind) {
    case "leave": {
      const { reason, graceMs } = frame;
      return {
        case: "leave",
        value: create(LeaveAgentsSchema, { agents: toWireAgents(frame.agents), reason, graceMs }),
      };
    }
    case "ask-leave": {
      const { reason } = frame;
      return { case: "askLeave", value: create(AskLeaveSchema, { agents: toWireAgents(frame.agents), reason }) };
    }
    case "returned": {
      const { reason, message } = frame;
      const value = create(ReturnedMessageSchema, { agents: toWireAgents(frame.agents), reason, message });
      return { case: "returned", value };
    }
    case "left":
      return { case: "left", value: create(LeftAgentsSchema, { agents: toWireAgents(frame.agents) }) };
    case "stay":
      return { case: "stay", value: create(StayingAgentsSchema, { agents: toWireAgents(frame.agents) }) };
    case "leaving-worker":
      return { case: "leavingWorker", value: { $typeName: "troupe.v1.LeavingWorker", graceMs: frame.graceMs } };
    case "drain":
      return { case: "drain", value: { $typeName: "troupe.v1.DrainWorker", graceMs: frame.graceMs } };
  }
}

/** Undefined: it is another notice, or one that names too many agents. Throws `Error` for an epoch that can't be read. */
export function fromWireLeaving(signal: WireNotice): LeavingNotice | undefined {
  switch (signal.case) {
    case "leave": {
      const { agents, reason, graceMs } = signal.value;
      if (agents.length > mostAgentsOfNotice) return undefined;
      return { kind: "leave", agents: fromWireAgents(agents), reason: leaveReason(reason), graceMs };
    }
    case "askLeave": {
      const { agents, reason } = signal.value;
      if (agents.length > mostAgentsOfNotice) return undefined;
      return { kind: "ask-leave", agents: fromWireAgents(agents), reason: leaveReason(reason) };
    }
    case "returned": {
      const { agents, reason, message } = signal.value;
      if (agents.length > mostAgentsOfNotice) return undefined;
      return { kind: "returned", agents: fromWireAgents(agents), reason: returnReason(reason), message };
    }
    case "left":
    case "stay": {
      const { agents } = signal.value;
      return agents.length > mostAgentsOfNotice ? undefined : { kind: signal.case, agents: fromWireAgents(agents) };
    }
    case "leavingWorker":
      return { kind: "leaving-worker", graceMs: signal.value.graceMs };
    case "drain":
      return { kind: "drain", graceMs: signal.value.graceMs };
    default:
      return undefined;
  }
}

export function toWireAgents(agents: readonly ClaimedAgent[]): WireClaimedAgent[] {
  return agents.map(({ type, key, epoch }) => create(ClaimedAgentSchema, { type, key, epoch: toWireEpoch(epoch) }));
}

export function fromWireAgents(agents: readonly WireClaimedAgent[]): readonly ClaimedAgent[] {
  return agents.map(({ type, key, epoch }) => ({ type, key, epoch: fromWireEpoch(epoch) ?? noEpoch }));
}

/** No claim has it. */
const noEpoch = { generation: 0, era: 0, number: 0 } as const;

function leaveReason(text: string): LeaveReason {
  return leaveReasons.find((known) => known === text) ?? "asked";
}

function returnReason(text: string): ReturnReason {
  return returnReasons.find((known) => known === text) ?? "leaving";
}
