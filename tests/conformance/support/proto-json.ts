import {
  create,
  createFileRegistry,
  createRegistry,
  type DescMessage,
  fromBinary,
  type JsonValue,
  type Message,
  toBinary,
  toJson,
} from "@bufbuild/protobuf";
import {
  FieldDescriptorProto_Label,
  FieldDescriptorProto_Type,
  FileDescriptorProtoSchema,
  file_google_protobuf_any,
  file_google_protobuf_wrappers,
} from "@bufbuild/protobuf/wkt";
import { file_agent_worker } from "../../../src/protocol/gen/agent_worker_pb.ts";
import { file_cloudevents } from "../../../src/protocol/gen/cloudevents_pb.ts";

/** The one-field message that the captured protobuf worker published; it is of AutoGen's tests, not of the wire. */
const captured = createFileRegistry(
  create(FileDescriptorProtoSchema, {
    name: "captured.proto",
    syntax: "proto3",
    package: "agents",
    messageType: [
      {
        name: "ProtoMessage",
        field: [
          {
            name: "message",
            jsonName: "message",
            number: 1,
            type: FieldDescriptorProto_Type.STRING,
            label: FieldDescriptorProto_Label.OPTIONAL,
          },
        ],
      },
    ],
  }),
  () => undefined,
);

const registry = createRegistry(
  file_agent_worker,
  file_cloudevents,
  file_google_protobuf_any,
  file_google_protobuf_wrappers,
  captured,
);

/** The generated schema of a message of the superset proto, of a well-known type, or of `agents.ProtoMessage`. */
export function schemaOf(fullName: string): DescMessage {
  const schema = registry.getMessage(fullName);
  if (schema === undefined) throw new Error(`no generated code knows ${fullName}`);
  return schema;
}

/** What the generated code reads from bytes, as protobuf JSON under the names of the proto. */
export function readJson(fullName: string, bytes: Uint8Array): JsonValue {
  return toJson(schemaOf(fullName), decodeGenerated(fullName, bytes), { registry, useProtoFieldName: true });
}

/** The bytes that the generated code writes for what it has read. */
export function reencoded(fullName: string, bytes: Uint8Array): Uint8Array {
  return toBinary(schemaOf(fullName), decodeGenerated(fullName, bytes));
}

function decodeGenerated(fullName: string, bytes: Uint8Array): Message {
  return fromBinary(schemaOf(fullName), bytes);
}
