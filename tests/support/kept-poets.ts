import { z } from "zod";
import {
  AgentId,
  type AgentRuntime,
  defineMessage,
  defineState,
  handlerTable,
  type MessageContext,
  persistentAgent,
  type RunChunk,
  type UnfinishedRun,
} from "../../src/core/index.ts";

export const Line = defineMessage("KeptLine", z.object({ text: z.string() }));
export const Poem = defineMessage("KeptPoem", z.object({ text: z.string() }));
export const AskPoem = defineMessage("KeptAskPoem", z.object({ lines: z.number() }), { answer: Poem, chunk: Line });
export const poet = new AgentId("poet", "ada");
const Works = defineState(z.object({ poems: z.number() }), { initial: { poems: 0 } });

/** What a poet does after its lines, and before its first one. */
export interface Muse {
  readonly before?: ((context: MessageContext) => Promise<unknown>) | undefined;
  readonly after?: ((context: MessageContext, agent: KeptPoet) => Promise<unknown> | unknown) | undefined;
}

/** A persistent agent that writes as many lines as it is asked for, then does what its muse says, and counts its poems. */
export class KeptPoet extends persistentAgent(Works) {
  static override readonly handlers = handlerTable<KeptPoet>().rpc(AskPoem, function ({ lines }, context) {
    return this.compose(lines, context);
  });

  begun = 0;
  readonly muse: Muse;

  constructor(muse: Muse = {}) {
    super("a poet whose runs are kept");
    this.muse = muse;
  }

  async *compose(lines: number, context: MessageContext) {
    this.begun += 1;
    await this.muse.before?.(context);
    for (let line = 0; line < lines; line += 1) yield Line({ text: `line ${line}` });
    await this.muse.after?.(context, this);
    this.state.poems += 1;
    return Poem({ text: `poem ${this.state.poems}` });
  }
}

/** A poet that saves when it has written a line, and goes on behind the last line that is written. */
export class SteadyPoet extends KeptPoet {
  readonly continued: UnfinishedRun[] = [];
  /** Called before each line. */
  readonly onLine: (line: number, context: MessageContext, agent: SteadyPoet) => Promise<unknown> | unknown;

  constructor(onLine: SteadyPoet["onLine"], muse?: Muse) {
    super(muse);
    this.onLine = onLine;
  }

  override async *compose(lines: number, context: MessageContext, from = 0) {
    this.begun += 1;
    for (let line = from; line < lines; line += 1) {
      await this.onLine(line, context, this);
      yield Line({ text: `line ${line}` });
    }
    await this.muse.after?.(context, this);
    this.state.poems += 1;
    return Poem({ text: `poem ${this.state.poems}` });
  }

  continueRun(run: UnfinishedRun, context: MessageContext) {
    this.continued.push(run);
    if (!AskPoem.is(run.message)) throw new Error("a poet continues poems alone");
    return this.compose(run.message.lines, context, run.next);
  }
}

/** Reads a run to its end. Returns chunks with their offsets, then the answer, or the code of the error. */
export async function readAll(
  runtime: AgentRuntime,
  id: string,
  { owner, from }: { readonly owner?: string; readonly from?: number } = {},
): Promise<readonly string[]> {
  const all: string[] = [];
  const run = runtime.attachRun(poet, id, { message: AskPoem, owner });
  const chunks = run.read({ from })[Symbol.asyncIterator]();
  try {
    for (;;) {
      const step: IteratorResult<RunChunk<{ readonly text: string }>, { readonly text: string }> = await chunks.next();
      if (step.done === true) return [...all, step.value.text];
      all.push(`${step.value.offset} ${step.value.chunk.text}`);
    }
  } catch (error) {
    return [...all, String((error as { readonly code?: unknown }).code)];
  }
}
