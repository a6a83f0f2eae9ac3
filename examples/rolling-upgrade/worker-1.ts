// The old program: `worker-1 NAME ADDRESS`. It serves the shared agent type `wallet` until SIGTERM. A wallet holds cents.
import { defineState, type MessageOf, persistentAgent, rpc } from "troupe";
import { GrpcWorkerAgentRuntime } from "troupe/grpc";
import { z } from "zod";
import { Balance, Pay } from "./messages.ts";

const WalletState = defineState(z.object({ cents: z.number() }), { initial: { cents: 0 } });

class Wallet extends persistentAgent(WalletState) {
  static override readonly shared = true;

  @rpc(Pay)
  pay({ cents }: MessageOf<typeof Pay>) {
    this.state.cents += cents;
    return Balance({ text: `${this.state.cents} cents`, version: "1.0" });
  }
}

const [name = "old", address = "127.0.0.1:50051"] = process.argv.slice(2);
const worker = new GrpcWorkerAgentRuntime(address, { name, version: "1.0" });
await worker.start();
await Wallet.register(worker, "wallet", () => new Wallet("holds cents"));
const stopped = worker.stopWhenSignal();
console.log("ready");
await stopped;
