import { type ErrorCode, TroupeError, type TroupeErrorOptions } from "../errors.ts";

export interface ToolFailure {
  /** The id of the function call that failed. */
  readonly callId: string;
  /** What went wrong, as the model is told; also the error's text. */
  readonly content: string;
  /** The tool's name. */
  readonly toolName: string;
}

/** A tool agent could not serve a function call (AutoGen's names; protocol.md §5.5). */
export abstract class ToolException extends TroupeError {
  override readonly name: string = "ToolException";
  readonly callId: string;
  readonly toolName: string;

  constructor(code: ErrorCode, failure: ToolFailure, options?: TroupeErrorOptions) {
    super(code, failure.content, options);
    this.callId = failure.callId;
    this.toolName = failure.toolName;
  }

  /** The same as `message`. */
  get content(): string {
    return this.message;
  }
}

/** The tool agent has no tool of this name (code `tool-not-found`). */
export class ToolNotFoundException extends ToolException {
  override readonly name = "ToolNotFoundException";
  constructor(failure: ToolFailure, options?: TroupeErrorOptions) {
    super("tool-not-found", failure, options);
  }
}

/** The call's arguments are not JSON (code `invalid-tool-arguments`). */
export class InvalidToolArgumentsException extends ToolException {
  override readonly name = "InvalidToolArgumentsException";
  constructor(failure: ToolFailure, options?: TroupeErrorOptions) {
    super("invalid-tool-arguments", failure, options);
  }
}

/** The tool refused its arguments or failed (code `tool-failed`). */
export class ToolExecutionException extends ToolException {
  override readonly name = "ToolExecutionException";
  constructor(failure: ToolFailure, options?: TroupeErrorOptions) {
    super("tool-failed", failure, options);
  }
}
