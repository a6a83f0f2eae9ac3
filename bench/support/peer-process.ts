import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";

/** A line from a benchmark's process: one JSON object, whose `event` names it. */
export interface PeerLine {
  readonly event: string;
  readonly [field: string]: unknown;
}

/**
 * A process of a benchmark, driven over its stdin and stdout: one JSON object a line each way. Lines that are not JSON
 * are kept for the error message. It must end by itself when its stdin closes.
 */
export class PeerProcess {
  readonly name: string;
  readonly #child: ChildProcess;
  readonly #lines: PeerLine[] = [];
  readonly #noise: string[] = [];
  readonly #takers = new Map<string, (line: PeerLine) => void>();
  readonly #ended: Promise<void>;
  #hasEnded = false;
  #wake = () => {};

  constructor(name: string, command: string, args: readonly string[]) {
    this.name = name;
    this.#child = spawn(command, args, { stdio: ["pipe", "pipe", "pipe"] });
    this.#child.stdin?.on("error", () => {}); // it has ended: `next` says so
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      if (stream !== null) createInterface({ input: stream }).on("line", (line) => this.#take(line));
    }
    this.#ended = new Promise((resolve) => {
      this.#child.once("error", (error) => this.#noise.push(error.message));
      this.#child.once("close", () => {
        this.#hasEnded = true;
        this.#wake();
        resolve();
      });
    });
  }

  /** Undefined when it could not be started. */
  get pid(): number | undefined {
    return this.#child.pid;
  }

  send(command: object): void {
    this.#child.stdin?.write(`${JSON.stringify(command)}\n`);
  }

  /** The next line with this event; those before it are passed over. Rejects when the process ends without it. */
  next(event: string): Promise<PeerLine> {
    return this.#until(`"${event}"`, () => {
      for (let line = this.#lines.shift(); line !== undefined; line = this.#lines.shift()) {
        if (line.event === event) return line;
      }
      return undefined;
    });
  }

  /** Calls back for each line with this event from now on; `next` does not see them. */
  onLine(event: string, take: (line: PeerLine) => void): void {
    this.#takers.set(event, take);
  }

  /** The first match of the pattern in a line that is not JSON. Rejects when the process ends without one. */
  match(pattern: RegExp): Promise<string> {
    return this.#until(`${pattern}`, () => this.#noise.map((line) => pattern.exec(line)?.[0]).find(Boolean));
  }

  /** Sends SIGKILL; resolves when the process has ended. */
  async kill(): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#ended;
  }

  /** Closes its stdin and sends SIGTERM; one that has not ended after 5 s is killed. */
  async stop(): Promise<void> {
    if (this.#hasEnded) return;
    const killing = setTimeout(() => this.#child.kill("SIGKILL"), 5_000);
    this.#child.stdin?.end();
    this.#child.kill("SIGTERM");
    await this.#ended;
    clearTimeout(killing);
  }

  async #until<Found>(what: string, find: () => Found | undefined): Promise<Found> {
    for (;;) {
      const found = find();
      if (found !== undefined) return found;
      if (this.#hasEnded) throw new Error(`${this.name} ended before ${what}:\n${this.#noise.join("\n")}`);
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  #take(line: string): void {
    const parsed = parsePeerLine(line);
    const taker = parsed && this.#takers.get(parsed.event);
    if (parsed !== undefined && taker !== undefined) return taker(parsed);
    if (parsed === undefined) this.#noise.push(line);
    else this.#lines.push(parsed);
    this.#wake();
  }
}

function parsePeerLine(line: string): PeerLine | undefined {
  if (!line.startsWith("{")) return undefined;
  try {
    return JSON.parse(line) as PeerLine;
  } catch {
    return undefined;
  }
}
