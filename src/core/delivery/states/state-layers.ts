import { NotAccessibleError } from "../../errors.ts";
import type { Delivery, Layer } from "../layers.ts";
import { AgentRunKeeper } from "./agent-runs.ts";
import { commitLayer } from "./commit-layer.ts";
import type { AnswerCodec, KeptAnswers } from "./kept-answers.ts";
import { KeptStates, type KeptStatesOptions } from "./kept-states.ts";
import { rememberedLayer } from "./remembered-layer.ts";

/** The parts of a runtime that the states of its agents need. */
export interface StateLayersOptions<Out> extends Omit<KeptStatesOptions<Out>, "refusal"> {
  readonly codec: AnswerCodec;
  /** Throws if the answer of a call could not be sent. */
  readonly assertSendable: (delivery: Delivery, answer: unknown) => void;
  /** Returns the answer as the keeper sends it with the commit. Default: the runtime sends it when the turn has ended. */
  readonly riding?: ((delivery: Delivery, answer: unknown) => Out | undefined) | undefined;
}

/** The states of a runtime's agents, and the layers that keep them. */
export interface StateLayers<Out> {
  readonly states: KeptStates<Out>;
  /** The kept runs of persistent agents. */
  readonly runs: AgentRunKeeper;
  /** The layer around a turn of the runtime's own. */
  readonly commitLayer: Layer;
  /** The layers around a message, outermost first: remembered messages, savepoint and commit. */
  readonly layers: readonly Layer[];
}

/** Makes them. They cost nothing until a persistent agent is registered. */
export function createStateLayers<Out>(options: StateLayersOptions<Out>): StateLayers<Out> {
  const { codec, assertSendable, riding } = options;
  const states = new KeptStates<Out>({ ...options, refusal });
  const answers: KeptAnswers<Out> = {
    assertSendable,
    riding: (delivery, answer) => riding?.(delivery, answer),
    encode: (answer) => codec.encode(answer),
    decode: (bytes) => codec.decode(bytes),
  };
  const commit = commitLayer({ states, answers });
  const runs = new AgentRunKeeper({
    ...{ keeper: options.keeper, epochOf: options.epochOf },
    isKept: (type) => states.isKept(type),
    continuesRuns: (type) => states.continuesRuns(type),
  });
  return { states, runs, commitLayer: commit, layers: [rememberedLayer({ states, answers }), commit] };
}

function refusal(type: string): NotAccessibleError {
  const text = `The agents of type ${type} keep a state, and this host keeps no states.`;
  return new NotAccessibleError(`${text} Give the worker a stateStore.`);
}
