import { create, type DescMessage, type MessageShape, toBinary } from "@bufbuild/protobuf";
import { type Any, AnySchema } from "@bufbuild/protobuf/wkt";
import { TroupeError } from "../../core/internal.ts";
import type { WireAgentId } from "../frames/frame.ts";
import { fromBinary } from "../frames/from-binary.ts";
import {
  type AgentId,
  LoadStateRequestSchema,
  LoadStateResponseSchema,
  SaveStateRequestSchema,
  SaveStateResponseSchema,
} from "../gen/agent_worker_pb.ts";
import {
  AgentMetadataRequestSchema,
  AgentMetadataResponseSchema,
  DeactivateAgentRequestSchema,
  DeactivateAgentResponseSchema,
  DestroyAgentRequestSchema,
  DestroyAgentResponseSchema,
} from "../gen/troupe_control_pb.ts";
import { anyPrefix } from "../wire-names.ts";
import type { ControlBody } from "./control-messages.ts";

// protocol.md §1.4
/** Packs the body of an envelope into an `Any`. The full type names must never change. */
export function packControl(body: ControlBody): Any {
  switch (body.kind) {
    case "save-request":
      return pack(SaveStateRequestSchema, create(SaveStateRequestSchema, withAgentId(body.agentId)));
    case "load-request": {
      const fields = { ...withAgentId(body.agentId), state: body.state };
      return pack(LoadStateRequestSchema, create(LoadStateRequestSchema, fields));
    }
    case "save-response": {
      const fields = { state: body.state, ...withError(body.error) };
      return pack(SaveStateResponseSchema, create(SaveStateResponseSchema, fields));
    }
    case "load-response":
      return pack(LoadStateResponseSchema, create(LoadStateResponseSchema, withError(body.error)));
    case "metadata-request": {
      const fields = { ...withAgentId(body.agentId), onlyIfServed: body.onlyIfServed };
      return pack(AgentMetadataRequestSchema, create(AgentMetadataRequestSchema, fields));
    }
    case "metadata-response": {
      const { type, key, description, error, messages = "" } = body;
      const fields = { type, key, description, messages, ...withError(error) };
      return pack(AgentMetadataResponseSchema, create(AgentMetadataResponseSchema, fields));
    }
    case "deactivate-request":
      return pack(DeactivateAgentRequestSchema, create(DeactivateAgentRequestSchema, withAgentId(body.agentId)));
    case "deactivate-response":
      return pack(DeactivateAgentResponseSchema, create(DeactivateAgentResponseSchema, withError(body.error)));
    case "destroy-request":
      return pack(DestroyAgentRequestSchema, create(DestroyAgentRequestSchema, withAgentId(body.agentId)));
    case "destroy-response":
      return pack(DestroyAgentResponseSchema, create(DestroyAgentResponseSchema, withError(body.error)));
    case "unknown":
      throw new TroupeError("invalid-message", `A control message of type ${body.typeUrl} can't be written.`);
  }
}

/** Unpacks the body. An unknown type, or bytes that cannot be parsed, give kind `unknown`. */
export function unpackControl(any: Any): ControlBody {
  try {
    return unpackKnown(any) ?? { kind: "unknown", typeUrl: any.typeUrl };
  } catch {
    return { kind: "unknown", typeUrl: any.typeUrl };
  }
}

function unpackKnown({ typeUrl, value }: Any): ControlBody | undefined {
  switch (typeUrl.slice(typeUrl.lastIndexOf("/") + 1)) {
    case SaveStateRequestSchema.typeName:
      return { kind: "save-request", agentId: wireId(fromBinary(SaveStateRequestSchema, value).agentId) };
    case LoadStateRequestSchema.typeName: {
      const { agentId, state } = fromBinary(LoadStateRequestSchema, value);
      return { kind: "load-request", agentId: wireId(agentId), state };
    }
    case SaveStateResponseSchema.typeName: {
      const { state, error } = fromBinary(SaveStateResponseSchema, value);
      return { kind: "save-response", state, error };
    }
    case LoadStateResponseSchema.typeName:
      return { kind: "load-response", error: fromBinary(LoadStateResponseSchema, value).error };
    case AgentMetadataRequestSchema.typeName: {
      const { agentId, onlyIfServed } = fromBinary(AgentMetadataRequestSchema, value);
      return { kind: "metadata-request", agentId: wireId(agentId), onlyIfServed };
    }
    case AgentMetadataResponseSchema.typeName: {
      const { type, key, description, error, messages } = fromBinary(AgentMetadataResponseSchema, value);
      return { kind: "metadata-response", type, key, description, error, ...(messages !== "" && { messages }) };
    }
    case DeactivateAgentRequestSchema.typeName:
      return { kind: "deactivate-request", agentId: wireId(fromBinary(DeactivateAgentRequestSchema, value).agentId) };
    case DeactivateAgentResponseSchema.typeName:
      return { kind: "deactivate-response", error: fromBinary(DeactivateAgentResponseSchema, value).error };
    case DestroyAgentRequestSchema.typeName:
      return { kind: "destroy-request", agentId: wireId(fromBinary(DestroyAgentRequestSchema, value).agentId) };
    case DestroyAgentResponseSchema.typeName:
      return { kind: "destroy-response", error: fromBinary(DestroyAgentResponseSchema, value).error };
    default:
      return undefined;
  }
}

function pack<Desc extends DescMessage>(schema: Desc, message: MessageShape<Desc>): Any {
  return create(AnySchema, { typeUrl: anyPrefix + schema.typeName, value: toBinary(schema, message) });
}

function withAgentId(id: WireAgentId | undefined) {
  return id === undefined ? {} : { agentId: { $typeName: "agents.AgentId", ...id } as const };
}

function withError(error: string | undefined) {
  return error === undefined ? {} : { error };
}

function wireId(id: AgentId | undefined): WireAgentId | undefined {
  return id === undefined ? undefined : { type: id.type, key: id.key };
}
