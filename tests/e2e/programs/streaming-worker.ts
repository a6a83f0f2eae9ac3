// A worker as a process: `streaming-worker ADDRESS`. Its agents of type `poet` send two lines, and wait.
import { defineMessage, handlerTable, RoutedAgent } from "troupe";
import { GrpcWorkerAgentRuntime } from "troupe/grpc";
import { z } from "zod";

export const Line = defineMessage("Line", z.object({ text: z.string() }));
export const AskLines = defineMessage("AskLines", z.object({ lines: z.number() }), { answer: Line, chunk: Line });

class Poet extends RoutedAgent {
  static override readonly handlers = handlerTable<Poet>().rpc(AskLines, async function* ({ lines }) {
    for (let at = 0; at < lines; at += 1) yield Line({ text: `${at}` });
    return new Promise<never>(() => undefined);
  });
}

const [address] = process.argv.slice(2);
if (address !== undefined) {
  const runtime = new GrpcWorkerAgentRuntime(address);
  await runtime.start();
  runtime.addMessageSerializer(Line);
  await Poet.register(runtime, "poet", () => new Poet("streams"));
  console.log("serving");
}
