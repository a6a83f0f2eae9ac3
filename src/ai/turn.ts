// Over 400 lines: it is one turn, whose methods all read or change the state of its steps.
import {
  type CallScope,
  CancelledError,
  errorText,
  HandlerError,
  joinSignals,
  type KeptRunTurn,
  TroupeError,
  withScope,
} from "../core/internal.ts";
import { nestedRunId, textParts, UiPart, type UiPartFields } from "../teams/internal.ts";
import { offerTurn, type ToolRun } from "./agent-tool.ts";
import type { Ask, LineTurn, TurnEnd } from "./busy.ts";
import { gatedTools } from "./gated-tools.ts";
import { closedStep, type OpenStep, withResults } from "./history.ts";
import { goOnWithStep } from "./lost-step.ts";
import type { Meter } from "./metering.ts";
import { plain } from "./plain.ts";
import { Reply, type ReplyFields, steeredReply } from "./prompt-messages.ts";
import { continuesAfter, parked, type RunThoughts, recovered, withAnswers } from "./run-turns.ts";
import {
  type AiTool,
  type FinishedStep,
  isToolLoop,
  type ModelMessage,
  messagesSoFar,
  startThinking,
  type ThinkingAgent,
} from "./sdk.ts";
import { StepCalls } from "./step-calls.ts";
import { answerTo, type HeardTurn, turnMessage, withHeard } from "./team-turns.ts";
import { ToldParts } from "./told-parts.ts";
import { TurnReader } from "./turn-reader.ts";

/** The agent of a turn, as the turn sees it. */
export interface TurnHome {
  readonly agent: ThinkingAgent;
  messages: readonly ModelMessage[];
  open: OpenStep | null;
  heard: readonly HeardTurn[];
  /** Messages and open step together with what the agent knows of its runs. */
  thoughts: RunThoughts;
  /** The kept run that the turn answers. */
  readonly run: KeptRunTurn | undefined;
  /** Tools that may run again. */
  readonly repeatable: readonly string[];
  /** Writes the state, and the parts that the reader of the run was told. */
  save(): Promise<void>;
  /** Compacts the messages and keeps them within their bounds. */
  compact(meter: Meter, signal: AbortSignal): Promise<void>;
  readonly onStep: ((step: FinishedStep) => void) | undefined;
}

const noResult = "cancelled: The turn ended before this tool had a result. It may have run.";
const notRun = "This tool has not run: the agent has no function for it.";

/** Abort reason of a stream that ends because a message was steered into the turn. */
const steeredAway = new Error("A message was steered into the turn.");

/** The parts with which a turn begins. */
export interface TurnStart {
  readonly scope: CallScope;
  readonly meter: Meter;
  /** Parts that the reader of the run was told before its worker was lost. Undefined: the turn begins. */
  readonly told: ToldParts | undefined;
}

/** One turn of an agent that thinks, from a message to its answer. */
export class ThinkingTurn implements LineTurn<Reply> {
  readonly ask: Ask;
  readonly steered: Ask[] = [];
  readonly ended: Promise<TurnEnd<Reply>>;
  readonly #home: TurnHome;
  /** Asks whose message the model was given. */
  readonly #taken: Ask[] = [];
  /** The kept runs that the turn answers. */
  #runs: readonly string[] = [];
  /** Messages of the history before the turn. */
  #before = 0;
  #hasBegun = false;
  #last: Pick<ReplyFields, "text" | "finish_reason"> | null = null;
  /** Whether no step follows the last one. */
  #isFinal = false;
  readonly #goesOn: boolean;
  readonly #reader: TurnReader;
  readonly #calls: StepCalls;
  readonly #scope: CallScope;
  readonly #meter: Meter;
  readonly #abort = new AbortController();
  #end: (end: TurnEnd<Reply>) => void = () => undefined;
  #isOver = false;
  #isAnswered = false;
  #error: unknown;
  /** Ends the stream of the AI SDK that runs now. */
  #stop: AbortController | undefined;
  /** Steps of the present stream whose first part was read, and those that the AI SDK has finished. */
  #begun = 0;
  #finished = 0;
  /** Steps that the reader was told before the present stream. */
  #toldBefore = 0;

  constructor(home: TurnHome, ask: Ask, { scope, meter, told }: TurnStart) {
    this.#home = home;
    this.#goesOn = told !== undefined;
    this.#reader = new TurnReader(told ?? new ToldParts());
    this.#calls = new StepCalls({
      home,
      isOver: () => this.#isOver,
      assertRuns: () => this.#assertRuns(),
      save: () => this.#saveCalls(),
      whenTold: async (calls) => {
        if (this.#waitsForReader) await this.#reader.whenTold(() => calls.every(({ id }) => this.#told.hasInput(id)));
      },
    });
    this.ask = ask;
    this.#scope = scope;
    this.#meter = meter;
    this.ended = new Promise((resolve) => {
      this.#end = resolve;
    });
  }

  /** Whether the turn has an answer, which is saved. */
  get isAnswered(): boolean {
    return this.#isAnswered;
  }

  /** Messages of the history before the turn. Undefined: the turn has none there yet. */
  get before(): number | undefined {
    return this.#hasBegun ? this.#before : undefined;
  }

  get runs(): readonly string[] {
    return this.#runs;
  }

  /** Whether the turn has ended here, and continues at the next worker. */
  get isLeft(): boolean {
    const { run, signal } = this.ask;
    return run !== undefined && signal.aborted && TroupeError.from(signal.reason).code === "shutting-down";
  }

  interrupt(): void {
    this.#error ??= new CancelledError("A newer message has interrupted this turn.");
    this.#close("left");
  }

  /** Yields the parts of the answer, and returns the answer. */
  async *run(): AsyncGenerator<UiPart, Reply, undefined> {
    const home = this.#home;
    this.#leaveIfAsked();
    const known = this.#knownAnswer();
    const isResumed = known === undefined && this.#resume();
    const { messages, heard } = home;
    const before = isResumed ? messages.slice(0, this.#before) : messages;
    try {
      if (known === undefined && !isResumed) this.#take(this.ask);
      this.#assertRuns();
      if (!this.#told.hasStart) yield UiPart({ type: "start" });
      if (known !== undefined) return yield* this.#again(known);
      if (isResumed) yield* this.#goOn();
      else if (this.#goesOn) yield* this.#told.close();
      if (!this.#isFinal) yield* this.#think();
      const last = this.#last;
      if (last === null) throw new HandlerError("The agent of the AI SDK has finished no step.");
      home.messages = withResults(home.messages, notRun);
      const reply = this.#reply(last);
      home.open = null;
      this.#noteAnswer(reply);
      await home.save();
      this.#assertRuns();
      this.#isAnswered = true;
      yield UiPart({ type: "finish", finishReason: last.finish_reason });
      this.#close({ answer: reply });
      return reply;
    } catch (thrown) {
      const isCancelled = this.#isOver || this.ask.signal.aborted;
      const error = this.ask.signal.aborted ? this.ask.signal.reason : (this.#error ?? failureOf(thrown));
      if (!isCancelled) {
        home.thoughts = { ...home.thoughts, messages: before, open: null, turn: null };
        home.heard = heard;
        this.#close({ error });
      }
      throw error;
    } finally {
      this.#close("left");
    }
  }

  /** Asks the model, until it has no further step and no message is steered into the turn. */
  async *#think(): AsyncGenerator<UiPart, void, undefined> {
    const home = this.#home;
    for (;;) {
      const { length } = home.messages;
      await this.#compact();
      this.#before = Math.max(0, home.messages.length - (length - this.#before));
      this.#assertRuns();
      yield* this.#stream();
      this.#assertRuns();
      if (this.steered.length === 0) return;
      for (const ask of this.steered.splice(0)) this.#take(ask);
    }
  }

  /** Makes the lost turn of this run the present one. Returns whether there is one. The present one is set aside for its own run. */
  #resume(): boolean {
    const home = this.#home;
    const { run } = this.ask;
    const found = run === undefined ? undefined : recovered(home.thoughts, run);
    const thoughts = found ?? parked(home.thoughts);
    home.thoughts = thoughts;
    const { turn } = thoughts;
    this.#before = home.messages.length - (turn?.size ?? 0);
    this.#hasBegun = true;
    if (found === undefined || turn === null) return false;
    this.#runs = turn.runs;
    this.#last = turn.last;
    this.#isFinal = turn.isFinal && (home.open?.calls ?? []).length === 0;
    this.#meter.resume(turn.used);
    this.ask.isIn = true;
    this.#taken.push(this.ask);
    return true;
  }

  /** Continues the step that ran when the worker was lost. A step without a saved call is asked for again. */
  async *#goOn(): AsyncGenerator<UiPart, void, undefined> {
    const home = this.#home;
    const { open } = home;
    if (open === null || open.calls.length === 0) {
      yield* this.#told.close();
      home.open = null;
      return;
    }
    const { repeatable, agent, messages } = home;
    const tools: Readonly<Record<string, AiTool>> = { ...agent.tools };
    const joined = joinSignals(this.ask.signal, this.#abort.signal);
    try {
      const step = yield* goOnWithStep(open, {
        ...{ told: this.#told, tools, repeatable, messages, signal: this.#offered(joined.signal), gate: this.#calls },
        partsUntil: (ended) => this.#reader.partsUntil(ended),
      });
      this.#assertRuns();
      home.messages = [...messages, ...step];
    } finally {
      joined.letGo();
    }
    home.open = null;
    // The model has ended that call, and its tokens are not known.
    this.#meter.modelCalls += 1;
    await this.#saveStep();
    this.#assertRuns();
  }

  /** Ends the turn. Without an answer, the history keeps what is there of the present step. */
  #close(end: TurnEnd<Reply>): void {
    if (this.#isOver) return;
    this.#isOver = true;
    // The state stays as the next worker needs it.
    if (!this.isLeft) this.#foldStep();
    this.#reader.end();
    this.#abort.abort(this.#error ?? new CancelledError("The turn has ended."));
    this.#end(end);
  }

  #foldStep(): void {
    const home = this.#home;
    const { open } = home;
    if (this.#runs.length > 0) home.thoughts = { ...home.thoughts, turn: null };
    if (open === null) return;
    this.#home.messages = [...this.#home.messages, ...closedStep(open, noResult)];
    this.#home.open = null;
  }

  async #compact(): Promise<void> {
    const { signal, letGo } = joinSignals(this.ask.signal, this.#abort.signal);
    try {
      await this.#home.compact(this.#meter, signal);
    } finally {
      letGo();
    }
  }

  #assertRuns(): void {
    this.ask.signal.throwIfAborted();
    if (this.#error !== undefined) throw this.#error;
  }

  #take(ask: Ask): void {
    this.#taken.push(ask);
    if (ask.run !== undefined) this.#runs = [...this.#runs, ask.run];
    if (ask.isIn) return;
    ask.isIn = true;
    this.#isFinal = false;
    const home = this.#home;
    const { content } = ask;
    const message = content.of === "prompt" ? content.message : turnMessage(content.turn, home.heard, home.messages);
    if (message !== undefined) home.messages = [...home.messages, message];
    if (content.of === "team") home.heard = withHeard(home.heard, content.turn, null);
  }

  /** Returns the answer that the agent has given to this run, or to this turn of a team if the team asks for it again. */
  #knownAnswer(): ReplyFields | undefined {
    const { content, run } = this.ask;
    const { answered } = this.#home.thoughts;
    const known = run === undefined ? undefined : answered.find((one) => one.run === run);
    if (known !== undefined) return known.answer;
    return content.of === "team" ? answerTo(this.#home.heard, content.turn) : undefined;
  }

  /** Yields and returns an answer that the history has. */
  async *#again(known: ReplyFields): AsyncGenerator<UiPart, Reply, undefined> {
    this.#isAnswered = true;
    const told = this.#told;
    yield* told.close();
    if (!this.#goesOn || told.text !== known.text) yield* textParts(known.text);
    if (!told.hasFinish) yield UiPart({ type: "finish", finishReason: known.finish_reason });
    return Reply(known);
  }

  #noteAnswer(reply: Reply): void {
    const home = this.#home;
    if (this.#runs.length > 0) {
      const answerOf = (run: string) => ({ ...(run === this.ask.run ? reply : steeredReply(reply)) });
      const { answered } = home.thoughts;
      home.thoughts = { ...home.thoughts, turn: null, answered: withAnswers(answered, this.#runs, answerOf) };
    }
    for (const { content } of this.#taken) {
      if (content.of !== "team") continue;
      const answer = content === this.ask.content ? reply : steeredReply(reply);
      this.#home.heard = withHeard(this.#home.heard, content.turn, { ...answer });
    }
  }

  #reply(last: Pick<ReplyFields, "text" | "finish_reason">): Reply {
    return Reply({ ...last, ...this.#used });
  }

  get #used(): Pick<ReplyFields, "input_tokens" | "output_tokens" | "model_calls"> {
    const { inputTokens, outputTokens, modelCalls } = this.#meter;
    return { input_tokens: inputTokens, output_tokens: outputTokens, model_calls: modelCalls };
  }

  /** Saves the history behind a finished step. An agent that leaves lets its run go on at the next worker. */
  async #saveStep(): Promise<void> {
    this.#noteTurn();
    await this.#home.save();
    if (!this.#isFinal) this.#leaveIfAsked();
  }

  #leaveIfAsked(): void {
    const { run } = this.#home;
    if (run?.isLeaving === true) run.close();
    this.ask.signal.throwIfAborted();
  }

  /** Notes what the next worker needs to go on. */
  #noteTurn(): void {
    if (this.#runs.length === 0) return;
    const home = this.#home;
    const size = home.messages.length - this.#before;
    const turn = { runs: this.#runs, size, last: this.#last, isFinal: this.#isFinal, used: this.#used };
    home.thoughts = { ...home.thoughts, turn };
  }

  /** Whether saves wait until the reader was told what is saved. */
  get #waitsForReader(): boolean {
    return this.#home.run !== undefined && isToolLoop(this.#home.agent);
  }

  get #told(): ToldParts {
    return this.#reader.told;
  }

  /** Returns the signal with the scope of the turn. Tools find the turn by it. */
  #offered(joined: AbortSignal): AbortSignal {
    const signal = withScope(joined, this.#scope);
    offerTurn(signal, {
      put: (part) => this.#reader.put(part),
      fail: (error) => this.#fail(error),
      runOf: (toolCallId) => this.#runOf(toolCallId),
    });
    return signal;
  }

  /** Each worker of the turn finds the same run for a tool call. */
  #runOf(toolCallId: string): ToolRun | undefined {
    const [run] = this.#runs;
    const call = this.#home.open?.calls.find(({ id }) => id === toolCallId);
    if (run === undefined || call === undefined) return undefined;
    return {
      id: nestedRunId(run, toolCallId),
      hasBegun: call.begun === true && !this.#home.repeatable.includes(call.name),
      from: this.#told.agentNext(toolCallId),
      begun: () => this.#calls.begun(toolCallId),
    };
  }

  /** Streams one run of the agent, until it has no further step or a message is steered into the turn. */
  async *#stream(): AsyncGenerator<UiPart, void, undefined> {
    const home = this.#home;
    const stop = new AbortController();
    this.#stop = stop;
    const joined = joinSignals(this.ask.signal, this.#abort.signal, stop.signal);
    const signal = this.#offered(joined.signal);
    const first = home.messages;
    home.open = emptyStep;
    this.#calls.reset();
    const result = await startThinking(home.agent, {
      messages: [...first],
      abortSignal: signal,
      onStepFinish: (step) => this.#stepFinished(step, first, stop),
      tools: gatedTools(home.agent.tools, this.#calls),
    });
    let failure: unknown;
    const stream = result.toUIMessageStream({
      sendStart: false,
      sendFinish: false,
      onError: (error) => {
        failure = error;
        return errorText(error);
      },
    });
    const reader = stream.getReader();
    let isInStep = false;
    this.#begun = 0;
    this.#finished = 0;
    this.#toldBefore = this.#told.steps;
    try {
      for (let pending = reader.read(); ; ) {
        // A part that comes while another is read has its turn here, too.
        yield* this.#reader.takeParts();
        const won = await Promise.race([pending, this.#reader.nextPart()]);
        if (won === undefined) continue;
        if (won.done) break;
        pending = reader.read();
        // A read that fails later is seen when it is awaited, or not at all if the turn has ended.
        pending.catch(() => undefined);
        // UiPart itself checks that there is a type.
        const part = UiPart(plain(won.value) as UiPartFields);
        if (this.#isOver) break;
        if (part.type === "error") throw failureOf(failure);
        if (part.type === "tool-approval-request") throw needsApproval();
        if (part.type === "abort") continue;
        if (part.type === "start-step") {
          isInStep = true;
          this.#begun += 1;
        }
        if (part.type === "finish-step") isInStep = false;
        this.#note(part);
        yield part;
        this.#reader.tell(part);
      }
      if (isInStep && !this.#isOver) yield UiPart({ type: "finish-step" });
    } finally {
      this.#stop = undefined;
      this.#reader.streamEnds();
      stop.abort(steeredAway);
      joined.letGo();
      reader.cancel().catch(() => undefined);
    }
  }

  /** Keeps the text of the present step, in case that it is not finished. */
  #note({ type, delta }: UiPart): void {
    const { open } = this.#home;
    // The parts lag behind the steps: the history has the text of a finished step already.
    if (this.#begun <= this.#finished) return;
    if (open !== null && type === "text-delta" && typeof delta === "string") {
      this.#home.open = { ...open, text: open.text + delta };
    }
  }

  async #stepFinished(step: FinishedStep, first: readonly ModelMessage[], stop: AbortController): Promise<void> {
    if (this.#isOver || stop.signal.aborted) return;
    const home = this.#home;
    this.#meter.add(step);
    this.#finished += 1;
    const steps = this.#toldBefore + this.#finished;
    if (this.#waitsForReader) await this.#reader.whenTold(() => this.#told.steps >= steps);
    if (this.#isOver || stop.signal.aborted) return;
    const before = home.messages;
    home.messages = [...first, ...messagesSoFar(before.slice(first.length), plain(step.response.messages))];
    home.open = emptyStep;
    this.#calls.reset();
    this.#last = { text: step.text, finish_reason: step.finishReason };
    this.#isFinal = !continuesAfter(home.messages.slice(before.length));
    try {
      home.onStep?.(step);
      await this.#saveStep();
    } catch (error) {
      this.#fail(TroupeError.from(error));
    }
    if (this.steered.length > 0) stop.abort(steeredAway);
  }

  /** The turn can't continue. */
  #fail(error: TroupeError): void {
    this.#error ??= error;
    this.#stop?.abort(error);
  }

  /** Saves tool calls, or a result. */
  async #saveCalls(): Promise<void> {
    this.#noteTurn();
    try {
      await this.#home.save();
    } catch (error) {
      this.#fail(TroupeError.from(error));
      throw error;
    }
  }
}

const emptyStep: OpenStep = { text: "", calls: [] };

function failureOf(thrown: unknown): TroupeError {
  return TroupeError.from(thrown);
}

/** Returns the error of a tool that needs approval. */
export function needsApproval(name?: string): TroupeError {
  const what = name === undefined ? "A tool of the agent" : `The tool ${name}`;
  const text = `${what} needs approval, and AiAgent can't ask for it yet. Leave needsApproval out, or let the tool ask.`;
  return new TroupeError("invalid-argument", text);
}
