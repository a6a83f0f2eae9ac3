// A server stream of grpc-js, without a host between: `grpc-js host | reader ADDRESS`. Parts are the same JSON.
import { Client, credentials, Server, ServerCredentials, type ServerWritableStream } from "@grpc/grpc-js";
import { endWithBenchmark } from "../support/call-rounds.ts";
import { tell } from "../support/peer-commands.ts";
import { content, Part, partsPerStream } from "./messages.ts";
import { serveStreamRounds } from "./stream-rounds.ts";

const path = "/bench.Streams/Parts";
const asIs = (bytes: Buffer) => bytes;
const serializers = {
  ...{ requestSerialize: asIs, requestDeserialize: asIs },
  ...{ responseSerialize: asIs, responseDeserialize: asIs },
};

const [role = "", address = ""] = process.argv.slice(2);
if (role === "host") await serve();
else await read();

async function serve(): Promise<void> {
  endWithBenchmark();
  const parts = async (call: ServerWritableStream<Buffer, Buffer>) => {
    for (let at = 0; at < partsPerStream; at += 1) {
      if (!call.write(Buffer.from(JSON.stringify({ content }))))
        await new Promise<void>((resolve) => void call.once("drain", resolve));
    }
    call.end();
  };
  const server = new Server();
  const method = { path, requestStream: false, responseStream: true, ...serializers };
  server.addService({ parts: method }, { parts: (call: ServerWritableStream<Buffer, Buffer>) => void parts(call) });
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    );
  });
  tell("ready", { address: `127.0.0.1:${port}` });
}

async function read(): Promise<void> {
  const client = new Client(address, credentials.createInsecure());
  await serveStreamRounds(async (onPart) => {
    const call = client.makeServerStreamRequest(path, asIs, asIs, Buffer.alloc(0));
    for await (const bytes of call) {
      if (!Part.is(Part(JSON.parse(String(bytes))))) throw new Error("The message is not a part.");
      onPart();
    }
  });
}
