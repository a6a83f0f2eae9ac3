import { Buffer } from "node:buffer";
import { create, toBinary } from "@bufbuild/protobuf";
import { type Epoch, type ErrorCode, errorText, isValidAgentType, TroupeError } from "../../core/internal.ts";
import type { WireAgentId } from "../frames/frame.ts";
import { fromBinary, parsing } from "../frames/from-binary.ts";
import { fromWireEpoch, toWireEpoch } from "../frames/wire-epoch.ts";
import { ControlMessageSchema } from "../gen/agent_worker_pb.ts";
import { ControlSignalSchema } from "../gen/troupe/v1/channel_signal_pb.ts";
import { packControl, unpackControl } from "./control-body.ts";

// protocol.md §1.2, §1.8
/** A request on the control channel. The kinds but `save-request` and `load-request` are Troupe's own. */
export type ControlRequest =
  | { readonly kind: "save-request"; readonly agentId: WireAgentId | undefined }
  /** `state` is the agent's state as JSON text. */
  | { readonly kind: "load-request"; readonly agentId: WireAgentId | undefined; readonly state: string }
  | {
      readonly kind: "metadata-request";
      readonly agentId: WireAgentId | undefined;
      /** Asks only whether the worker serves the type: it creates no agent and leaves the description empty. */
      readonly onlyIfServed: boolean;
    }
  | { readonly kind: "deactivate-request"; readonly agentId: WireAgentId | undefined }
  | { readonly kind: "destroy-request"; readonly agentId: WireAgentId | undefined };

/** An answer on the control channel. The kinds but `save-response` and `load-response` are Troupe's own. */
export type ControlAnswer =
  | { readonly kind: "save-response"; readonly state: string; readonly error: string | undefined }
  | { readonly kind: "load-response"; readonly error: string | undefined }
  | {
      readonly kind: "metadata-response";
      readonly type: string;
      readonly key: string;
      readonly description: string;
      readonly error: string | undefined;
      /** The message types that agents of the type take, as `readToldMessages` reads them. Undefined: the worker does not tell them. */
      readonly messages?: string | undefined;
    }
  | { readonly kind: "deactivate-response"; readonly error: string | undefined }
  | { readonly kind: "destroy-response"; readonly error: string | undefined };

/** Body of an envelope on the control channel. */
export type ControlBody =
  | ControlRequest
  | ControlAnswer
  /** An `Any` of an unknown type, or one whose bytes cannot be parsed. */
  | { readonly kind: "unknown"; readonly typeUrl: string };

/** One message of the control channel. */
export interface ControlEnvelope {
  readonly rpcId: string;
  /** `agentid=<type>/<key>` or `clientid=<client id>`. */
  readonly destination: string;
  /** In a request: where the answer goes, in the same forms. In an answer: present and empty. */
  readonly respondTo: string | undefined;
  /** Undefined: no `Any` was set. */
  readonly body: ControlBody | undefined;
  // protocol.md §11.17
  /** In a request that the host passes on: the epoch of the claim of its agent, if the agent's type is shared. */
  readonly epoch?: Epoch | undefined;
}

/** Encodes an envelope. Throws for kind `unknown`. */
export function encodeControl({ rpcId, destination, respondTo, body, epoch }: ControlEnvelope): Uint8Array {
  const message = create(ControlMessageSchema, { rpcId, destination });
  if (respondTo !== undefined) message.respondTo = respondTo;
  if (body !== undefined) message.rpcMessage = packControl(body);
  const bytes = toBinary(ControlMessageSchema, message);
  return epoch === undefined ? bytes : withControlEpoch(bytes, epoch);
}

// protocol.md §11.17
/** Returns an encoded envelope that names the epoch of its agent's claim, instead of one that its sender may have written. */
export function withControlEpoch(envelope: Uint8Array, epoch: Epoch): Uint8Array {
  const field = toBinary(ControlSignalSchema, create(ControlSignalSchema, { epoch: toWireEpoch(epoch) }));
  return Buffer.concat([envelope, zeroEpoch, field]);
}

/**
 * Field 1000 with an epoch of zeros. A repeated message is merged. Without it, an epoch of the sender's would show where a number of the
 * host's is 0 and not written.
 */
const zeroEpoch = Uint8Array.of(0xc2, 0x3e, 6, 0x08, 0, 0x10, 0, 0x18, 0);
const epochField = 1_000;

/** Decodes an envelope. Throws `invalid-message` for bytes that are not a control message. */
export function decodeControl(bytes: Uint8Array): ControlEnvelope {
  return parsing("a control message", () => {
    const { rpcId, destination, respondTo, rpcMessage, $unknown } = fromBinary(ControlMessageSchema, bytes);
    const body = rpcMessage === undefined ? undefined : unpackControl(rpcMessage);
    const hasEpoch = $unknown?.some(({ no }) => no === epochField) === true;
    const epoch = hasEpoch ? fromWireEpoch(fromBinary(ControlSignalSchema, bytes).epoch) : undefined;
    return { rpcId, destination, respondTo, body, epoch };
  });
}

const requestKinds: ReadonlySet<ControlBody["kind"]> = new Set([
  "save-request",
  "load-request",
  "metadata-request",
  "deactivate-request",
  "destroy-request",
]);

/** Whether a body is a request. */
export function isControlRequest(body: ControlBody | undefined): body is ControlRequest {
  return body !== undefined && requestKinds.has(body.kind);
}

// protocol.md §1.8
/** Creates the answer of the matching kind for a failed request. */
export function controlFailure(request: ControlRequest, error: string): ControlAnswer {
  switch (request.kind) {
    case "save-request":
      return { kind: "save-response", state: "", error };
    case "load-request":
      return { kind: "load-response", error };
    case "metadata-request":
      return { kind: "metadata-response", type: "", key: "", description: "", error };
    case "deactivate-request":
      return { kind: "deactivate-response", error };
    case "destroy-request":
      return { kind: "destroy-response", error };
  }
}

/**
 * Codes that the text of a failed request names. Most say what became of a persistent agent's state. `shutting-down` says that the agent
 * leaves its worker, and `overloaded` that the host has no space for the request; nothing has happened.
 */
const namedCodes: ReadonlySet<ErrorCode> = new Set([
  "invalid-state",
  "overloaded",
  "shutting-down",
  "state-conflict",
  "state-too-large",
  "state-too-new",
  "state-unavailable",
  "state-unknown",
  "state-unreadable",
]);

// protocol.md §1.8
/** Formats why a request has failed. The code of some errors goes before the text: `state-too-new: The state of …`. */
export function formatControlError(error: unknown): string {
  const text = errorText(error);
  return error instanceof TroupeError && namedCodes.has(error.code) ? `${error.code}: ${text}` : text;
}

/** Reads what `formatControlError` has written. `code` undefined: the text names none. */
export function parseControlError(error: string): { readonly code: ErrorCode | undefined; readonly text: string } {
  const colon = error.indexOf(": ");
  const code = [...namedCodes].find((name) => name === error.slice(0, colon));
  return { code, text: code === undefined ? error : error.slice(colon + 2) };
}

/** Creates the envelope that answers a request: the same `rpcId`, sent to `respondTo`, with an empty `respondTo`. */
export function controlReply(request: ControlEnvelope, body: ControlAnswer): ControlEnvelope {
  return { rpcId: request.rpcId, destination: request.respondTo ?? "", respondTo: "", body };
}

/** Formats the destination of an agent: `agentid=<type>/<key>`. */
export function agentDestination(id: WireAgentId): string {
  return `agentid=${id.type}/${id.key}`;
}

/** Formats the destination of a client: `clientid=<client id>`. */
export function clientDestination(clientId: string): string {
  return `clientid=${clientId}`;
}

// protocol.md §1.8
/** Destination of an envelope on the control channel. */
export type ControlDestination =
  | { readonly kind: "agent"; readonly type: string; readonly key: string }
  | { readonly kind: "client"; readonly clientId: string };

/** Parses `agentid=<type>/<key>` or `clientid=<client id>`; undefined for other texts and for an invalid agent type. */
export function parseControlDestination(text: string): ControlDestination | undefined {
  if (text.startsWith("agentid=")) {
    const slash = text.indexOf("/");
    if (slash < 0) return undefined;
    const type = text.slice("agentid=".length, slash);
    return isValidAgentType(type) ? { kind: "agent", type, key: text.slice(slash + 1) } : undefined;
  }
  if (!text.startsWith("clientid=")) return undefined;
  const clientId = text.slice("clientid=".length);
  return clientId === "" ? undefined : { kind: "client", clientId };
}
