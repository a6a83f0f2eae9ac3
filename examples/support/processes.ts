import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";

export interface ProcessOptions {
  /** Receives each line that the program writes to standard output or standard error. */
  readonly onLine: (line: string) => void;
  /** The folder in which the program runs. Default: the one of this process. */
  readonly cwd?: string;
  /** The user as whom the program runs. Default: the one of this process. */
  readonly user?: { readonly uid: number; readonly gid: number };
}

const running = new Set<ChildProcess>();

/** Kills a process when this one exits. */
function endWithUs(child: ChildProcess): void {
  // First of the listeners: another one deletes the folders of programs.
  if (!process.listeners("exit").includes(killAll)) process.prependListener("exit", killAll);
  running.add(child);
}

function killAll(): void {
  for (const child of running) child.kill("SIGKILL");
}

/** A program in its own process. Its lines can be awaited; SIGTERM ends it. It does not outlive this process. */
export class RunningProgram implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #lines: string[] = [];
  readonly #waiting = new Set<() => void>();
  /** Resolves when the program has ended, to its exit code or to the name of the process signal that ended it. */
  readonly ended: Promise<number | string>;
  #hasEnded = false;

  constructor(command: string, args: readonly string[], { onLine, cwd, user }: ProcessOptions) {
    this.#child = spawn(command, args, { cwd, ...user, stdio: ["ignore", "pipe", "pipe"] });
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      if (stream === null) continue;
      createInterface({ input: stream }).on("line", (line) => {
        this.#lines.push(line);
        onLine(line);
        this.#wake();
      });
    }
    endWithUs(this.#child);
    this.ended = new Promise((resolve, reject) => {
      this.#child.once("error", reject);
      this.#child.once("close", (code, signal) => {
        running.delete(this.#child);
        this.#hasEnded = true;
        this.#wake();
        resolve(code ?? signal ?? "unknown");
      });
    });
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** Returns the first line that contains `text`, past lines included. Rejects if the program ends without one. */
  async line(text: string): Promise<string> {
    for (;;) {
      const found = this.#lines.find((line) => line.includes(text));
      if (found !== undefined) return found;
      if (this.#hasEnded) throw new Error(`it ended without saying "${text}":\n${this.#lines.join("\n")}`);
      await new Promise<void>((resolve) => this.#waiting.add(resolve));
    }
  }

  /** Sends SIGTERM or another process signal, waits, and returns the exit code. Kills the program after 10 s. */
  async stop(signal: NodeJS.Signals = "SIGTERM"): Promise<number | string> {
    const killing = setTimeout(() => this.#child.kill("SIGKILL"), 10_000);
    this.#child.kill(signal);
    const code = await this.ended;
    clearTimeout(killing);
    return code;
  }

  /** Ends the program as `kill -9` does: it can finish and save nothing. Resolves when it has ended. */
  async kill(): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#hasEnded) await this.stop();
  }

  #wake(): void {
    for (const resolve of this.#waiting) resolve();
    this.#waiting.clear();
  }
}

/** Starts a program beside the caller's file, compiled or from source as the caller is. */
export function startProgram(file: string, args: readonly string[], options: ProcessOptions): RunningProgram {
  return new RunningProgram(process.execPath, [...process.execArgv, file, ...args], options);
}
