import type { UnfinishedRun } from "../agents/unfinished-run.ts";
import type { RunChange } from "../state/stored-runs.ts";
import type { SavedRun } from "../state/writing-turns.ts";

/** A run that is kept, as the turn sees it that answers its message. */
export interface KeptRunTurn extends SavedRun {
  readonly id: string;
  /** Whether its agent leaves this worker, or the worker stops: the next one continues the run. */
  readonly isLeaving: boolean;
  /** Leaves the run to the next worker: aborts its handler as `shutting-down`, and writes nothing more of it. */
  close(): void;
  /** The run, if its agent continues it after its worker was lost. Undefined: it begins with its message. */
  readonly unfinished: UnfinishedRun | undefined;
  /** Writes that the handler begins. Undefined: that is written. Rejects if the handler must not begin. */
  begin(): Promise<void> | undefined;
  /** Returns the changes that end the run: the commit of the turn writes them. Rejects for an answer that can't be kept. Call `ended` after that. */
  ending(answer: unknown): Promise<readonly RunChange[]>;
  /** The commit with these changes is decided. */
  ended(isWritten: boolean): void;
}
