import { type ChildProcess, spawn } from "node:child_process";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";
import type { HostCounters } from "troupe/host";
import type { CallReport } from "../../../support/load/call-ledger.ts";
import type { WorkerConfig } from "../programs/worker-config.ts";

const root = resolve(import.meta.dirname, "../../../..");
const fromSource = ["--import", join(root, "tools/typescript.mjs"), "-C", "troupe-source"];

interface Waiter {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
}

interface Line {
  readonly id?: number;
  readonly ready?: unknown;
  readonly value?: unknown;
  readonly error?: string;
}

export interface Memory {
  readonly rss: number;
  readonly heapUsed: number;
  readonly peakRss: number;
}

const programs = "tests/e2e/faults/programs";

interface ProgramPlace {
  /** Its folder. Default: this one's programs. */
  readonly folder?: string;
  /** Flags for Node. */
  readonly flags?: readonly string[];
}

/** A program of tests/e2e/faults/programs, or of another folder, in a process of its own, told what to do. Disposing kills it. */
export class RemoteProgram<Ready> implements AsyncDisposable {
  /** The exit code, or the name of the signal that ended it. */
  readonly ended: Promise<number | string>;
  readonly #child: ChildProcess;
  readonly #waiting = new Map<number, Waiter>();
  readonly #name: string;
  #output = "";
  #hasEnded = false;
  #lastId = 0;
  #ready: Ready | undefined;

  private constructor(program: string, config: object, { folder = programs, flags = [] }: ProgramPlace) {
    this.#name = program;
    const file = join(root, folder, program);
    this.#child = spawn(process.execPath, [...flags, ...fromSource, file, JSON.stringify(config)], { cwd: root });
    const { stdout, stderr, stdin } = this.#child;
    if (stdout !== null) createInterface({ input: stdout }).on("line", (line) => this.#read(line));
    stderr?.on("data", (chunk: Buffer) => {
      this.#output = (this.#output + chunk.toString()).slice(-4_000);
    });
    // A command written while it dies: the end of the process says so.
    stdin?.on("error", () => undefined);
    this.ended = new Promise((resolveEnded) => {
      this.#child.once("close", (code, signal) => {
        this.#hasEnded = true;
        for (const { reject } of this.#waiting.values())
          reject(new Error(this.#describe(`ended with ${code ?? signal}`)));
        this.#waiting.clear();
        resolveEnded(code ?? signal ?? "unknown");
      });
    });
  }

  /** Starts it and waits until it is ready. */
  static async start<Ready>(program: string, config: object, place: ProgramPlace = {}): Promise<RemoteProgram<Ready>> {
    const started = new RemoteProgram<Ready>(program, config, place);
    const ready = await new Promise<unknown>((resolveReady, reject) => {
      started.#waiting.set(0, { resolve: resolveReady, reject });
    });
    started.#ready = ready as Ready;
    return started;
  }

  /** What it said of itself when it was ready. */
  get ready(): Ready {
    if (this.#ready === undefined) throw new Error("it is not ready");
    return this.#ready;
  }

  get isRunning(): boolean {
    return !this.#hasEnded;
  }

  /** What it wrote to stderr last. */
  get stderr(): string {
    return this.#output;
  }

  /** Has a command done; rejects when it fails or the program ends first. */
  tell<T = unknown>(name: string, argument: unknown = null): Promise<T> {
    if (this.#hasEnded) return Promise.reject(new Error(this.#describe(`has ended, it can't ${name}`)));
    const id = ++this.#lastId;
    this.#child.stdin?.write(`${JSON.stringify({ id, name, argument })}\n`);
    return new Promise((resolveTold, reject) => {
      this.#waiting.set(id, { resolve: (value) => resolveTold(value as T), reject });
    });
  }

  /** kill -9, and waits until it is gone. */
  async kill(): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.ended;
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#hasEnded) await this.kill();
  }

  #read(line: string): void {
    const { id = 0, ready, value, error } = JSON.parse(line) as Line;
    const waiter = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (error === undefined) waiter?.resolve(id === 0 ? ready : value);
    else waiter?.reject(new Error(this.#describe(error)));
  }

  #describe(what: string): string {
    return `${this.#name}: ${what}\n${this.#output}`;
  }
}

export type HostProgram = RemoteProgram<{ readonly address: string }>;
export type WorkerProgram = RemoteProgram<{ readonly name: string; readonly pid: number }>;

export interface WorkerReport {
  readonly calls: CallReport;
  readonly held: number;
  readonly released: Readonly<Record<string, number>>;
  readonly events: number;
  readonly wrongEvents: readonly string[];
  readonly counts: Readonly<Record<string, number>>;
}

/** A host that tells its counters. `options` are the host's. */
export function startHostProgram(options: object = {}): Promise<HostProgram> {
  return RemoteProgram.start("host.ts", options);
}

export function startWorkerProgram(config: WorkerConfig): Promise<WorkerProgram> {
  return RemoteProgram.start("worker.ts", config);
}

/** Asks the host again and again until its counters are so; the test's own time limit is the end. */
export async function untilCounters(
  host: HostProgram,
  holds: (counters: HostCounters) => boolean,
): Promise<HostCounters> {
  for (;;) {
    const counters = await host.tell<HostCounters>("counters");
    if (holds(counters)) return counters;
  }
}
