import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { CommandWithId, PeerEvent, PeerEventName } from "./peer-protocol.ts";

const pythonDirectory = fileURLToPath(new URL("../python/", import.meta.url));
const defaultHangGuardMs = 30_000;

/** An event by its name and, if given, by some of its fields or by what a function says of it. */
export type Wanted<Name extends PeerEventName> = Partial<PeerEvent<Name>> | ((event: PeerEvent<Name>) => boolean);

export interface PythonPeerOptions {
  /** The interpreter of a generation's environment. */
  readonly python: string;
  /** A file of tests/interop/python. */
  readonly script: "host.py" | "worker.py" | "raw_grpc.py" | "state_store.py" | "agentchat.py";
  readonly config: object;
  /** How long a wait may last before the test fails with what the peer did so far. Default 30 s. */
  readonly hangGuardMs?: number;
}

interface Waiter {
  /** Takes the event if it is the wanted one. */
  readonly offer: (event: PeerEvent) => boolean;
  readonly fail: (reason: Error) => void;
}

/**
 * A Python process that a test drives: commands in, events out. Each event is handed out once, to the first wait that
 * wants it, whether it came before or comes later. Dispose kills it; it also dies when this process does.
 */
export class PythonPeer {
  readonly #process: ChildProcessWithoutNullStreams;
  readonly #events: PeerEvent[] = [];
  readonly #untaken: PeerEvent[] = [];
  readonly #waiters = new Set<Waiter>();
  readonly #hangGuardMs: number;
  readonly #name: string;
  #stderr = "";
  #nextId = 0;
  #ended = false;

  /** The exit code, or the signal's name. Resolves when the process and its output have ended. */
  readonly exited: Promise<number | string>;

  constructor(options: PythonPeerOptions) {
    this.#hangGuardMs = options.hangGuardMs ?? defaultHangGuardMs;
    this.#name = options.script;
    this.#process = spawn(options.python, [pythonDirectory + options.script, JSON.stringify(options.config)], {
      env: { ...process.env, PYTHONDONTWRITEBYTECODE: "1" },
    });
    this.#process.stderr.setEncoding("utf8").on("data", (text: string) => {
      this.#stderr = (this.#stderr + text).slice(-4000);
    });
    // A command written while the peer dies: the wait for its event reports the death.
    this.#process.stdin.on("error", () => undefined);
    createInterface({ input: this.#process.stdout }).on("line", (line) => this.#accept(line));
    this.exited = new Promise((resolve) => {
      this.#process.once("error", (error) =>
        this.#end(`could not be started: ${error.message}`, resolve, error.message),
      );
      this.#process.once("close", (code, signal) =>
        this.#end(`ended with ${code ?? signal}`, resolve, code ?? signal ?? ""),
      );
    });
  }

  /** Starts a peer and waits until it is ready. */
  static async start(options: PythonPeerOptions): Promise<PythonPeer> {
    const peer = new PythonPeer(options);
    try {
      await peer.next("ready");
      return peer;
    } catch (error) {
      await peer.kill();
      throw error;
    }
  }

  /** Every event so far, in order, taken or not. */
  get events(): readonly PeerEvent[] {
    return this.#events;
  }

  /** Warnings and errors the peer logged so far: the exception behind each, or its text. */
  get log(): readonly string[] {
    return this.eventsNamed("log").map((entry) =>
      entry.exception === null ? String(entry.text) : `${entry.exception.class}: ${entry.exception.text}`,
    );
  }

  eventsNamed<Name extends PeerEventName>(name: Name): readonly PeerEvent<Name>[] {
    return this.#events.filter((event): event is PeerEvent<Name> => event.event === name);
  }

  /** Writes a command and returns its id. */
  send(command: CommandWithId): string | number {
    const id = command.id ?? `#${++this.#nextId}`;
    this.#process.stdin.write(`${JSON.stringify({ ...command, id })}\n`);
    return id;
  }

  /** The next event of that name that is wanted; rejects when the peer ends first or the hang guard strikes. */
  next<Name extends PeerEventName>(name: Name, wanted: Wanted<Name> = {}): Promise<PeerEvent<Name>> {
    return this.nextOf([name], wanted);
  }

  /** As `next`, for whichever of several events comes first. */
  nextOf<Name extends PeerEventName>(names: readonly Name[], wanted: Wanted<Name> = {}): Promise<PeerEvent<Name>> {
    const isWanted = (event: PeerEvent): event is PeerEvent<Name> => {
      // `includes` does not narrow; the name decides the shape.
      if (!names.includes(event.event as Name)) return false;
      const candidate = event as PeerEvent<Name>;
      if (typeof wanted === "function") return wanted(candidate);
      const fields: Record<string, unknown> = { ...event };
      return Object.entries(wanted).every(([field, value]) => fields[field] === value);
    };
    const index = this.#untaken.findIndex(isWanted);
    const [found] = index < 0 ? [] : this.#untaken.splice(index, 1);
    if (found !== undefined && isWanted(found)) return Promise.resolve(found);
    const what = `${names.join(" or ")} ${typeof wanted === "function" ? "" : JSON.stringify(wanted)}`;
    if (this.#ended) return Promise.reject(new Error(this.#describe(`has ended, no ${what}`)));
    return new Promise((resolve, reject) => {
      const guard = setTimeout(
        () => settle(() => reject(new Error(this.#describe(`sent no ${what}`)))),
        this.#hangGuardMs,
      );
      const settle = (act: () => void): void => {
        clearTimeout(guard);
        this.#waiters.delete(waiter);
        act();
      };
      const waiter: Waiter = {
        offer: (event) => {
          if (!isWanted(event)) return false;
          settle(() => resolve(event));
          return true;
        },
        fail: (reason) => settle(() => reject(new Error(`waited for ${what}`, { cause: reason }))),
      };
      this.#waiters.add(waiter);
    });
  }

  /** What a peer says of itself on `state`. */
  async state(): Promise<PeerEvent<"state">> {
    return this.next("state", { id: this.send({ cmd: "state" }) });
  }

  /** Asks it to stop in its own way (runtime.stop, server.stop) and resolves to the exit code. */
  async stop(): Promise<number | string> {
    await this.next("stopped", { id: this.send({ cmd: "stop" }) });
    return this.exited;
  }

  /** kill -9: the peer has no chance to say goodbye. Harmless when it has ended. */
  async kill(): Promise<void> {
    if (!this.#ended) this.#process.kill("SIGKILL");
    await this.exited;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
  }

  #accept(line: string): void {
    // The peers of this repository write nothing else to stdout.
    const event = JSON.parse(line) as PeerEvent;
    this.#events.push(event);
    for (const waiter of this.#waiters) if (waiter.offer(event)) return;
    this.#untaken.push(event);
  }

  #end(how: string, resolve: (code: number | string) => void, code: number | string): void {
    if (this.#ended) return;
    this.#ended = true;
    for (const waiter of [...this.#waiters]) waiter.fail(new Error(this.#describe(how)));
    resolve(code);
  }

  #describe(what: string): string {
    const events = this.#events.slice(-20).map((event) => `  ${JSON.stringify(event)}`);
    return [`${this.#name} ${what}. Its last events:`, ...events, this.#stderr.trim()].join("\n");
  }
}
