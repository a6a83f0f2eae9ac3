import { type ChildProcess, spawn } from "node:child_process";
import { join, resolve } from "node:path";

const root = resolve(import.meta.dirname, "../..");
/** Runs the project's TypeScript as it is, with `troupe/...` meaning src. */
const fromSource = ["--import", join(root, "tools/typescript.mjs"), "-C", "troupe-source"];

export interface ProgramOptions {
  /** Added to this process's environment; an undefined value takes a variable out. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** The id of the user and the group that it runs as; only root may choose. Default: those of this process. */
  readonly user?: number;
  /** The folder in which it runs. Default: the project's. */
  readonly cwd?: string;
}

/** What is left of a program that has ended. */
export interface EndedProgram {
  /** The exit code, or the name of the signal that ended it. */
  readonly code: number | string;
  readonly stdout: string;
  readonly stderr: string;
}

/** A TypeScript program of the project as a real process. Disposing kills it if it still runs. */
export class NodeProgram implements AsyncDisposable {
  readonly ended: Promise<EndedProgram>;
  readonly #child: ChildProcess;
  readonly #wakers = new Set<() => void>();
  #stdout = "";
  #stderr = "";
  #hasEnded = false;

  /** `file` is relative to the project's folder. */
  constructor(file: string, args: readonly string[] = [], options: ProgramOptions = {}) {
    const env = { ...process.env, ...options.env };
    this.#child = spawn(process.execPath, [...fromSource, join(root, file), ...args], {
      env,
      cwd: options.cwd ?? root,
      ...(options.user !== undefined && { uid: options.user, gid: options.user }),
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.#child.stdout?.on("data", (chunk: Buffer) => {
      this.#stdout += chunk.toString();
      this.#wake();
    });
    this.#child.stderr?.on("data", (chunk: Buffer) => {
      this.#stderr += chunk.toString();
      this.#wake();
    });
    this.ended = new Promise((resolveEnded, rejectEnded) => {
      this.#child.once("error", rejectEnded);
      this.#child.once("close", (code, signal) => {
        this.#hasEnded = true;
        this.#wake();
        resolveEnded({ code: code ?? signal ?? "unknown", stdout: this.#stdout, stderr: this.#stderr });
      });
    });
  }

  /** The first match in what it has written to stdout so far or will write; rejects when it ends without one. */
  output(pattern: RegExp): Promise<RegExpExecArray> {
    return this.#find(pattern, () => this.#stdout);
  }

  /** The same of what it writes to stderr. */
  errorOutput(pattern: RegExp): Promise<RegExpExecArray> {
    return this.#find(pattern, () => this.#stderr);
  }

  /** Closes this end of both pipes, as a reader that ends does. */
  stopReading(): void {
    this.#child.stdout?.destroy();
    this.#child.stderr?.destroy();
  }

  get isRunning(): boolean {
    return !this.#hasEnded;
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** Sends a signal and waits for the end. */
  async stop(signal: NodeJS.Signals = "SIGTERM"): Promise<EndedProgram> {
    this.#child.kill(signal);
    return await this.ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#hasEnded) await this.stop("SIGKILL");
  }

  async #find(pattern: RegExp, text: () => string): Promise<RegExpExecArray> {
    for (;;) {
      const match = pattern.exec(text());
      if (match !== null) return match;
      if (this.#hasEnded) throw new Error(`it ended without ${pattern}:\n${this.#stdout}\n${this.#stderr}`);
      await new Promise<void>((wake) => this.#wakers.add(wake));
    }
  }

  #wake(): void {
    for (const wake of this.#wakers) wake();
    this.#wakers.clear();
  }
}
