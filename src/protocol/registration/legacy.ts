import { create } from "@bufbuild/protobuf";
import type { LegacyFrame } from "../frames/frame.ts";
import { ChannelSubscriptionSchema, type Message } from "../gen/agent_worker_pb.ts";
import { fromWirePattern, toWirePattern } from "./wire-pattern.ts";

type LegacyArm = Exclude<Message["message"], { case: "request" | "response" | "cloudEvent" | undefined }>;

export function toWireLegacy(frame: LegacyFrame): LegacyArm {
  const { requestId } = frame;
  switch (frame.kind) {
    case "register-type":
      return {
        case: "registerAgentTypeRequest",
        value: { $typeName: "agents.ChannelRegisterRequest", requestId, type: frame.agentType },
      };
    case "subscribe": {
      const subscription = create(ChannelSubscriptionSchema, { subscription: toWirePattern(frame.pattern) });
      const value = { $typeName: "agents.ChannelSubscribeRequest", requestId } as const;
      return {
        case: "addSubscriptionRequest",
        value: frame.pattern === undefined ? value : { ...value, subscription },
      };
    }
    case "ack": {
      const value = {
        $typeName: "agents.ChannelAck",
        requestId,
        success: frame.success,
        ...(frame.error === undefined ? {} : { error: frame.error }),
      } as const;
      return frame.of === "register-type"
        ? { case: "registerAgentTypeResponse", value }
        : { case: "addSubscriptionResponse", value };
    }
  }
}

export function fromWireLegacy(arm: LegacyArm): LegacyFrame {
  const { requestId } = arm.value;
  switch (arm.case) {
    case "registerAgentTypeRequest":
      return { kind: "register-type", requestId, agentType: arm.value.type };
    case "addSubscriptionRequest":
      return { kind: "subscribe", requestId, pattern: fromWirePattern(arm.value.subscription?.subscription) };
    case "registerAgentTypeResponse":
    case "addSubscriptionResponse":
      return {
        kind: "ack",
        of: arm.case === "registerAgentTypeResponse" ? "register-type" : "subscribe",
        requestId,
        success: arm.value.success,
        error: arm.value.error,
      };
  }
}
