import { brandClass } from "../copies.ts";
import { type ErrorCode, TroupeError, type TroupeErrorOptions } from "../errors.ts";

/** A failed function call. */
export interface ToolFailure {
  /** Id of the failed function call. */
  readonly callId: string;
  /** Description of the failure for the model; also the error's message. */
  readonly content: string;
  /** Name of the tool. */
  readonly toolName: string;
}

// protocol.md §5.5
/** Error of a tool agent that could not serve a function call. Named as in AutoGen. */
export abstract class ToolException extends TroupeError {
  override readonly name: string = "ToolException";
  readonly callId: string;
  readonly toolName: string;

  constructor(code: ErrorCode, failure: ToolFailure, options?: TroupeErrorOptions) {
    super(code, failure.content, options);
    this.callId = failure.callId;
    this.toolName = failure.toolName;
  }

  /** Same as `message`. */
  get content(): string {
    return this.message;
  }
}
brandClass(ToolException, "ToolException");

/** The tool agent has no tool of this name (code `tool-not-found`). */
export class ToolNotFoundException extends ToolException {
  override readonly name = "ToolNotFoundException";
  constructor(failure: ToolFailure, options?: TroupeErrorOptions) {
    super("tool-not-found", failure, options);
  }
}
brandClass(ToolNotFoundException, "ToolNotFoundException");

/** The arguments of the call are not JSON (code `invalid-tool-arguments`). */
export class InvalidToolArgumentsException extends ToolException {
  override readonly name = "InvalidToolArgumentsException";
  constructor(failure: ToolFailure, options?: TroupeErrorOptions) {
    super("invalid-tool-arguments", failure, options);
  }
}
brandClass(InvalidToolArgumentsException, "InvalidToolArgumentsException");

/** The tool rejected its arguments or failed (code `tool-failed`). */
export class ToolExecutionException extends ToolException {
  override readonly name = "ToolExecutionException";
  constructor(failure: ToolFailure, options?: TroupeErrorOptions) {
    super("tool-failed", failure, options);
  }
}
brandClass(ToolExecutionException, "ToolExecutionException");
