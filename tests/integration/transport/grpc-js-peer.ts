import * as grpc from "@grpc/grpc-js";

const bytes = (value: Buffer): Buffer => value;
const shape = {
  requestSerialize: bytes,
  requestDeserialize: bytes,
  responseSerialize: bytes,
  responseDeserialize: bytes,
};

/** The methods that the tests call, without any protobuf: messages are bytes. */
export const ECHO_METHODS = {
  Echo: { path: "/agents.AgentRpc/Echo", requestStream: false, responseStream: false, ...shape },
  OpenChannel: { path: "/agents.AgentRpc/OpenChannel", requestStream: true, responseStream: true, ...shape },
} as const;

export interface UnaryCall {
  readonly metadata?: Record<string, string>;
  readonly deadlineMs?: number;
  readonly onCall?: (call: grpc.ClientUnaryCall) => void;
}

/** A grpc-js client that speaks bytes. */
export class GrpcJsClient {
  readonly #client: grpc.Client;

  constructor(address: string, options: grpc.ClientOptions = {}) {
    const unlimited = { "grpc.max_receive_message_length": -1, "grpc.max_send_message_length": -1 };
    this.#client = new grpc.Client(address, grpc.credentials.createInsecure(), { ...unlimited, ...options });
  }

  unary(path: string, request: Uint8Array, call: UnaryCall = {}): Promise<Buffer> {
    const options = call.deadlineMs === undefined ? {} : { deadline: Date.now() + call.deadlineMs };
    return new Promise((resolve, reject) => {
      const metadata = toMetadata(call.metadata);
      const done = (error: grpc.ServiceError | null, answer?: Buffer): void =>
        error === null && answer !== undefined ? resolve(answer) : reject(error);
      const made = this.#client.makeUnaryRequest(path, bytes, bytes, Buffer.from(request), metadata, options, done);
      call.onCall?.(made);
    });
  }

  stream(path: string, metadata: Record<string, string> = {}): grpc.ClientDuplexStream<Buffer, Buffer> {
    return this.#client.makeBidiStreamRequest(path, bytes, bytes, toMetadata(metadata), {});
  }

  close(): void {
    this.#client.close();
  }
}

/** A grpc-js server with these handlers on a free port of 127.0.0.1. */
export async function startGrpcJsServer(
  handlers: grpc.UntypedServiceImplementation,
  options: grpc.ServerOptions = {},
): Promise<{ readonly address: string; readonly stop: () => void }> {
  const unlimited = { "grpc.max_receive_message_length": -1, "grpc.max_send_message_length": -1 };
  const server = new grpc.Server({ ...unlimited, ...options });
  server.addService(ECHO_METHODS, handlers);
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync("127.0.0.1:0", grpc.ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    );
  });
  return { address: `127.0.0.1:${port}`, stop: () => server.forceShutdown() };
}

function toMetadata(values: Record<string, string> = {}): grpc.Metadata {
  const metadata = new grpc.Metadata();
  for (const [key, value] of Object.entries(values)) metadata.set(key, value);
  return metadata;
}
