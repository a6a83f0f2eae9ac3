import { create, toBinary } from "@bufbuild/protobuf";
import { AnySchema } from "@bufbuild/protobuf/wkt";
import { bareContentType, jsonContentType, protobufContentType } from "../../core/internal.ts";
import {
  type CloudEvent_CloudEventAttributeValue as AttributeValue,
  CloudEvent_CloudEventAttributeValueSchema as AttributeValueSchema,
  type CloudEvent,
  CloudEventSchema,
} from "../gen/cloudevents_pb.ts";
import { attribute, eventSpecVersion, publishKind, unknownSender } from "../wire-names.ts";
import type { WireAgentId, WireEvent, WirePayload } from "./frame.ts";
import { fromBinary } from "./from-binary.ts";

// protocol.md §3.1
/**
 * Encodes an event so that every known peer can read it: always five attributes, JSON in `binary_data`, protobuf in
 * `proto_data`.
 */
export function toWireCloudEvent(event: WireEvent): CloudEvent {
  const { payload, sender } = event;
  const attributes: { [name: string]: AttributeValue } = {};
  for (const [name, value] of Object.entries(event.attributes)) attributes[name] = text(value);
  attributes[attribute.contentType] = text(payload.contentType);
  attributes[attribute.schema] = text(payload.typeName);
  attributes[attribute.senderType] = text(sender?.type ?? unknownSender);
  attributes[attribute.senderKey] = text(sender?.key ?? unknownSender);
  attributes[attribute.kind] = text(publishKind);
  return create(CloudEventSchema, {
    id: event.id,
    source: event.topicSource,
    specVersion: eventSpecVersion,
    type: event.topicType,
    attributes,
    data: toWireData(payload),
  });
}

function toWireData(payload: WirePayload): CloudEvent["data"] {
  return bareContentType(payload.contentType) === protobufContentType
    ? { case: "protoData", value: fromBinary(AnySchema, payload.data) }
    : { case: "binaryData", value: payload.data };
}

function text(value: string): AttributeValue {
  return create(AttributeValueSchema, { attr: { case: "ceString", value } });
}

// protocol.md §3.1
/**
 * Decodes an event as Python, .NET and other peers write it. JSON may be in either data arm. `spec_version`, sender,
 * attribute values and a content type that the data arm implies may be missing. Keeps the sender `unknown/unknown`.
 */
export function fromWireCloudEvent(event: CloudEvent): WireEvent {
  const attributes = new EventAttributes();
  for (const [name, value] of Object.entries(event.attributes)) attributes.set(name, attributeText(value));
  return wireEvent(event.id, event.type, event.source, attributes, fromWireData(event.data));
}

/** Content of an event's data arm, and the content type that the arm implies if the event names none. */
export interface EventData {
  readonly bytes: Uint8Array;
  readonly impliedContentType: string;
}

/**
 * Attributes of an event while it is read: those with a meaning in the protocol, and the others. Of a repeated name the
 * last value counts.
 */
export class EventAttributes {
  senderType: string | undefined;
  senderKey: string | undefined;
  schema: string | undefined;
  contentType: string | undefined;
  readonly others: { [name: string]: string } = {};

  // protocol.md W22
  /** `value` is undefined if it is not text. */
  set(name: string, value: string | undefined): void {
    switch (name) {
      case attribute.kind:
        return;
      case attribute.senderType:
        this.senderType = value;
        return;
      case attribute.senderKey:
        this.senderKey = value;
        return;
      case attribute.schema:
        this.schema = value;
        return;
      case attribute.contentType:
        this.contentType = value;
        return;
      default:
        if (value === undefined) delete this.others[name];
        else this.others[name] = value;
    }
  }
}

/** Creates an event from its parts on the wire, for both decoders. */
export function wireEvent(
  id: string,
  topicType: string,
  topicSource: string,
  attributes: EventAttributes,
  data: EventData,
): WireEvent {
  const { senderType, senderKey, schema: typeName = "", contentType = data.impliedContentType, others } = attributes;
  const sender: WireAgentId | undefined =
    senderType === undefined || senderKey === undefined ? undefined : { type: senderType, key: senderKey };
  return {
    id,
    topicType,
    topicSource,
    sender,
    payload: { typeName, contentType, data: data.bytes },
    attributes: others,
  };
}

// protocol.md W22
/** Returns an attribute as text; undefined for one without a value or without a text form. */
function attributeText({ attr }: AttributeValue): string | undefined {
  switch (attr.case) {
    case "ceString":
    case "ceUri":
    case "ceUriRef":
      return attr.value;
    case "ceBoolean":
    case "ceInteger":
      return String(attr.value);
    case "ceBytes":
    case "ceTimestamp":
    case undefined:
      return undefined;
  }
}

export const noEventData: EventData = { bytes: new Uint8Array(0), impliedContentType: "" };

function fromWireData(data: CloudEvent["data"]): EventData {
  switch (data.case) {
    case "binaryData":
      return { bytes: data.value, impliedContentType: "" };
    case "textData":
      return { bytes: new TextEncoder().encode(data.value), impliedContentType: jsonContentType };
    case "protoData":
      return { bytes: toBinary(AnySchema, data.value), impliedContentType: protobufContentType };
    case undefined:
      return noEventData;
  }
}
