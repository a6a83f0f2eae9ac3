// Compiled by `npm run check`, never run: each `@ts-expect-error` is a promise that a mistake does not compile.
import { DurationSchema, type Duration as DurationShape, TimestampSchema } from "@bufbuild/protobuf/wkt";
import {
  AgentId,
  type AgentRuntime,
  ClosureAgent,
  defineMessage,
  defineTool,
  type MessageOf,
  RoutedAgent,
  rpc,
  type SingleThreadedAgentRuntime,
  type Tool,
  ToolAgent,
} from "troupe";
import { protobufMessage } from "troupe/protobuf";
import { z } from "zod";

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
declare function exactly<Expected, Actual>(verdict: Same<Expected, Actual>): void;
declare const runtime: AgentRuntime;

const Note = defineMessage("Note", z.object({ text: z.string() }));
const Count = defineMessage("Count", z.object({ n: z.number() }));
type Note = MessageOf<typeof Note>;
type Count = MessageOf<typeof Count>;

// Closures get the declared messages, or unknown ones.
export const closures = [
  ClosureAgent.registerClosure(runtime, "one", (_agent, note) => exactly<Note, typeof note>(true), { types: Note }),
  ClosureAgent.registerClosure(runtime, "two", (_agent, message) => exactly<Note | Count, typeof message>(true), {
    types: [Note, Count],
  }),
  ClosureAgent.registerClosure(runtime, "any", (agent, message) => {
    exactly<unknown, typeof message>(true);
    return agent.sendMessage(Note({ text: "" }), agent.id);
  }),
  // @ts-expect-error a closure for another message
  ClosureAgent.registerClosure(runtime, "wrong", (_agent, message: Count) => message, { types: Note }),
  // @ts-expect-error a closure for one message has to declare it
  ClosureAgent.registerClosure(runtime, "undeclared", (_agent, message: Note) => message),
];

// Tools take their arguments' type from the schema, and stand together in one list.
const double = defineTool({
  name: "double",
  description: "",
  schema: z.object({ value: z.number() }),
  run: (args, { signal, callId }) => {
    exactly<{ value: number }, typeof args>(true);
    exactly<AbortSignal, typeof signal>(true);
    return `${callId}: ${args.value * 2}`;
  },
});
const shout = defineTool({
  name: "shout",
  description: "",
  schema: z.string(),
  run: async (text) => text.toUpperCase(),
});
export const tools: readonly Tool[] = [double, shout];
export const toolAgent = new ToolAgent("", [double, shout]);
// @ts-expect-error the arguments are not what the schema gives
defineTool({ name: "wrong", description: "", schema: z.string(), run: (args: number) => args });

// Protobuf messages
const Duration = protobufMessage(DurationSchema);
const Timestamp = protobufMessage(TimestampSchema, { answer: Duration });
exactly<DurationShape, MessageOf<typeof Duration>>(true);

export class Clock extends RoutedAgent {
  @rpc(Timestamp)
  since({ seconds }: MessageOf<typeof Timestamp>): MessageOf<typeof Duration> {
    return { $typeName: "google.protobuf.Duration", seconds, nanos: 0 };
  }

  // @ts-expect-error the result is not the declared answer
  @rpc(Timestamp)
  wrong(timestamp: MessageOf<typeof Timestamp>) {
    return timestamp;
  }
}

// A runtime's own class is typed like the port.
export async function answers(inProcess: SingleThreadedAgentRuntime): Promise<void> {
  const Ask = defineMessage("Ask", z.object({}), { answer: Count });
  const answer = await inProcess.sendMessage(Ask({}), new AgentId("a", "k"));
  exactly<Count, typeof answer>(true);
}
