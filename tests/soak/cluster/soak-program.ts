import { type ChildProcess, spawn } from "node:child_process";
import { resolve } from "node:path";
import process from "node:process";
import { createInterface } from "node:readline";

const root = resolve(import.meta.dirname, "../../..");
/** Lines of a program that are kept, to say how it ended. */
const mostKept = 40;

export interface SoakProgramOptions {
  readonly name: string;
  readonly command: readonly string[];
  /** The folder in which it runs. Default: the project's. */
  readonly cwd?: string;
  /** Gets each line that it writes to stderr. */
  readonly onLog?: (line: string) => void;
}

/** Returns the command of a TypeScript program of the project, by its path in it. */
export function typeScriptCommand(file: string, ...args: readonly string[]): readonly string[] {
  const flags = ["--import", resolve(root, "tools/typescript.mjs"), "-C", "troupe-source"];
  return [process.execPath, ...flags, resolve(root, file), ...args];
}

/** A program of a soak. It says which ends were not meant. */
export class SoakProgram {
  readonly name: string;
  readonly ended: Promise<void>;
  /** Its end in words, if that was not meant. */
  problem: string | undefined;
  readonly #child: ChildProcess;
  readonly #lines: string[] = [];
  readonly #wakers = new Set<() => void>();
  #isMeantToEnd = false;
  #hasEnded = false;

  constructor({ name, command: [file = "", ...args], cwd = root, onLog = () => {} }: SoakProgramOptions) {
    this.name = name;
    this.#child = spawn(file, args, { cwd, stdio: ["ignore", "pipe", "pipe"] });
    const keep = (line: string): void => {
      this.#lines.push(line);
      if (this.#lines.length > mostKept) this.#lines.shift();
      this.#wake();
    };
    if (this.#child.stdout !== null) createInterface({ input: this.#child.stdout }).on("line", keep);
    if (this.#child.stderr !== null) {
      createInterface({ input: this.#child.stderr }).on("line", (line) => {
        keep(line);
        onLog(line);
      });
    }
    this.ended = new Promise((resolveEnded) => {
      this.#child.once("error", (error) => keep(error.message));
      this.#child.once("close", (code, signal) => {
        this.#hasEnded = true;
        if (!this.#isMeantToEnd) this.problem = `${name} ended by itself with ${code ?? signal}: ${this.lastLines}`;
        this.#wake();
        resolveEnded();
      });
    });
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  get isRunning(): boolean {
    return !this.#hasEnded;
  }

  get lastLines(): string {
    return this.#lines.slice(-8).join(" | ");
  }

  /** The newest kept line that matches. */
  last(pattern: RegExp): RegExpExecArray | undefined {
    return this.#lines.map((line) => pattern.exec(line)).findLast((match) => match !== null) ?? undefined;
  }

  /** Resolves to the first match in a line; rejects when it ends without one. */
  async line(pattern: RegExp): Promise<RegExpExecArray> {
    for (;;) {
      const match = this.last(pattern);
      if (match !== undefined) return match;
      if (this.#hasEnded) throw new Error(`${this.name} ended without ${pattern}: ${this.lastLines}`);
      await new Promise<void>((wake) => this.#wakers.add(wake));
    }
  }

  /** Stops and starts the time of the process; it lives on. */
  signal(signal: "SIGSTOP" | "SIGCONT"): void {
    this.#child.kill(signal);
  }

  /** From now on it may end. */
  mayEnd(): void {
    this.#isMeantToEnd = true;
  }

  /** Ends it and waits for that. */
  async end(signal: "SIGTERM" | "SIGKILL"): Promise<void> {
    this.mayEnd();
    this.#child.kill(signal);
    await this.ended;
  }

  #wake(): void {
    for (const wake of this.#wakers) wake();
    this.#wakers.clear();
  }
}
