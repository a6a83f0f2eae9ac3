import { create, type DescFile, type DescService, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
import { fromBinary, parsing } from "../frames/from-binary.ts";
import { AgentRpc } from "../gen/agent_worker_pb.ts";
import { Health } from "../gen/grpc/health/v1/health_pb.ts";
import {
  ServerReflection,
  type ServerReflectionRequest,
  ServerReflectionRequestSchema,
  ServerReflectionResponseSchema,
} from "../gen/grpc/reflection/v1/reflection_pb.ts";
import { ServerReflection as AlphaReflection } from "../gen/grpc/reflection/v1alpha/reflection_pb.ts";

/** Names of gRPC's reflection services. Both have the same messages. */
export const reflection = {
  serviceNames: [ServerReflection.typeName, AlphaReflection.typeName],
  method: "ServerReflectionInfo",
} as const;

const services: readonly DescService[] = [AgentRpc, Health, ServerReflection, AlphaReflection];
// gRPC's numbers of these statuses.
const notFound = 5;
const unimplemented = 12;

type Answer = NonNullable<MessageInitShape<typeof ServerReflectionResponseSchema>["messageResponse"]>;

/** Answers one request of server reflection about the services of a host. Throws `invalid-message`. */
export function answerReflection(bytes: Uint8Array): Uint8Array {
  const request = parsing("a reflection request", () => fromBinary(ServerReflectionRequestSchema, bytes));
  const messageResponse = answerOf(request.messageRequest);
  const response = { validHost: request.host, originalRequest: request, messageResponse };
  return toBinary(ServerReflectionResponseSchema, create(ServerReflectionResponseSchema, response));
}

function answerOf(request: ServerReflectionRequest["messageRequest"]): Answer {
  switch (request.case) {
    case "listServices":
      return { case: "listServicesResponse", value: { service: services.map(({ typeName }) => ({ name: typeName })) } };
    case "fileByFilename":
      return filesAnswer(files().find(({ proto }) => proto.name === request.value));
    case "fileContainingSymbol":
      return filesAnswer(fileOf(request.value));
    case "allExtensionNumbersOfType":
      if (fileOf(request.value) === undefined) return errorAnswer(notFound, "No such type.");
      return { case: "allExtensionNumbersResponse", value: { baseTypeName: request.value } };
    case "fileContainingExtension":
      return errorAnswer(notFound, "No message here has extensions.");
    case undefined:
      return errorAnswer(unimplemented, "Ask for a file, a symbol or the services.");
  }
}

/** The answer with a file and all files that it imports. */
function filesAnswer(file: DescFile | undefined): Answer {
  if (file === undefined) return errorAnswer(notFound, "No such file or symbol.");
  const needed = [...withImports(file, new Set())];
  const fileDescriptorProto = needed.map(({ proto }) => toBinary(FileDescriptorProtoSchema, proto));
  return { case: "fileDescriptorResponse", value: { fileDescriptorProto } };
}

function errorAnswer(errorCode: number, errorMessage: string): Answer {
  return { case: "errorResponse", value: { errorCode, errorMessage } };
}

function files(): readonly DescFile[] {
  const found = new Set<DescFile>();
  for (const { file } of services) withImports(file, found);
  return [...found];
}

function withImports(file: DescFile, found: Set<DescFile>): Set<DescFile> {
  if (found.has(file)) return found;
  found.add(file);
  for (const imported of file.dependencies) withImports(imported, found);
  return found;
}

/** The file that declares a service, a method, a message with its fields, or an enum, by its full name. */
function fileOf(symbol: string): DescFile | undefined {
  const parent = symbol.slice(0, Math.max(0, symbol.lastIndexOf(".")));
  return files().find((file) => {
    const names = [...file.services, ...namedTypes(file)].map(({ typeName }) => typeName);
    return names.includes(symbol) || names.includes(parent);
  });
}

function* namedTypes(parent: Pick<DescFile, "messages" | "enums">): Iterable<{ readonly typeName: string }> {
  yield* parent.enums;
  for (const message of parent.messages) {
    yield message;
    yield* namedTypes({ messages: message.nestedMessages, enums: message.nestedEnums });
  }
}
