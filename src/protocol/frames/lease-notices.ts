import { create } from "@bufbuild/protobuf";
import {
  type ChannelSignal,
  HeldAgentsSchema,
  HostAddressesSchema,
  LastMessageSchema,
  MovingWorkerSchema,
  VoidWorkerSchema,
} from "../gen/troupe/v1/channel_signal_pb.ts";
import type { LeaseNotice } from "./frame.ts";
import { fromWireAgents, mostAgentsOfNotice, toWireAgents } from "./leaving-notices.ts";

// protocol.md §11.19
/** The most addresses of hosts that one notice may name, and the longest of them in characters. */
export const mostAddressesOfNotice = 64;
export const mostAddressChars = 512;

type WireNotice = ChannelSignal["signal"];

export function toWireLease(frame: LeaseNotice): WireNotice {
  switch (frame.kind) {
    case "holds":
      return { case: "holds", value: create(HeldAgentsSchema, { agents: toWireAgents(frame.agents) }) };
    case "void":
      return { case: "void", value: create(VoidWorkerSchema) };
    case "hosts":
      return { case: "hosts", value: create(HostAddressesSchema, { addresses: [...frame.addresses] }) };
    case "moving":
      return { case: "moving", value: create(MovingWorkerSchema) };
    case "last":
      return { case: "last", value: create(LastMessageSchema) };
  }
}

/** Undefined: it is another notice, or one that names too much. Throws `Error` for an epoch that can't be read. */
export function fromWireLease(signal: WireNotice): LeaseNotice | undefined {
  switch (signal.case) {
    case "holds": {
      const { agents } = signal.value;
      return agents.length > mostAgentsOfNotice ? undefined : { kind: "holds", agents: fromWireAgents(agents) };
    }
    case "hosts": {
      const { addresses } = signal.value;
      return areShort(addresses) ? { kind: "hosts", addresses } : undefined;
    }
    case "void":
    case "moving":
    case "last":
      return { kind: signal.case };
    default:
      return undefined;
  }
}

/** Whether a notice may name these addresses. */
export function areShort(addresses: readonly string[]): boolean {
  return addresses.length <= mostAddressesOfNotice && addresses.every(({ length }) => length <= mostAddressChars);
}
