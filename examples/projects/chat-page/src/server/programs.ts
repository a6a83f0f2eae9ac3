import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { createInterface } from "node:readline";
import { setTimeout as pause } from "node:timers/promises";

/** Runs a program, and starts it again a second after it has ended, until it is disposed of. */
export class KeptProgram implements AsyncDisposable {
  readonly #start: () => ChildProcess;
  readonly #readyLine: string;
  readonly #waiting = new Set<(error?: Error) => void>();
  readonly #isOver = new AbortController();
  readonly #kept: Promise<void>;
  #child: ChildProcess;
  #isReady = false;
  /** The error for which the program is not started again. */
  #failure: Error | undefined;

  /** `readyLine` is what the program says when it can be used. */
  constructor(command: string, args: readonly string[], { readyLine }: { readonly readyLine: string }) {
    this.#start = () => spawn(command, args, { stdio: ["ignore", "pipe", "inherit"] });
    this.#readyLine = readyLine;
    this.#child = this.#start();
    this.#kept = this.#keep();
    process.once("exit", () => this.#child.kill("SIGKILL"));
  }

  /** Resolves when the program can be used, also after it was started again. Rejects if it ends before. */
  async ready(): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#isReady) return;
    await new Promise<void>((resolve, reject) => {
      this.#waiting.add((error) => (error === undefined ? resolve() : reject(error)));
    });
  }

  /** Sends a signal of the operating system. A program that is killed is not ready until it has started again. */
  signal(name: NodeJS.Signals): void {
    if (name === "SIGKILL") this.#isReady = false;
    this.#child.kill(name);
  }

  /** Sends SIGTERM, and waits. Kills the program after 5 s: an agent of Python that waits for its model does not stop. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#isOver.abort();
    this.#child.kill("SIGTERM");
    const killing = setTimeout(() => this.#child.kill("SIGKILL"), 5_000);
    await this.#kept;
    clearTimeout(killing);
    this.#tell(new Error("The program was stopped."));
  }

  async #keep(): Promise<void> {
    for (;;) {
      const wasReady = await this.#endOf(this.#child);
      if (this.#isOver.signal.aborted) return;
      if (!wasReady) {
        this.#failure = new Error(`A program has ended before it said "${this.#readyLine}".`);
        return this.#tell(this.#failure);
      }
      console.log("a program has ended, and is started again");
      await pause(1_000, undefined, { signal: this.#isOver.signal }).catch(() => {});
      if (this.#isOver.signal.aborted) return;
      this.#child = this.#start();
    }
  }

  /** Resolves when the program has ended, to whether it was ready before. */
  async #endOf(child: ChildProcess): Promise<boolean> {
    let wasReady = false;
    if (child.stdout !== null) {
      createInterface({ input: child.stdout }).on("line", (line) => {
        console.log(line);
        if (line !== this.#readyLine) return;
        wasReady = true;
        this.#isReady = true;
        this.#tell();
      });
    }
    await new Promise<unknown>((resolve) => child.once("close", resolve).once("error", resolve));
    this.#isReady = false;
    return wasReady;
  }

  #tell(error?: Error): void {
    for (const settle of this.#waiting) settle(error);
    this.#waiting.clear();
  }
}

/** Finds a Python with AutoGen: TROUPE_PYTHON, or the first on the PATH. */
export function findPython(): string | undefined {
  const chosen = process.env.TROUPE_PYTHON;
  const program = "from importlib.util import find_spec as f; exit(not (f('autogen_ext') and f('grpc')))";
  return (chosen ? [chosen] : ["python3", "python"]).find(
    (python) => spawnSync(python, ["-c", program], { stdio: "ignore" }).status === 0,
  );
}
