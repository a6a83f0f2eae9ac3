// The reader process: `reader ADDRESS [stream|first|call|events]`. Reads answers in parts through `troupe/grpc`, of one part alone, in one piece, or events.
import { AgentId, ClosureAgent, TypeSubscription } from "troupe";
import { GrpcWorkerAgentRuntime } from "troupe/grpc";
import { AskEvents, AskParts, Part, partsPerStream, Whole } from "./messages.ts";
import { type ReadStream, serveStreamRounds } from "./stream-rounds.ts";

const [address = "", way = "stream"] = process.argv.slice(2);
const target = new AgentId("target", "1");
const topic = "parts";
const runtime = new GrpcWorkerAgentRuntime(address);
await runtime.start();
runtime.addMessageSerializer([AskParts, AskEvents, Part, Whole]);

const streamOf =
  (parts: number): ReadStream =>
  async (onPart) => {
    for await (const _part of runtime.stream(AskParts({ parts }), target)) onPart();
  };

/** A call with an answer in one piece, for the time of a plain call. */
const call: ReadStream = async (onPart) => {
  await runtime.sendMessage(AskParts({ parts: 0 }), target);
  onPart();
};

let onEvent = (): void => undefined;
if (way === "events") {
  await ClosureAgent.registerClosure(runtime, "reader", async () => onEvent(), {
    subscriptions: () => [new TypeSubscription(topic, "reader")],
  });
}

/** One stream at a time: all events come to one agent. */
const events: ReadStream = async (onPart) => {
  let left = partsPerStream;
  const all = new Promise<void>((resolve) => {
    onEvent = () => {
      onPart();
      left -= 1;
      if (left === 0) resolve();
    };
  });
  await runtime.sendMessage(AskEvents({ parts: partsPerStream, topic }), target);
  await all;
};

const ways: Readonly<Record<string, ReadStream>> = { events, call, first: streamOf(1) };
await serveStreamRounds(ways[way] ?? streamOf(partsPerStream));
