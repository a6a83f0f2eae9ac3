// A worker that fills up with agents: `worker ADDRESS COUNT`, with --expose-gc. Tells, in bytes for each, what that many live
// agents take (`liveBytes`), agents that no runtime knows (`unboundBytes`), and objects with the user's own fields alone (`plainBytes`).
import { TopicId, TypeSubscription } from "troupe";
import { GrpcWorkerAgentRuntime } from "troupe/grpc";
import { endWithBenchmark } from "../support/call-rounds.ts";
import { tell } from "../support/peer-commands.ts";
import { Greeter, Greeting, PlainGreeter } from "./greeter.ts";
import { bytesOfEach, usedBytes } from "./used-bytes.ts";

/** Events under way at most. */
const lot = 1000;

const [address = "", countText = ""] = process.argv.slice(2);
const count = Number(countText);
const runtime = new GrpcWorkerAgentRuntime(address);
await runtime.start();
await Greeter.register(runtime, "greeter", () => new Greeter("greets"));
await runtime.addSubscription(new TypeSubscription("conversations", "greeter"));

// What is made once and not for each agent, as compiled code is, is there before anything is measured.
await greet("warm-up", 10 * lot);
const plainBytes = await bytesOfEach(count, () => new PlainGreeter());
const unboundBytes = await bytesOfEach(count, () => new Greeter("greets"));
const before = await usedBytes();
await greet("conversation", count);
const liveBytes = ((await usedBytes()) - before) / count;
tell("measured", { plainBytes, unboundBytes, liveBytes });
endWithBenchmark();

/** An event to each of that many conversations, and so an agent for each; resolves when all have been greeted. */
async function greet(name: string, conversations: number): Promise<void> {
  for (let from = 0; from < conversations; from += lot) {
    const greeted = Greeter.untilGreeted(lot);
    for (let index = from; index < from + lot; index += 1) {
      await runtime.publishMessage(Greeting({ content: "hello" }), new TopicId("conversations", `${name}-${index}`));
    }
    await greeted;
  }
}
