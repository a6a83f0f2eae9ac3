import type { DescMessage, MessageShape } from "@bufbuild/protobuf";
import { create, isMessage, toJson } from "@bufbuild/protobuf";
import { StringValueSchema, StructSchema } from "@bufbuild/protobuf/wkt";
import { defineMessage, type MessageType, UnknownPayload, unknownPayloadMessage } from "troupe";
import { protobufMessage } from "troupe/protobuf";
import { z } from "zod";
import { messageTypeText } from "../../../src/core/internal.ts";
import type { Generation } from "./generations.ts";
import type { ShownMessage } from "./peer-protocol.ts";

/** The twins of tests/interop/python/messages.py. */
export const MyMessage = defineMessage("MyMessage", z.object({ content: z.string() }));
export const Hop = defineMessage("Hop", z.object({ remaining: z.int(), path: z.string() }));
export const Numbers = defineMessage(
  "Numbers",
  z.object({ whole: z.int(), real: z.number(), truth: z.boolean(), words: z.array(z.string()) }),
);
const Part = z.object({ name: z.string(), amount: z.number().nullable().default(null) });
export const PydanticMessage = defineMessage(
  "PydanticMessage",
  z.object({
    content: z.string(),
    count: z.int().default(0),
    note: z.string().nullable().default(null),
    parts: z.array(Part).default([]),
  }),
);
export const StringValue = protobufMessage(StringValueSchema);
export const Struct = protobufMessage(StructSchema);
export { unknownPayloadMessage };

const shortNamed: readonly MessageType[] = [shortened(StringValueSchema), shortened(StructSchema)];

/** The protobuf types under the names that workers of a generation know; TypeScript's own are the full ones. */
export function protobufTypes(generation: Generation | undefined): readonly MessageType[] {
  return generation === undefined || generation.number === 3 ? [StringValue, Struct] : shortNamed;
}

function shortened<Desc extends DescMessage>(schema: Desc): MessageType<MessageShape<Desc>> {
  return protobufMessage(schema, { typeName: schema.name });
}

export function stringValue(value: string) {
  return create(StringValueSchema, { value });
}

/** As the Python peers show a message: its type's name and its fields, or its canonical JSON if it is protobuf. */
export function describeMessage(message: unknown): ShownMessage {
  if (message === undefined) return { type: "NoneType", message: null };
  if (message instanceof UnknownPayload) {
    const { typeName, dataContentType, payload } = message;
    return { type: "UnknownPayload", message: { typeName, dataContentType, bytes: payload.length } };
  }
  if (isMessage(message, StringValueSchema)) {
    return { type: message.$typeName, message: toJson(StringValueSchema, message) };
  }
  if (isMessage(message, StructSchema)) return { type: message.$typeName, message: toJson(StructSchema, message) };
  return { type: messageTypeText(message), message: { ...(message as object) } };
}
