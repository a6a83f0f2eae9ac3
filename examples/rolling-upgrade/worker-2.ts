// The new program: `worker-2 NAME ADDRESS`. A wallet has a currency now; the migration gives one to the wallets of the old program.
import { defineState, type MessageOf, persistentAgent, rpc } from "troupe";
import { GrpcWorkerAgentRuntime } from "troupe/grpc";
import { z } from "zod";
import { Balance, Pay } from "./messages.ts";

const WalletState = defineState(z.object({ amount: z.number(), currency: z.string() }), {
  version: 2,
  initial: { amount: 0, currency: "EUR" },
  migrations: { 1: ({ cents }: { cents: number }) => ({ amount: cents / 100, currency: "EUR" }) },
});

class Wallet extends persistentAgent(WalletState) {
  static override readonly shared = true;

  @rpc(Pay)
  pay({ cents }: MessageOf<typeof Pay>) {
    this.state.amount = Math.round(this.state.amount * 100 + cents) / 100;
    return Balance({ text: `${this.state.amount.toFixed(2)} ${this.state.currency}`, version: "2.0" });
  }
}

const [name = "new", address = "127.0.0.1:50051"] = process.argv.slice(2);
const worker = new GrpcWorkerAgentRuntime(address, { name, version: "2.0" });
await worker.start();
await Wallet.register(worker, "wallet", () => new Wallet("holds an amount"));
const stopped = worker.stopWhenSignal();
console.log("ready");
await stopped;
