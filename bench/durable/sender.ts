// The sender's process: `sender ADDRESS`. It tells agents of the type `receiver` messages, one after the other.
import { AgentId } from "troupe";
import { GrpcWorkerAgentRuntime } from "troupe/grpc";
import { content, nowMs, recipients, Told } from "./messages.ts";
import { serveSending } from "./sending.ts";

const [address = ""] = process.argv.slice(2);
const ids = Array.from({ length: recipients }, (_, at) => new AgentId("receiver", `${at}`));
const runtime = new GrpcWorkerAgentRuntime(address);
await runtime.start();
runtime.addMessageSerializer(Told);
let next = 0;
await serveSending(() => {
  const id = ids[next % recipients];
  next += 1;
  if (id === undefined) throw new Error("There are recipients.");
  return runtime.tell(Told({ sentMs: nowMs(), content }), id);
});
