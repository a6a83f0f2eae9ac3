// Compiled by `npm run check`, never run: each `@ts-expect-error` is a promise that a mistake does not compile.
import {
  type AgentId,
  type AgentRuntime,
  type Answers,
  type ChunkOf,
  type Chunks,
  ClosureAgent,
  classMessage,
  defineMessage,
  handlerTable,
  type MessageContext,
  type MessageOf,
  type MessageStream,
  messageHandler,
  RoutedAgent,
  rpc,
} from "troupe";
import { z } from "zod";

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
declare function exactly<Expected, Actual>(verdict: Same<Expected, Actual>): void;
declare const runtime: AgentRuntime;
declare const poet: AgentId;

const Line = defineMessage("Line", z.object({ text: z.string() }));
type Line = MessageOf<typeof Line>;
const Poem = defineMessage("Poem", z.object({ title: z.string() }));
type Poem = MessageOf<typeof Poem>;
const AskPoem = defineMessage("AskPoem", z.object({ topic: z.string() }), {
  answer: Poem,
  chunk: Line,
  whole: ({ title }) => [Line({ text: title })],
});
type AskPoem = MessageOf<typeof AskPoem>;
exactly<Line, ChunkOf<AskPoem>>(true);

// @ts-expect-error the chunks of a whole answer have the type of the chunk
defineMessage("Wrong", z.object({}), { answer: Poem, chunk: Line, whole: ({ title }) => [Poem({ title })] });

export class Poet extends RoutedAgent {
  @rpc(AskPoem)
  async *compose({ topic }: AskPoem, { isStreamed }: MessageContext) {
    if (isStreamed) yield Line({ text: topic });
    return Poem({ title: topic });
  }

  @messageHandler(AskPoem)
  async *forward(ask: AskPoem, { signal }: MessageContext) {
    const poem = yield* this.stream(ask, poet, { signal });
    exactly<Poem, typeof poem>(true);
    return Poem({ title: poem.title });
  }

  @rpc(AskPoem)
  async plain({ topic }: AskPoem) {
    return Poem({ title: topic });
  }

  // @ts-expect-error a chunk of another type
  @rpc(AskPoem)
  async *wrongChunk({ topic }: AskPoem) {
    yield Poem({ title: topic });
    return Poem({ title: topic });
  }

  // @ts-expect-error a generator without its answer
  @rpc(AskPoem)
  async *noAnswer({ topic }: AskPoem) {
    yield Line({ text: topic });
  }
}

export class Table extends RoutedAgent {
  static override readonly handlers = handlerTable<Table>()
    .rpc(AskPoem, async function* ({ topic }, { signal }) {
      const poem = yield* this.stream(AskPoem({ topic }), poet, { signal });
      return poem;
    })
    .message(AskPoem, async ({ topic }) => Poem({ title: topic }))
    // @ts-expect-error a chunk of another type
    .message(AskPoem, async function* ({ topic }) {
      yield Poem({ title: topic });
      return Poem({ title: topic });
    });
}

export async function read(): Promise<void> {
  const stream = runtime.stream(AskPoem({ topic: "sea" }), poet);
  exactly<MessageStream<Line, Poem>, typeof stream>(true);
  for await (const line of stream) {
    exactly<string, typeof line.text>(true);
    // @ts-expect-error a field that a chunk has not
    line.title;
  }
  exactly<Poem, Awaited<typeof stream.answer>>(true);
  exactly<Poem, Awaited<ReturnType<typeof stream.whole>>>(true);
  // A message that names no chunk has chunks of any type.
  for await (const chunk of runtime.stream(Line({ text: "x" }), poet)) exactly<unknown, typeof chunk>(true);
  // @ts-expect-error a plain object
  runtime.stream({ topic: "sea" }, poet);
}

// biome-ignore lint/suspicious/noUnsafeDeclarationMerging: the interface has marks for the compiler alone
class Ask {
  readonly topic = "sea";
}
interface Ask extends Answers<Poem>, Chunks<Line> {}
export const AskClass = classMessage("Ask", Ask, { answer: Poem, chunk: Line });
exactly<Line, ChunkOf<Ask>>(true);

await ClosureAgent.registerClosure(
  runtime,
  "closure",
  async function* (agent, ask) {
    yield Line({ text: ask.topic });
    return await agent.sendMessage(ask, poet);
  },
  { types: AskPoem },
);
