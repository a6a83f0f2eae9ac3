import { appendFileSync } from "node:fs";
import { jsonSchema, tool } from "ai";
import { AiAgent } from "troupe/ai";
import { type ScriptedModel, scriptedModel } from "troupe/ai/testing";

/** The places at which a buyer halts. */
export type HaltPlace = "asked" | "called" | "in look" | "in buy" | "bought" | "answering" | "never";

export interface BuyerParts {
  /** A line is added for each call of the model and each run of a tool. */
  readonly file: string;
  readonly haltAt: HaltPlace;
  /** Tells that the buyer halts. */
  readonly onHalt: () => void;
  /** The buyer goes on when this resolves. Default: never. */
  readonly goOn?: Promise<void> | undefined;
  /** Begins the ids of tool calls: two processes must not make the same. */
  readonly ids: string;
}

const inputSchema = jsonSchema<{ item: string }>({ type: "object", properties: { item: { type: "string" } } });

/** An agent that looks for bread, buys it, and says so. It counts in a file what it does, and halts at one place. */
export function countingBuyer({ file, haltAt, onHalt, goOn, ids }: BuyerParts): AiAgent {
  const count = (what: string) => appendFileSync(file, `${what}\n`);
  const halts = (place: HaltPlace): Promise<void> | undefined => {
    if (place !== haltAt) return undefined;
    onHalt();
    return goOn ?? new Promise(() => undefined);
  };
  const scripted = scriptedModel(
    Array.from({ length: 10 }, () => ({ prompt }: { prompt: readonly { role: string }[] }) => {
      const step = prompt.filter(({ role }) => role === "tool").length;
      count(`model ${step}`);
      if (step === 0)
        return {
          text: ["I look", " for it."],
          calls: [{ name: "look", input: { item: "bread" } }],
          after: halts("asked"),
        };
      if (step === 1) return { text: "I buy it.", calls: [{ name: "buy", input: { item: "bread" } }] };
      return { text: ["It is", " done."], after: halts("bought") ?? halts("answering") };
    }),
  );
  const model = withCallIds(scripted, ids);
  const run = (name: "look" | "buy", result: string) => async (): Promise<string> => {
    count(name);
    await halts(`in ${name}`);
    return result;
  };
  const look = tool({
    ...{ inputSchema, execute: run("look", "bread is there") },
    onInputAvailable: async () => halts("called"),
  });
  const buy = tool({ inputSchema, execute: run("buy", "bought") });
  return new AiAgent({ model, tools: { look, buy }, repeatable: ["look"] });
}

/** A model whose tool calls have ids that begin with a text. */
export function withCallIds(model: ScriptedModel, ids: string): ScriptedModel {
  return {
    ...model,
    doStream: async (options) => {
      const { stream, ...rest } = await model.doStream(options);
      const renamed = new TransformStream({
        transform: (part, controller) =>
          controller.enqueue(part.type === "tool-call" ? { ...part, toolCallId: `${ids}-${part.toolCallId}` } : part),
      });
      return { ...rest, stream: stream.pipeThrough(renamed) };
    },
  };
}
