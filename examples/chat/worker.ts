// A worker of the chat: `worker NAME ADDRESS`. It serves the shared agent type `room` until SIGTERM.
import { defineState, type MessageOf, persistentAgent, rpc } from "troupe";
import { GrpcWorkerAgentRuntime } from "troupe/grpc";
import { z } from "zod";
import { History, Say } from "./messages.ts";

const [name = "rooms-1", address = "127.0.0.1:50051"] = process.argv.slice(2);

const RoomState = defineState(z.object({ lines: z.array(z.string()) }), { initial: { lines: [] } });

class Room extends persistentAgent(RoomState) {
  static override readonly shared = true;

  @rpc(Say)
  say({ who, text }: MessageOf<typeof Say>) {
    this.state.lines.push(`${who}: ${text}`);
    return History({ worker: name, lines: this.state.lines });
  }
}

const worker = new GrpcWorkerAgentRuntime(address, { name });
await worker.start();
await Room.register(worker, "room", () => new Room("a chat room"));
const stopped = worker.stopWhenSignal();
console.log("ready");
await stopped;
