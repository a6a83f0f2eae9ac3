import { z } from "zod";
import {
  AgentId,
  defineState,
  handlerTable,
  type MessageContext,
  persistentAgent,
  type RegisterOptions,
  type SendOptions,
} from "../../../src/core/index.ts";
import { WatchedStore } from "../../support/watched-store.ts";
import { Answer, Ask, Note, Order, type Stage, type Suite, type WorldOptions } from "./world.ts";

export const id = new AgentId("keeper", "ada");

const schema = z.object({ total: z.number(), log: z.array(z.string()) });

export const Kept = defineState(schema, { initial: { total: 0, log: [] } });
export const ByHand = defineState(schema, { initial: { total: 0, log: [] }, save: "manual" });

export type Body = (text: string, agent: Keeper, context: MessageContext) => Promise<unknown> | unknown;

/** Does what its body says. `Ask` and `Note` may change the state; `Order` is read-only and interleaves, and answers the state. */
export class Keeper extends persistentAgent(Kept) {
  static override readonly handlers = handlerTable<Keeper>()
    .rpc(Ask, async function ({ text }, context) {
      return Answer({ text: String(await this.body(text, this, context)) });
    })
    .event(Note, async function ({ text }, context) {
      await this.body(text, this, context);
    })
    .rpc(
      Order,
      function () {
        return Answer({ text: JSON.stringify(this.state) });
      },
      { readOnly: true, interleaves: true },
    );

  readonly body: Body;

  constructor(body: Body) {
    super("keeps what it is told");
    this.body = body;
  }
}

/** Adds to the total and answers it. */
export const add = (text: string, agent: Keeper): number => {
  agent.state.total += Number(text);
  agent.state.log.push(text);
  return agent.state.total;
};

export interface Cast {
  readonly stage: Stage;
  readonly store: WatchedStore;
  /** The activations, in the order in which they were made. */
  readonly made: Keeper[];
  ask(text: string, options?: SendOptions): Promise<string>;
  /** The state that the live activation shows. */
  seen(): Promise<unknown>;
  stored(): Promise<unknown>;
  [Symbol.asyncDispose](): Promise<void>;
}

export async function openCast(
  { openStage }: Suite,
  body: Body,
  options: { readonly world?: WorldOptions; readonly register?: RegisterOptions; readonly store?: WatchedStore } = {},
): Promise<Cast> {
  const store = options.store ?? new WatchedStore();
  const stage = await openStage({ ...options.world, stateStore: store });
  const made: Keeper[] = [];
  const make = () => {
    const keeper = new Keeper(body);
    made.push(keeper);
    return keeper;
  };
  await Keeper.register(stage.callee, "keeper", make, options.register);
  return {
    ...{ stage, store, made },
    ask: async (text, sendOptions) => (await stage.caller.sendMessage(Ask({ text }), id, sendOptions)).text,
    seen: async () => {
      const answer = await stage.caller.sendMessage(Order({ text: "show" }), id, { answer: Answer });
      return JSON.parse(answer.text);
    },
    stored: () => store.stored(id),
    [Symbol.asyncDispose]: () => stage[Symbol.asyncDispose](),
  };
}
