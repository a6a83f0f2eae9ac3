import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";

export interface ProcessOptions {
  /** Takes each line it writes, to stdout or stderr. */
  readonly onLine: (line: string) => void;
}

/** A program in a process of its own: its lines can be waited for, and it is ended with SIGTERM. */
export class RunningProgram implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #lines: string[] = [];
  readonly #waiting = new Set<() => void>();
  /** The exit code (or the name of the signal that ended it), once it has ended. */
  readonly ended: Promise<number | string>;
  #hasEnded = false;

  constructor(command: string, args: readonly string[], { onLine }: ProcessOptions) {
    this.#child = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"] });
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      if (stream === null) continue;
      createInterface({ input: stream }).on("line", (line) => {
        this.#lines.push(line);
        onLine(line);
        this.#wake();
      });
    }
    this.ended = new Promise((resolve, reject) => {
      this.#child.once("error", reject);
      this.#child.once("close", (code, signal) => {
        this.#hasEnded = true;
        this.#wake();
        resolve(code ?? signal ?? "unknown");
      });
    });
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** The first line (past ones count) that contains `text`; rejects when the program ends without one. */
  async line(text: string): Promise<string> {
    for (;;) {
      const found = this.#lines.find((line) => line.includes(text));
      if (found !== undefined) return found;
      if (this.#hasEnded) throw new Error(`it ended without saying "${text}":\n${this.#lines.join("\n")}`);
      await new Promise<void>((resolve) => this.#waiting.add(resolve));
    }
  }

  /** Asks it to end, waits, and gives its exit code; one that has not ended after 10 s is killed. */
  async stop(): Promise<number | string> {
    const killing = setTimeout(() => this.#child.kill("SIGKILL"), 10_000);
    this.#child.kill("SIGTERM");
    const code = await this.ended;
    clearTimeout(killing);
    return code;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#hasEnded) await this.stop();
  }

  #wake(): void {
    for (const resolve of this.#waiting) resolve();
    this.#waiting.clear();
  }
}

/** Starts a program of this project that lies beside the caller's, run the way the caller is (compiled, or from source). */
export function startProgram(file: string, args: readonly string[], options: ProcessOptions): RunningProgram {
  return new RunningProgram(process.execPath, [...process.execArgv, file, ...args], options);
}
