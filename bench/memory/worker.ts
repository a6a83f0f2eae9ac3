// A worker that fills with agents: `worker ADDRESS COUNT`, with --expose-gc. It reports bytes each for live agents
// (`liveBytes`), for agents that no runtime knows (`unboundBytes`), and for objects with only the user's fields
// (`plainBytes`).
import { TopicId, TypeSubscription } from "troupe";
import { GrpcWorkerAgentRuntime } from "troupe/grpc";
import { endWithBenchmark } from "../support/call-rounds.ts";
import { tell } from "../support/peer-commands.ts";
import { Greeter, Greeting, PlainGreeter } from "./greeter.ts";
import { bytesOfEach, usedBytes } from "./used-bytes.ts";

/** Maximum number of events in progress. */
const lot = 1000;

const [address = "", countText = ""] = process.argv.slice(2);
const count = Number(countText);
const runtime = new GrpcWorkerAgentRuntime(address);
await runtime.start();
await Greeter.register(runtime, "greeter", () => new Greeter("greets"));
await runtime.addSubscription(new TypeSubscription("conversations", "greeter"));

// Creates what exists once, such as compiled code, before the measurement.
await greet("warm-up", 10 * lot);
const plainBytes = await bytesOfEach(count, () => new PlainGreeter());
const unboundBytes = await bytesOfEach(count, () => new Greeter("greets"));
const before = await usedBytes();
await greet("conversation", count);
const liveBytes = ((await usedBytes()) - before) / count;
tell("measured", { plainBytes, unboundBytes, liveBytes });
endWithBenchmark();

/** Publishes an event to each conversation, which creates an agent for each. Resolves when all have been greeted. */
async function greet(name: string, conversations: number): Promise<void> {
  for (let from = 0; from < conversations; from += lot) {
    const greeted = Greeter.untilGreeted(lot);
    for (let index = from; index < from + lot; index += 1) {
      await runtime.publishMessage(Greeting({ content: "hello" }), new TopicId("conversations", `${name}-${index}`));
    }
    await greeted;
  }
}
