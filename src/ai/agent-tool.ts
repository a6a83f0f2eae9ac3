import {
  AgentId,
  assertKind,
  assertOptions,
  assertText,
  type CallScope,
  CancelledError,
  callable,
  flag,
  type MessageType,
  messageType,
  milliseconds,
  optionShape,
  scopeOf,
  TroupeError,
  text,
} from "../core/internal.ts";
import { lostNestedRun, openNestedRun, UiPart } from "../teams/internal.ts";
import type { Reply } from "./prompt-messages.ts";
import { type AiTool, type ToolModelOutput, toolOf } from "./sdk.ts";

/** The turn in which a tool runs, as `agentTool` sees it. */
export interface ToolTurn {
  /** Hands a part to the reader of the turn. Resolves when it was taken. */
  put(part: UiPart): Promise<void>;
  /** Ends the turn with this error. */
  fail(error: TroupeError): void;
  /** Returns the run by which a tool call asks its agent. Undefined: the turn is none of a kept run, or the call is not saved. */
  runOf(toolCallId: string): ToolRun | undefined;
}

/** The run by which a tool call asks its agent. */
export interface ToolRun {
  readonly id: string;
  /** Whether it has begun for an earlier worker of the turn, and must not begin once more. */
  readonly hasBegun: boolean;
  /** The offset of the first chunk that the reader of the turn was not told. */
  readonly from: number;
  /** Saves that the run has begun. */
  begun(): Promise<void>;
}

const turns = new WeakMap<AbortSignal, ToolTurn>();

/** Makes the turn known to the tools that are given its signal. */
export function offerTurn(signal: AbortSignal, turn: ToolTurn): void {
  turns.set(signal, turn);
}

/** Finds the agent that a tool asks, from the scope of the agent that thinks. */
export type ToolTarget = (scope: CallScope) => AgentId;

/** Options of `agentTool`. */
export interface AgentToolOptions<Answer> {
  /** The agent: an id, a function that finds it, or an agent type, which means its agent with the key `default`. */
  readonly to: string | AgentId | ToolTarget;
  /** Tells the model the use of the tool. */
  readonly description: string;
  /** Milliseconds until the model is told that the agent did not answer. Default: the time that is left to the turn. */
  readonly timeoutMs?: number | undefined;
  /** Whether the reader of the turn sees the agent's own chunks, as parts `data-agent`. Default: false. */
  readonly stream?: boolean | undefined;
  /**
   * Whether a turn that is a kept run asks by a run of its own, named after the run and the tool call. When the worker is lost, the next one finds that run
   * again. The agent must be one of Troupe, and should keep a state: others lose their runs with their workers. Other agents do not answer. Turns outside of
   * a run make a call. Default: false.
   */
  readonly run?: boolean | undefined;
  /** Makes the output that the model reads. Default: the text of a `Reply`; else the answer as JSON. */
  readonly toModelOutput?: ((answer: Answer) => ToolModelOutput) | undefined;
}

const shape = optionShape<AgentToolOptions<unknown>>({
  to: {
    expected: 'an agent type such as "forecaster", an AgentId, or a function that finds it',
    accepts: (value) =>
      typeof value === "function" || value instanceof AgentId || (typeof value === "string" && value !== ""),
  },
  description: text,
  timeoutMs: milliseconds,
  stream: flag,
  run: flag,
  toModelOutput: callable,
});

/**
 * Makes a tool of a message type: the model writes the message, another agent answers it. The agent may be in any process and language. Throws
 * `invalid-argument` for a type whose schema gives no JSON Schema.
 *
 * An error of the agent is told to the model with its code. `loop-detected` ends the turn, and so does the end of the turn's own time. A call of
 * the agent that thinks to itself fails as `deadlock`. A call that comes back to it by way of others, while its turn waits for them, does the same.
 * See `WhenBusy`.
 *
 * @example
 * ```ts
 * const tools = { forecast: agentTool(AskForecast, { to: "forecaster", description: "The weather in a city" }) };
 * ```
 */
export function agentTool<Message, Answer>(
  type: MessageType<Message, Answer>,
  options: AgentToolOptions<Answer>,
): AiTool {
  assertKind("type", type, messageType);
  assertOptions(options, shape, "agentTool");
  for (const name of ["to", "description"] as const) {
    if (options[name] === undefined) throw new TroupeError("invalid-argument", `agentTool needs the option ${name}.`);
  }
  const schema = type.jsonSchema?.();
  if (schema === undefined) {
    const problem = `${type.typeName} can't be a tool: its schema gives no JSON Schema. Declare it by defineMessage with a library that does, such as zod 4.2.`;
    throw new TroupeError("invalid-argument", problem);
  }
  const target = targetOf(options.to);
  // Values of a defined message are made by its type, which checks them.
  const make = type as unknown as (fields: unknown) => object;
  const tool = toolOf({
    description: options.description,
    schema,
    check: (value) => make(value),
    execute: (input, { toolCallId, abortSignal }) => {
      const scope = abortSignal === undefined ? undefined : scopeOf(abortSignal);
      if (abortSignal === undefined || scope === undefined) throw noScope(type.typeName);
      const call = { type, message: make(input), to: target(scope), scope, signal: abortSignal, toolCallId };
      if (call.to.equals(scope.agentId)) throw asksItself(call.to);
      return ask(call, options);
    },
    toModelOutput: modelOutputOf(options),
  });
  if (options.run === true && tool.execute !== undefined) runningTools.add(tool.execute);
  return tool;
}

/** The functions of tools that ask by runs. Copies of such a tool share its function. */
const runningTools = new WeakSet<object>();

/** Whether a tool asks its agent by a run in the turn of a kept run: it may be called again, and finds its run. */
export function asksByRun({ execute }: AiTool): boolean {
  return execute !== undefined && runningTools.has(execute);
}

/** Finds the agent of this type that has the key of the agent that thinks: `buyer/ada` for `concierge/ada`. */
export function sameKey(type: string): ToolTarget {
  assertText(type, "The agent type of sameKey");
  return ({ agentId }) => new AgentId(type, agentId.key);
}

function targetOf(to: string | AgentId | ToolTarget): ToolTarget {
  if (typeof to === "function") return to;
  const id = typeof to === "string" ? new AgentId(to, "default") : to;
  return () => id;
}

interface ToolCall {
  readonly type: MessageType;
  readonly message: object;
  readonly to: AgentId;
  readonly scope: CallScope;
  readonly signal: AbortSignal;
  readonly toolCallId: string;
}

type AskOptions = Pick<AgentToolOptions<unknown>, "timeoutMs" | "stream" | "run">;

async function ask(call: ToolCall, options: AskOptions): Promise<unknown> {
  const { signal, toolCallId } = call;
  const turn = turns.get(signal);
  const run = options.run === true ? turn?.runOf(toolCallId) : undefined;
  try {
    const answer = run === undefined ? await askByCall(call, turn, options) : await askByRun(call, run, turn, options);
    return { ...asFields(answer) };
  } catch (thrown) {
    const error = TroupeError.from(thrown);
    if (error.code === "loop-detected") turn?.fail(error);
    if (signal.aborted) throw new CancelledError("The turn has ended.", { cause: error });
    throw new TroupeError(error.code, `${error.code}: ${error.message}`, { cause: error });
  }
}

async function askByCall(
  { message, to, scope, signal, toolCallId }: ToolCall,
  turn: ToolTurn | undefined,
  { timeoutMs, stream = false }: AskOptions,
): Promise<unknown> {
  const options = { sender: scope.agentId, signal, timeoutMs };
  if (!stream) return scope.runtime.sendMessage(message, to, options);
  const answer = scope.runtime.stream(message, to, options);
  for await (const part of answer) await turn?.put(agentPart({ toolCallId, agent: `${to}`, part }));
  return answer.answer;
}

async function askByRun(
  { type, message, to, scope, signal, toolCallId }: ToolCall,
  { id, hasBegun, from, begun }: ToolRun,
  turn: ToolTurn | undefined,
  { timeoutMs, stream = false }: AskOptions,
): Promise<unknown> {
  const { runtime } = scope;
  const asked = { id, to, message, type, runtime, scope, signal, timeoutMs, hasBegun };
  const { run, letGo } = await openNestedRun(asked);
  try {
    if (!hasBegun) await begun();
    if (!stream) return await run.answer({ signal });
    const reading = run.read({ from, signal })[Symbol.asyncIterator]();
    for (let next = await reading.next(); ; next = await reading.next()) {
      if (next.done === true) return next.value;
      const { offset, chunk: part } = next.value;
      await turn?.put(agentPart({ toolCallId, agent: `${to}`, part, offset }));
    }
  } catch (error) {
    throw lostNestedRun(error, asked);
  } finally {
    letGo();
  }
}

function agentPart(data: object): UiPart {
  return UiPart({ type: "data-agent", data });
}

function asFields(answer: unknown): object {
  return typeof answer === "object" && answer !== null ? answer : { answer };
}

function modelOutputOf<Answer>({
  toModelOutput,
}: AgentToolOptions<Answer>): (options: { readonly output: unknown }) => ToolModelOutput {
  return ({ output }) => {
    // The answer was checked when it came; the AI SDK hands it on as it is.
    if (toModelOutput !== undefined) return toModelOutput(output as Answer);
    if (isReply(output)) return { type: "text", value: output.text };
    return { type: "text", value: JSON.stringify(output) };
  };
}

function isReply(output: unknown): output is Pick<Reply, "text"> {
  if (typeof output !== "object" || output === null) return false;
  return "text" in output && typeof output.text === "string" && "model_calls" in output;
}

/** The call would wait for the turn that waits for it. */
function asksItself(agent: AgentId): TroupeError {
  return new TroupeError("deadlock", `deadlock: ${agent} can't ask itself. Ask an agent with another key.`);
}

function noScope(typeName: string): TroupeError {
  const problem = `The tool for ${typeName} was not given the signal of an AiAgent. Use it in an AiAgent, without a time limit of the AI SDK: give the limit to the call.`;
  return new TroupeError("wrong-state", problem);
}
