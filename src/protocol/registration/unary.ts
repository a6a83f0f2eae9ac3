import { create, toBinary } from "@bufbuild/protobuf";
import { assertObject, assertText } from "../../core/internal.ts";
import { ByteWriter, fieldBytes, textFieldBytes } from "../frames/byte-writer.ts";
import { assertPattern } from "../frames/checked-frame.ts";
import type { WireAgentId, WirePattern } from "../frames/frame.ts";
import { fromBinary, fromLongBinary, parsing } from "../frames/from-binary.ts";
import {
  AddSubscriptionRequestSchema,
  AgentIdSchema,
  GetSubscriptionsResponseSchema,
  RegisterAgentTypeRequestSchema,
  RemoveSubscriptionRequestSchema,
  type Subscription,
  SubscriptionSchema,
} from "../gen/agent_worker_pb.ts";
import { fromWirePattern, toWirePattern } from "./wire-pattern.ts";

/** A subscription in unary calls (generations 2 and 3). `pattern` is undefined if no known arm was set. */
export interface WireSubscription {
  readonly id: string;
  readonly pattern: WirePattern | undefined;
  /** Whether it is durable: that goes beside the bytes, as metadata. Default: false. */
  readonly isDurable?: boolean | undefined;
}

/** Bytes of every message without fields: all registration answers, and the request of GetSubscriptions. */
export const emptyMessage: Uint8Array = new Uint8Array(0);

/** Encodes the request of RegisterAgent for one agent type. */
export function encodeRegisterAgentRequest(agentType: string): Uint8Array {
  assertText(agentType, "The agent type to register");
  return toBinary(RegisterAgentTypeRequestSchema, create(RegisterAgentTypeRequestSchema, { type: agentType }));
}

/** Decodes the agent type of a RegisterAgent request. Throws `invalid-message`. */
export function decodeRegisterAgentRequest(bytes: Uint8Array): string {
  return parsing("a RegisterAgent request", () => fromBinary(RegisterAgentTypeRequestSchema, bytes).type);
}

/** Encodes the request of AddSubscription. */
export function encodeAddSubscriptionRequest(subscription: WireSubscription): Uint8Array {
  assertObject(subscription, "A subscription, { id, pattern },");
  assertText(subscription.id, "The id of a subscription");
  assertPattern(subscription.pattern);
  return toBinary(
    AddSubscriptionRequestSchema,
    create(AddSubscriptionRequestSchema, { subscription: toWire(subscription) }),
  );
}

/** Decodes the request of AddSubscription. A missing subscription reads as one with an empty id and no pattern. */
export function decodeAddSubscriptionRequest(bytes: Uint8Array): WireSubscription {
  return parsing("an AddSubscription request", () =>
    fromWire(fromBinary(AddSubscriptionRequestSchema, bytes).subscription),
  );
}

/** Encodes the request of RemoveSubscription for one subscription id. */
export function encodeRemoveSubscriptionRequest(id: string): Uint8Array {
  assertText(id, "The id of a subscription");
  return toBinary(RemoveSubscriptionRequestSchema, create(RemoveSubscriptionRequestSchema, { id }));
}

/** Decodes the subscription id of a RemoveSubscription request. Throws `invalid-message`. */
export function decodeRemoveSubscriptionRequest(bytes: Uint8Array): string {
  return parsing("a RemoveSubscription request", () => fromBinary(RemoveSubscriptionRequestSchema, bytes).id);
}

/** Decodes the answer of GetSubscriptions. Throws `invalid-message`. */
export function decodeGetSubscriptionsResponse(bytes: Uint8Array): readonly WireSubscription[] {
  return parsing("a GetSubscriptions answer", () =>
    fromLongBinary(GetSubscriptionsResponseSchema, bytes).subscriptions.map(fromWire),
  );
}

/** Encodes the request of GetState (generations 1 and 2). */
export function encodeAgentId(id: WireAgentId): Uint8Array {
  return toBinary(AgentIdSchema, create(AgentIdSchema, id));
}

/** Decodes the request of GetState. Throws `invalid-message`. */
export function decodeAgentId(bytes: Uint8Array): WireAgentId {
  return parsing("an agent id", () => {
    const { type, key } = fromBinary(AgentIdSchema, bytes);
    return { type, key };
  });
}

function toWire(subscription: WireSubscription): Subscription {
  return create(SubscriptionSchema, { id: subscription.id, subscription: toWirePattern(subscription.pattern) });
}

function fromWire(subscription: Subscription | undefined): WireSubscription {
  return { id: subscription?.id ?? "", pattern: fromWirePattern(subscription?.subscription) };
}

/**
 * Encodes a GetSubscriptions answer. The encodings of parts of a list may be concatenated: the result is the answer
 * with the whole list. Writes field by field, because a host may hold many subscriptions.
 */
export function encodeGetSubscriptionsResponse(subscriptions: readonly WireSubscription[]): Uint8Array {
  const sizes = subscriptions.map(sizeOf);
  const length = sizes.reduce((sum, { entry }) => sum + fieldBytes(entry), 0);
  const writer = new ByteWriter(length);
  for (const [index, { id, pattern }] of subscriptions.entries()) {
    const size = sizes[index];
    if (size === undefined) continue;
    writer.head(1, size.entry);
    writer.text(1, id);
    if (pattern === undefined) continue;
    writer.head(pattern.kind === "type" ? 2 : 3, size.pattern);
    writer.text(1, topicOf(pattern));
    writer.text(2, pattern.agentType);
  }
  // An answer has no outer message, so the head that the writer puts before the fields is cut off.
  const whole = writer.finishedAs(1);
  return whole.subarray(whole.length - length);
}

/** Returns the bytes of an entry and of the pattern in it, both without their own tag and length. */
function sizeOf({ id, pattern }: WireSubscription): { readonly entry: number; readonly pattern: number } {
  if (pattern === undefined) return { entry: textFieldBytes(id), pattern: 0 };
  const ofPattern = textFieldBytes(topicOf(pattern)) + textFieldBytes(pattern.agentType);
  return { entry: textFieldBytes(id) + fieldBytes(ofPattern), pattern: ofPattern };
}

function topicOf(pattern: WirePattern): string {
  return pattern.kind === "type" ? pattern.topicType : pattern.topicTypePrefix;
}
