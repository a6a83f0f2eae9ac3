// The usual gRPC library carrying the same messages: `grpc-js host | target ADDRESS | caller ADDRESS`. The relay forwards raw
// bytes as our host does, with the routing of relay.ts.
import { Client, credentials, type handleBidiStreamingCall, Server, ServerCredentials } from "@grpc/grpc-js";
import { endWithBenchmark } from "../support/call-rounds.ts";
import { tell } from "../support/peer-commands.ts";
import { type OpenConnection, serveEcho, serveFrameCaller } from "./frame-worker.ts";
import { Relay } from "./relay.ts";

const path = "/agents.AgentRpc/OpenChannel";
const asIs = (bytes: Buffer) => bytes;

const [role = "", address = ""] = process.argv.slice(2);
const open: OpenConnection = (onFrame) => {
  const client = new Client(address, credentials.createInsecure());
  const call = client.makeBidiStreamRequest(path, asIs, asIs);
  call.on("data", onFrame);
  call.on("error", () => process.exit(1));
  return { send: (frame) => void call.write(asBuffer(frame)) };
};

if (role === "host") await serveHost();
else if (role === "target") {
  endWithBenchmark();
  await serveEcho(open);
  tell("ready");
} else await serveFrameCaller(open);

async function serveHost(): Promise<void> {
  endWithBenchmark();
  const relay = new Relay();
  const openChannel: handleBidiStreamingCall<Buffer, Buffer> = (call) => {
    const connection = { send: (frame: Uint8Array) => void call.write(asBuffer(frame)) };
    call.on("data", (frame: Buffer) => relay.receive(connection, frame));
    call.on("error", () => {});
    call.on("end", () => call.end());
  };
  const server = new Server();
  const method = {
    path,
    requestStream: true,
    responseStream: true,
    requestSerialize: asIs,
    requestDeserialize: asIs,
    responseSerialize: asIs,
    responseDeserialize: asIs,
  };
  server.addService({ openChannel: method }, { openChannel });
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    );
  });
  tell("ready", { address: `127.0.0.1:${port}` });
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
