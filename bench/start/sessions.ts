// Many idle workers: `sessions ADDRESS COUNT`. Each is a whole one, with a connection of its own and one agent type.
import { BaseAgent } from "troupe";
import { GrpcWorkerAgentRuntime } from "troupe/grpc";
import { endWithBenchmark } from "../support/call-rounds.ts";
import { tell } from "../support/peer-commands.ts";

class Idler extends BaseAgent {
  protected override onMessageImpl(): void {}
}

/** Number of workers that join together. If all joined at once, the host would show its peak, not its need. */
const atOnce = 20;

const [address = "", count = ""] = process.argv.slice(2);
for (let joined = 0; joined < Number(count); joined += atOnce) {
  await Promise.all(Array.from({ length: atOnce }, (_, index) => join(`idler_${joined + index}`)));
}
endWithBenchmark();
tell("ready");

async function join(type: string): Promise<void> {
  const runtime = new GrpcWorkerAgentRuntime(address);
  await runtime.start();
  await Idler.register(runtime, type, () => new Idler("idles"));
}
