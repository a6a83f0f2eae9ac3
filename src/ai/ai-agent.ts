import type { StandardSchemaV1 } from "@standard-schema/spec";
import {
  defineState,
  handlerTable,
  type KeptRunTurn,
  keptRunOf,
  type MessageContext,
  persistentAgent,
  slotOf,
  TroupeError,
  TurnInLine,
  type UnfinishedRun,
} from "../core/internal.ts";
import { placeOf, TakeTurn, type TurnTaken, type UiPart } from "../teams/internal.ts";
import { type Ask, type AskContent, TurnLine } from "./busy.ts";
import { chatHistory, ReadChat } from "./chat-history.ts";
import { closedStep, fitHistory, largestHistory, type OpenStep } from "./history.ts";
import { Meter, type RecordUsage, usageRecorder } from "./metering.ts";
import { type AiAgentOptions, assertRepeatable, checkedOptions, settingsOf, type ThinkingOptions } from "./options.ts";
import { Prompt, type Reply, steeredReply, turnTaken, userMessage } from "./prompt-messages.ts";
import type { AnsweredRun, ParkedTurn, RunTurn } from "./run-turns.ts";
import { type AiTool, type ModelMessage, type ThinkingAgent, toolLoopAgent } from "./sdk.ts";
import type { HeardTurn } from "./team-turns.ts";
import { ToldParts } from "./told-parts.ts";
import { needsApproval, ThinkingTurn, type TurnHome } from "./turn.ts";

/** The state of an agent that thinks. */
export interface Thoughts {
  readonly messages: readonly ModelMessage[];
  /** The step that runs, as far as it is known. Null: none runs. */
  readonly open: OpenStep | null;
  /** The last turns for teams, each with its answer. */
  readonly heard: readonly HeardTurn[];
  /** The turn of kept runs that runs. Null: none does. */
  readonly turn: RunTurn | null;
  /** Turns of kept runs that were overtaken by others after their worker was lost. */
  readonly parked: readonly ParkedTurn[];
  /** Kept runs that have their answer, and whose end was not written when that was saved. */
  readonly answered: readonly AnsweredRun[];
}

/** A state that an older version may have written. */
type StoredThoughts = Pick<Thoughts, "messages" | "open"> & Partial<Thoughts>;

const noThoughts: Thoughts = { messages: [], open: null, heard: [], turn: null, parked: [], answered: [] };

const thoughtsSchema: StandardSchemaV1<Thoughts, Thoughts> = {
  "~standard": {
    version: 1,
    vendor: "troupe",
    validate: (value) =>
      isThoughts(value)
        ? { value: { ...noThoughts, ...value } }
        : { issues: [{ message: "expected messages, an open step and turns for teams" }] },
  },
};

/** Whether a stored value has the form of a state. The AI SDK checks the messages themselves when it is given them. */
function isThoughts(value: unknown): value is StoredThoughts {
  if (typeof value !== "object" || value === null || !("messages" in value) || !("open" in value)) return false;
  for (const name of ["heard", "parked", "answered"])
    if (name in value && !Array.isArray(Reflect.get(value, name))) return false;
  if ("turn" in value && typeof value.turn !== "object") return false;
  return Array.isArray(value.messages) && typeof value.open === "object";
}

const thoughts = defineState(thoughtsSchema, {
  initial: noThoughts,
  save: "manual",
  // A history within its bounds, the step that runs, answers to teams, and runs.
  maxBytes: largestHistory.bytes * 2 + 2 * 1024 * 1024,
});

const interrupted = "unknown: The agent stopped while this tool ran. It may have run.";

/**
 * An agent whose body is a model with instructions and tools, or an agent of the AI SDK. It handles `Prompt`: the answer is a `Reply`, and the
 * chunks are the parts of the AI SDK's UI message stream. Each key has its own conversation, which the agent keeps as its state.
 *
 * It handles `TakeTurn` of `troupe/teams`, so that it takes part in teams: the model reads what others have said, with their names. A turn for
 * which a team asks again is not repeated in the history, and has its first answer if there was one.
 *
 * It needs the optional peer `ai`. The worker's host, or the worker itself, needs a state store. The agent saves a tool call before the tool
 * runs, and the result after it. It saves the history after each step of the model and before the answer.
 *
 * A run whose worker is lost continues at the next worker from the last save. See `repeatable` about tools that ran then.
 *
 * It answers `ReadChat` with the conversation as a page shows it.
 *
 * A turn whose model fails leaves nothing in the history. A turn that its caller leaves keeps the text so far.
 *
 * @example
 * ```ts
 * await AiAgent.register(worker, "concierge", () => new AiAgent({ model: openai("gpt-5"), instructions: "You help guests.", tools }));
 * for await (const part of worker.stream(Prompt({ text: "Will it rain?" }), new AgentId("concierge", "ada"))) {
 *   if (part.type === "text-delta") process.stdout.write(String(part.delta));
 * }
 * ```
 */
export class AiAgent extends persistentAgent(thoughts) {
  /** Messages reach the agent while it thinks: `whenBusy` decides about them. */
  static override readonly concurrency = "interleaved" as const;

  static override readonly handlers = handlerTable<AiAgent>()
    .rpc(Prompt, function (prompt, context) {
      return this.#answer(askOfPrompt(prompt), context);
    })
    .rpc(TakeTurn, async function* (turn, context) {
      return turnTaken(yield* this.#answer(askOfTurn(turn, context), context));
    })
    .rpc(ReadChat, function () {
      return chatHistory(this.state.messages, this.#beforeTurn);
    });

  readonly #agent: ThinkingAgent;
  readonly #options: ThinkingOptions;
  readonly #line = new TurnLine<Reply>();
  #present: ThinkingTurn | undefined;
  readonly #recordUsage: RecordUsage | undefined;
  #lastInputTokens: number | undefined;

  constructor(options: AiAgentOptions) {
    const own = checkedOptions(options);
    super(own.description ?? "An agent that thinks");
    this.#options = own;
    this.#agent = "agent" in options ? options.agent : toolLoopAgent(settingsOf(options));
    this.#recordUsage = usageRecorder(options.metrics);
    assertRepeatable(own, { ...this.#agent.tools });
    for (const [name, tool] of Object.entries<AiTool>({ ...this.#agent.tools })) {
      if (tool.needsApproval !== undefined && tool.needsApproval !== false) throw needsApproval(name);
    }
  }

  /** Closes the step that ran when an earlier activation ended. Call it if you override it. */
  override async onActivate(): Promise<void> {
    const { messages, open, turn } = this.state;
    // Its run continues from there.
    if (open === null || turn !== null) return;
    this.state = { ...this.state, messages: [...messages, ...closedStep(open, interrupted)], open: null };
    await this.saveNow();
  }

  /** Continues a run whose worker was lost, from the last save. Called by runtimes. */
  async *continueRun(
    run: UnfinishedRun,
    context: MessageContext,
  ): AsyncGenerator<UiPart, Reply | TurnTaken, undefined> {
    const { message } = run;
    const told = ToldParts.of(run.chunks());
    if (Prompt.is(message)) return yield* this.#answer(askOfPrompt(message), context, told);
    if (TakeTurn.is(message)) return turnTaken(yield* this.#answer(askOfTurn(message, context), context, told));
    const text = `${this.id} can't go on with run "${run.id}": it began with a message of another type than Prompt and TakeTurn.`;
    throw new TroupeError("invalid-message", `${text} Override continueRun for it.`);
  }

  /** Yields the parts of the answer to a message, and returns the answer. `told`: of a run that continues. */
  async *#answer(
    content: AskContent,
    context: MessageContext,
    told?: ToldParts,
  ): AsyncGenerator<UiPart, Reply, undefined> {
    const { signal, scope } = context;
    const run = keptRunOf(context);
    const ask: Ask = { content, signal, isIn: false, run: run?.id, place: TurnInLine.of(this, context) };
    if (told !== undefined) await this.#untilAnswered(ask);
    else {
      const answer = await this.#tookPart(ask);
      if (answer !== undefined) return answer;
    }
    const meter = new Meter(this.#recordUsage);
    const turn = new ThinkingTurn(this.#home(run), ask, { scope, meter, told });
    await this.#line.enter(turn, signal);
    this.#present = turn;
    try {
      return yield* turn.run();
    } finally {
      this.#lastInputTokens = meter.last?.usage.inputTokens ?? this.#lastInputTokens;
      // A turn that has answered is saved already. One that continues at the next worker must not change what is saved.
      if (!turn.isAnswered && !turn.isLeft) await this.#saveLeft();
      if (run !== undefined && turn.isAnswered) this.#forget(run.id);
      this.#present = undefined;
      this.#line.leave();
    }
  }

  /** Messages of the history before the turn that runs, or that a lost worker has left. Undefined: there is none. */
  get #beforeTurn(): number | undefined {
    const { messages, turn } = this.state;
    if (this.#present !== undefined) return this.#present.before ?? messages.length;
    return turn === null ? undefined : messages.length - turn.size;
  }

  /** Does what `whenBusy` says. Returns the answer of the turn that has taken the message. Undefined: it has a turn of its own. */
  async #tookPart(ask: Ask): Promise<Reply | undefined> {
    const { whenBusy = "queue" } = this.#options;
    if (whenBusy === "steer") {
      const { running } = this.#line;
      const end = running === undefined ? "left" : await this.#line.steer(running, ask);
      if (end !== "left") {
        if ("error" in end) throw end.error;
        if (ask.run !== undefined) this.#forget(ask.run);
        return steeredReply(end.answer);
      }
    } else if (this.#line.running !== undefined && whenBusy === "reject") {
      throw new TroupeError(
        "overloaded",
        `${this.id} is busy with another message. Send it again when that is answered.`,
      );
    } else if (whenBusy === "interrupt") {
      this.#line.interruptAll();
    }
    return undefined;
  }

  /** Waits for a turn that has the message of this run already: one of another run has gone on with it. */
  async #untilAnswered({ run, signal }: Ask): Promise<void> {
    const { running } = this.#line;
    if (run === undefined || running?.runs.includes(run) !== true) return;
    const end = await this.#line.endOf(running, signal);
    if (end !== "left" && "error" in end) throw end.error;
  }

  /** The end of a run is written with the answer of its turn: the next save leaves its answer out. */
  #forget(run: string): void {
    this.state = { ...this.state, answered: this.state.answered.filter((one) => one.run !== run) };
  }

  /** Saves what a turn leaves that has no answer. If it fails, the next turn saves it. */
  async #saveLeft(): Promise<void> {
    try {
      await this.saveNow();
    } catch (error) {
      this.runtime.logger.warn(`The history of ${this.id} was not saved`, { error });
    }
  }

  #home(run: KeptRunTurn | undefined): TurnHome {
    const agent = this;
    return {
      agent: this.#agent,
      run,
      repeatable: this.#options.repeatable ?? [],
      onStep: this.#options.onStep,
      get thoughts() {
        return agent.state;
      },
      set thoughts({ messages, open, turn, parked, answered }) {
        agent.state = { ...agent.state, messages, open, turn, parked, answered };
      },
      get messages() {
        return agent.state.messages;
      },
      set messages(messages) {
        agent.state = { ...agent.state, messages };
      },
      get open() {
        return agent.state.open;
      },
      set open(open) {
        agent.state = { ...agent.state, open };
      },
      get heard() {
        return agent.state.heard;
      },
      set heard(heard) {
        agent.state = { ...agent.state, heard };
      },
      save: () => (run === undefined ? this.saveNow() : (slotOf(this)?.saveNow(run) ?? this.saveNow())),
      compact: (meter, signal) => this.#compact(meter, signal),
    };
  }

  async #compact(meter: Meter, signal: AbortSignal): Promise<void> {
    const { compact, max } = this.#options.history ?? {};
    const inputTokens = meter.last?.usage.inputTokens ?? this.#lastInputTokens;
    const { messages } = this.state;
    const kept = compact === undefined ? messages : await compact(messages, { inputTokens, signal });
    if (!Array.isArray(kept))
      throw new TroupeError("invalid-argument", "history.compact must return the messages that the agent keeps.");
    signal.throwIfAborted();
    const bounds = {
      maxMessages: max?.messages ?? largestHistory.messages,
      maxBytes: max?.bytes ?? largestHistory.bytes,
    };
    this.state = { ...this.state, messages: fitHistory(kept, bounds) };
  }
}

function askOfPrompt(prompt: Prompt): AskContent {
  return { of: "prompt", message: userMessage(prompt) };
}

function askOfTurn(turn: TakeTurn, { metadata }: MessageContext): AskContent {
  const place = placeOf(metadata);
  return place === undefined ? { of: "stranger", turn } : { of: "team", turn: { ...turn, ...place } };
}
