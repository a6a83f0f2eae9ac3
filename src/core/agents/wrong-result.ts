import { TroupeError } from "../errors.ts";
import { messageTypeText } from "../serialization/message-index.ts";

/** A result of a handler that its declaration does not allow. */
interface WrongResult {
  /** The name of the type that came. */
  readonly came: string;
  /** The name of the type that is allowed. Undefined: the handler of an event returns nothing. */
  readonly allowed: string | undefined;
  /** Whether it is a chunk that the handler yielded. Default: it is what the handler returned. */
  readonly isChunk?: boolean;
}

const results = new WeakMap<object, WrongResult>();
const stockTexts = new WeakMap<object, string>();

/** Makes the error for a handler that returned `result`. The dispatcher adds which handler it was. */
export function wrongResultError(result: unknown, allowed: string | undefined): TroupeError {
  const wrong = { came: messageTypeText(result), allowed };
  return remember(new TroupeError("unexpected-answer", wrongResultText(wrong)), wrong);
}

/** As `wrongResultError`, for a chunk that the handler yielded. */
export function wrongChunkError(chunk: unknown, allowed: string): TroupeError {
  const wrong = { came: messageTypeText(chunk), allowed, isChunk: true };
  return remember(new TroupeError("unexpected-answer", wrongResultText(wrong)), wrong);
}

/** Describes a handler's wrong result; `which` names the handler. */
export function wrongResultText({ came, allowed, isChunk }: WrongResult, which = "A handler"): string {
  const isNothing = came === "NoneType";
  const isUndeclared = undeclaredNames.has(came);
  const returned = isNothing ? "nothing" : isUndeclared ? undeclaredText(came) : came;
  if (allowed === undefined) return `${which} returned ${returned}, but the handler of an event returns nothing.`;
  if (isChunk === true) {
    const yielded = `${which} yielded ${returned}, but its chunks must be ${allowed}.`;
    if (isUndeclared) return `${yielded} Yield a value of that type${exampleOf(allowed)}.`;
    return isNothing ? `${yielded} Yield that.` : `${yielded} Yield that, or name ${came} as the chunk.`;
  }
  const wrong = `${which} returned ${returned}, but its answer must be ${allowed}.`;
  if (isNothing) return `${wrong} Return that, or name voidMessage as the answer.`;
  if (isUndeclared) return `${wrong} Return a value of that type${exampleOf(allowed)}.`;
  return `${wrong} Return that, or name ${came} as the answer.`;
}

/** JavaScript's names for values of no declared type. Workers tell each other no more of a wrong result than such a name. */
const undeclaredNames: ReadonlySet<string> = new Set([
  ...["Object", "Array", "String", "Number", "Boolean", "Promise", "Map", "Set", "Date", "Error", "object"],
  ...["string", "number", "boolean", "bigint", "symbol", "function"],
]);

function undeclaredText(came: string): string {
  if (came === "Object" || came === "object") return "a plain object";
  return `a value of no declared message type (${came})`;
}

/** Shows how `defineMessage` makes a value of the allowed types. Their names stand in a list. */
function exampleOf(allowed: string): string {
  const names = allowed.split(", ").filter((name) => /^[\p{L}_$][\p{L}\p{N}_$]*$/u.test(name));
  return names.length === 0 ? "" : `: ${names.map((name) => `${name}({ … })`).join(" or ")}`;
}

/** Returns the same failure with the names of the agent and the message, if it is a wrong result; else the failure itself. */
export function namingHandler(failure: unknown, agent: { toString(): string }, message: unknown): unknown {
  if (typeof failure !== "object" || failure === null) return failure;
  const wrong = results.get(failure);
  if (wrong === undefined) return failure;
  const text = wrongResultText(wrong, `The handler of ${agent.toString()} for ${messageTypeText(message)}`);
  return remember(new TroupeError("unexpected-answer", text, { cause: failure }), wrong);
}

// protocol.md §5.5
/** Returns the text of the failure that stock peers know; undefined for one that has the same text for all. */
export function stockTextOf(failure: unknown): string | undefined {
  return typeof failure === "object" && failure !== null ? stockTexts.get(failure) : undefined;
}

function remember(error: TroupeError, wrong: WrongResult): TroupeError {
  results.set(error, wrong);
  const { came, allowed, isChunk } = wrong;
  // Stock peers yield no chunks, and have no text for a wrong one.
  if (isChunk === true) return error;
  const stock = allowed === undefined ? "is not None." : `not in return types [${allowed}]`;
  stockTexts.set(error, `Return type ${came} ${stock}`);
  return error;
}
