import { create, toBinary } from "@bufbuild/protobuf";
import { AnySchema } from "@bufbuild/protobuf/wkt";
import type { WireAgentId } from "../frames/frame.ts";
import { fromBinary, parsing } from "../frames/from-binary.ts";
import {
  type AgentState,
  AgentStateSchema,
  GetStateResponseSchema,
  StoreStateResponseSchema,
} from "../gen/agent_worker_pb.ts";

// protocol.md §1.7
/** Content of one entry in the host's state store (generations 1 and 2). */
export type StoredData =
  | { readonly kind: "binary"; readonly bytes: Uint8Array }
  | { readonly kind: "text"; readonly text: string }
  /** The bytes of a `google.protobuf.Any`. */
  | { readonly kind: "proto"; readonly any: Uint8Array };

/** State of one agent, as a worker hands it to the host. An empty `eTag` saves whatever is stored. */
export interface StoredState {
  readonly agentId: WireAgentId | undefined;
  readonly eTag: string;
  readonly data: StoredData | undefined;
}

/** Answer of the host to GetState. Without `success` it has an `error`. */
export interface GetStateAnswer {
  readonly state: StoredState | undefined;
  readonly success: boolean;
  readonly error: string | undefined;
}

/** Answer of the host to SaveState. Without `success` it has an `error`. */
export interface SaveStateAnswer {
  readonly success: boolean;
  readonly error: string | undefined;
}

/** Encodes the request of SaveState. */
export function encodeStoredState(state: StoredState): Uint8Array {
  return toBinary(AgentStateSchema, toWire(state));
}

/** Decodes the request of SaveState. Throws `invalid-message`. */
export function decodeStoredState(bytes: Uint8Array): StoredState {
  return parsing("an agent state", () => fromWire(fromBinary(AgentStateSchema, bytes)));
}

/** Encodes the answer of GetState. */
export function encodeGetStateAnswer(answer: GetStateAnswer): Uint8Array {
  const message = create(GetStateResponseSchema, { success: answer.success });
  if (answer.state !== undefined) message.agentState = toWire(answer.state);
  if (answer.error !== undefined) message.error = answer.error;
  return toBinary(GetStateResponseSchema, message);
}

/** Decodes the answer of GetState. Throws `invalid-message`. */
export function decodeGetStateAnswer(bytes: Uint8Array): GetStateAnswer {
  return parsing("a GetState answer", () => {
    const { agentState, success, error } = fromBinary(GetStateResponseSchema, bytes);
    return { state: agentState === undefined ? undefined : fromWire(agentState), success, error };
  });
}

// protocol.md §1.3
/** Encodes the answer of SaveState in generation 1's shape; generation 2 ignores its fields. */
export function encodeSaveStateAnswer(answer: SaveStateAnswer): Uint8Array {
  const message = create(StoreStateResponseSchema, { success: answer.success });
  if (answer.error !== undefined) message.error = answer.error;
  return toBinary(StoreStateResponseSchema, message);
}

/** Decodes the answer of SaveState. Throws `invalid-message`. */
export function decodeSaveStateAnswer(bytes: Uint8Array): SaveStateAnswer {
  return parsing("a SaveState answer", () => {
    const { success, error } = fromBinary(StoreStateResponseSchema, bytes);
    return { success, error };
  });
}

function toWire(state: StoredState): AgentState {
  const message = create(AgentStateSchema, { eTag: state.eTag, data: toWireData(state.data) });
  if (state.agentId !== undefined) message.agentId = { $typeName: "agents.AgentId", ...state.agentId };
  return message;
}

function toWireData(data: StoredData | undefined): AgentState["data"] {
  switch (data?.kind) {
    case "binary":
      return { case: "binaryData", value: data.bytes };
    case "text":
      return { case: "textData", value: data.text };
    case "proto":
      return { case: "protoData", value: fromBinary(AnySchema, data.any) };
    case undefined:
      return { case: undefined };
  }
}

function fromWire({ agentId, eTag, data }: AgentState): StoredState {
  return {
    agentId: agentId === undefined ? undefined : { type: agentId.type, key: agentId.key },
    eTag,
    data: fromWireData(data),
  };
}

function fromWireData(data: AgentState["data"]): StoredData | undefined {
  switch (data.case) {
    case "binaryData":
      return { kind: "binary", bytes: data.value };
    case "textData":
      return { kind: "text", text: data.value };
    case "protoData":
      return { kind: "proto", any: toBinary(AnySchema, data.value) };
    case undefined:
      return undefined;
  }
}
