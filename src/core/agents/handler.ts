import { asList } from "../collections/as-list.ts";
import { brandClass } from "../copies.ts";
import { TroupeError } from "../errors.ts";
import { limitedLogOf } from "../limited-log.ts";
import type { Logger } from "../logger.ts";
import { assertMessageType, type MessageOf, type MessageType } from "../serialization/message-type.ts";
import { type ChunkGenerator, isChunkGenerator, pour } from "../streaming/pour.ts";
import { isThenable } from "../thenable.ts";
import { assertFunction } from "../validation/assert-arguments.ts";
import { assertOptions, optionShape } from "../validation/assert-options.ts";
import { callable, flag } from "../validation/option-kinds.ts";
import type { MessageContext } from "./message-context.ts";
import type { TurnKind } from "./turns.ts";
import { wrongChunkError, wrongResultError } from "./wrong-result.ts";

/** One message type or several; a handler of several gets the union of their values. */
export type MessageTypes = MessageType | readonly MessageType[];

type EachOf<Types extends MessageTypes> = Types extends readonly (infer Type)[] ? Type : Types;
type AnswerNamedBy<Type> = Type extends MessageType<infer _Message, infer Answer, infer _Chunk> ? Answer : never;
type ChunkNamedBy<Type> = Type extends MessageType<infer _Message, infer _Answer, infer Chunk> ? Chunk : never;

/** The values that a handler declared for these types is given. */
export type HandledMessage<Types extends MessageTypes> = MessageOf<EachOf<Types>>;

/** The answer that a handler of these types must return. It is `unknown` (anything) when one of the types names no answer. */
export type HandledAnswer<Types extends MessageTypes> = AnswerNamedBy<EachOf<Types>>;

/** The chunks that a handler of these types may yield. They are `unknown` (anything) when one of the types names no chunk. */
export type HandledChunk<Types extends MessageTypes> = ChunkNamedBy<EachOf<Types>>;

/** A value, or a promise of it. */
export type NowOrLater<T> = T | Promise<T>;

/** The result of a handler of calls: the answer, a promise of it, or a generator that yields chunks and returns the answer. */
export type HandlerResult<Types extends MessageTypes> =
  | NowOrLater<HandledAnswer<Types>>
  | AsyncGenerator<HandledChunk<Types>, HandledAnswer<Types>, undefined>;

/** Options of a declared handler. All are optional. */
export interface HandlerOptions<Message> {
  /** Chooses among handlers of the same type: the agent calls the first one whose `match` returns true. Default: always true. */
  readonly match?: ((message: Message, context: MessageContext) => boolean) | undefined;
  /** Whether an answer of an undeclared type is an error (true) or a warning (false). Default: true. */
  readonly strict?: boolean | undefined;
  /**
   * At a sequential agent: the handler runs together with others that are `readOnly`, and never beside one that is not. It must not
   * change the agent. Default: false.
   */
  readonly readOnly?: boolean | undefined;
  /**
   * At a sequential agent: the handler begins at once, whatever runs, and keeps no message waiting. For messages such as "stop" while
   * another handler waits for a model. Default: false.
   */
  readonly interleaves?: boolean | undefined;
}

const handlerShape = optionShape<HandlerOptions<unknown>>({
  match: callable,
  strict: flag,
  readOnly: flag,
  interleaves: flag,
});

/** Checks the message types and the options of a handler; `taker` names what it was declared with. */
export function assertDeclared(types: MessageTypes, options: unknown, taker: string): void {
  assertHandledTypes(asList(types));
  if (options !== undefined) assertOptions(options, handlerShape, taker);
}

/** The messages that a handler takes: `message` takes calls and events, `event` events only, `rpc` calls only. */
type HandlerKind = "message" | "event" | "rpc";

/** Takes handlers of every message type, because it has methods. The declaration has checked the handler's own type. */
interface Erased {
  handle(message: unknown, context: MessageContext): unknown;
  match(message: unknown, context: MessageContext): boolean;
}

/** A handler as tables and decorators hand it over. */
export interface DeclaredHandler {
  readonly kind: HandlerKind;
  readonly types: MessageTypes;
  readonly handle: Erased["handle"];
  readonly match?: Erased["match"] | undefined;
  readonly strict?: boolean | undefined;
  readonly readOnly?: boolean | undefined;
  readonly interleaves?: boolean | undefined;
}

/** The part of an agent that its handlers need. */
interface WithLogger {
  readonly id: { toString(): string };
  readonly runtime: { readonly logger: Logger };
}

/** The messages that a handler could take. */
interface HandlerReach {
  readonly kind: HandlerKind;
  readonly types: readonly MessageType[];
}

/** One declared handler: the messages that it takes, and the answers that it may return. */
// protocol.md §5.5
export class Handler {
  readonly types: readonly MessageType[];
  readonly kind: HandlerKind;
  /** The kind of turn that its messages take at a sequential agent. */
  readonly turn: TurnKind;
  readonly isReadOnly: boolean;
  readonly #handle: Erased["handle"];
  readonly #match: Erased["match"] | undefined;
  readonly #strict: boolean;
  /** The answer's type for each message type. Undefined when one names no answer: then every answer is right. */
  readonly #answers: readonly MessageType[] | undefined;
  /** The answer's type when all message types have the same one. The check then need not look at the message. */
  readonly #onlyAnswer: MessageType | undefined;
  /** Whether a message type names its chunks. */
  readonly #hasChunks: boolean;
  readonly #checkStrictly = (result: unknown): unknown => this.#checkSettled(undefined, this.#onlyAnswer, result);

  constructor(declared: DeclaredHandler) {
    this.types = asList(declared.types);
    assertHandledTypes(this.types);
    assertFunction(declared.handle, "The function of a handler");
    this.kind = declared.kind;
    this.turn = turnOf(declared);
    this.isReadOnly = declared.readOnly === true;
    this.#handle = declared.handle;
    this.#match = declared.match;
    this.#strict = declared.strict ?? true;
    const answers = this.types.flatMap(({ answer }) => answer ?? []);
    this.#answers = answers.length === this.types.length ? answers : undefined;
    this.#hasChunks = this.types.some(({ chunk }) => chunk !== undefined);
    this.#onlyAnswer = answers.every((answer) => answer === answers[0]) ? answers[0] : undefined;
  }

  /** Whether it takes this message, whose type is one of its own. */
  accepts(message: unknown, context: MessageContext): boolean {
    if (this.kind === "event" && context.isRpc) return false;
    if (this.kind === "rpc" && !context.isRpc) return false;
    const match = this.#match;
    return match === undefined || match(message, context);
  }

  /** Returns a type of the later handler of which it gets no message, because this one takes all that it could take. */
  typeHiddenFrom({ kind, types }: HandlerReach): MessageType | undefined {
    if (this.#match !== undefined || (this.kind !== "message" && this.kind !== kind)) return undefined;
    return types.find((type) => this.types.includes(type));
  }

  /** The result, or a promise of it, also of a generator; fails with `unexpected-answer` (warns, if not strict) when its type is not declared. */
  run(agent: WithLogger, message: unknown, context: MessageContext): unknown {
    const result = this.#handle.call(agent, message, context);
    if (this.kind !== "event" && this.#answers === undefined && !this.#hasChunks) return result;
    if (!isThenable(result)) {
      if (isChunkGenerator(result)) return this.#pour(agent, message, context, result);
      return this.#checkSettled(agent, this.#answerTo(message), result);
    }
    const check =
      this.#strict && (this.kind === "event" || this.#onlyAnswer !== undefined)
        ? this.#checkStrictly
        : (settled: unknown) => this.#checkSettled(agent, this.#answerTo(message), settled);
    return result instanceof Promise ? result.then(check) : Promise.resolve(result).then(check);
  }

  /** Sends the chunks of a generator, and checks them and what it returns. */
  async #pour(
    agent: WithLogger,
    message: unknown,
    context: MessageContext,
    generator: ChunkGenerator,
  ): Promise<unknown> {
    const allowed = this.#hasChunks ? this.types.find((type) => type.is(message))?.chunk : undefined;
    const check = (chunk: unknown): void => {
      if (allowed?.is(chunk) === false) this.#complain(agent, wrongChunkError(chunk, allowed.typeName), "");
    };
    return this.#checkSettled(agent, this.#answerTo(message), await pour(generator, context, check));
  }

  /** Returns the answer's type that the message's own type names. */
  #answerTo(message: unknown): MessageType | undefined {
    return this.#onlyAnswer ?? this.#answers?.[this.types.findIndex((type) => type.is(message))];
  }

  #checkSettled(agent: WithLogger | undefined, answer: MessageType | undefined, result: unknown): unknown {
    if (this.kind === "event") {
      if (result === undefined || result === null) return undefined;
      this.#complain(agent, wrongResultError(result, undefined), " The runtime ignores it.");
      return undefined;
    }
    if (answer === undefined || answer.is(result)) return result;
    this.#complain(agent, wrongResultError(result, answer.typeName), "");
    return result;
  }

  #complain(agent: WithLogger | undefined, error: TroupeError, consequence: string): void {
    if (this.#strict || agent === undefined) throw error;
    const types = this.types.map(({ typeName }) => typeName).join(", ");
    const fields = { agent: String(agent.id), handlerOf: types };
    limitedLogOf(agent.runtime.logger).warn(
      error.message + consequence,
      fields,
      `A handler of ${types} returned a wrong result`,
    );
  }
}
brandClass(Handler, "Handler");

function turnOf({ interleaves, readOnly }: DeclaredHandler): TurnKind {
  if (interleaves === true) return "interleaving";
  return readOnly === true ? "reading" : "alone";
}

/** Throws for an undefined type: modules that import each other can see constants before they are set. */
function assertHandledTypes(types: readonly (MessageType | undefined)[]): void {
  if (types.length === 0) throw new TroupeError("invalid-argument", "A handler needs at least one message type.");
  if (types.includes(undefined)) {
    throw new TroupeError(
      "invalid-argument",
      "A handler was declared for undefined instead of a message type. Do its module and this one import each other?",
    );
  }
  for (const type of types) assertMessageType(type, "What a handler is declared for");
}
