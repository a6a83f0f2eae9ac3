/** A run of a persistent agent whose worker was lost while its handler ran. */
export interface UnfinishedRun<Message = unknown> {
  readonly id: string;
  /** The message with which the run began. */
  readonly message: Message;
  /** The text that the start gave. Empty: none. */
  readonly owner: string;
  /** The offset of the next chunk: the number of chunks that are written. */
  readonly next: number;
  /** 1 for the first worker that continues the run since it began, or since its last `saveNow`. The runtime ends the run in place of the sixth. */
  readonly takeovers: number;
  /** Decodes the chunks that are written, with their offsets. A run beyond its bound has lost its oldest ones. */
  chunks(): Iterable<{ readonly offset: number; readonly chunk: unknown }>;
}

/** Whether the agents of a class continue their unfinished runs. */
export function continuesRuns(agentClass: unknown): boolean {
  if (typeof agentClass !== "function") return false;
  // The prototype of a class holds its methods.
  const prototype: unknown = agentClass.prototype;
  return (
    typeof prototype === "object" && prototype !== null && typeof Reflect.get(prototype, "continueRun") === "function"
  );
}
