import { errorText, type Logger } from "../core/internal.ts";

/** Where a process writes. An error ends none of its streams: the next write is tried again. */
export interface OutputStream {
  write(line: string, written?: (error?: Error | null) => void): boolean;
  on(event: "error", listener: (error: NodeJS.ErrnoException) => void): unknown;
}

/** The parts of a process that a command writes to. */
export interface OutputOfProcess {
  readonly stdout: OutputStream;
  readonly stderr: OutputStream;
  exit(code?: number): void;
}

/**
 * Decides what becomes of a process whose output can't be written, where Node would end it with a stack trace. A reader that has seen enough, such as
 * `head`, ends a command in order. A host lives on in any case: others need it, and its log may have a reader again.
 */
export function outliveOutput(target: OutputOfProcess, { isHost }: { readonly isHost: boolean }): void {
  // Lost lines of a host's log are counted where they are written.
  target.stderr.on("error", () => undefined);
  target.stdout.on("error", (error) => {
    if (isHost) return;
    if (error.code === "EPIPE") return target.exit();
    target.stderr.write(`error: The output can't be written: ${errorText(error)}\n`);
    target.exit(1);
  });
}

/** Where a log goes. It counts the lines that could not be written, as on a full disk, and says how many once it can. */
export class LogOutput {
  /** Of the log itself: set once it is made. */
  logger: Logger | undefined;
  readonly #stream: OutputStream;
  #lost = 0;

  constructor(stream: OutputStream) {
    this.#stream = stream;
  }

  write(line: string): void {
    // A disk that gets full may take the beginning of a line: what follows begins on a line of its own.
    this.#stream.write(this.#lost > 0 ? `\n${line}` : line, (error) => {
      if (error !== null && error !== undefined) {
        this.#lost += 1;
        return;
      }
      const count = this.#lost;
      this.#lost = 0;
      if (count > 0) this.logger?.warn("lines of the log could not be written", { count });
    });
  }
}
