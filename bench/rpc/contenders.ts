import { extname, join } from "node:path";
import type { Contender, Round } from "../support/contender.ts";
import { PeerProcess } from "../support/peer-process.ts";
import { projectFolder, thisNode, troupeCommand, venvPython } from "../support/project.ts";

/** How many calls are under way at a time. */
export type InFlight = number;

type Side = "ours" | "python";

/** Three processes: a host, a target worker and a caller worker. */
class CallContender implements Contender<InFlight> {
  readonly name: string;
  readonly absent: string | undefined;
  readonly #sides: { readonly host: Side; readonly workers: Side };
  readonly #processes: PeerProcess[] = [];

  constructor(name: string, sides: { readonly host: Side; readonly workers: Side }) {
    this.name = name;
    this.#sides = sides;
    const needsPython = sides.host === "python" || sides.workers === "python";
    if (needsPython && venvPython("gen3") === undefined) {
      this.absent = "needs Python's AutoGen: run `node tools/interop-venvs.mjs --only gen3`";
    }
  }

  async start(): Promise<void> {
    const address = await this.#startHost();
    await this.#startWorker("target", address);
    await this.#startWorker("caller", address);
  }

  async measure(inFlight: InFlight, seconds: number): Promise<Round> {
    const caller = this.#processes.at(-1);
    if (caller === undefined) throw new Error(`${this.name} has not been started`);
    caller.send({ seconds, inFlight });
    const { perSecond, p50Us, p99Us } = await caller.next("round");
    return { perSecond: Number(perSecond), p50Us: Number(p50Us), p99Us: Number(p99Us) };
  }

  async stop(): Promise<void> {
    for (const process of this.#processes.splice(0).reverse()) await process.stop();
  }

  async #startHost(): Promise<string> {
    if (this.#sides.host === "python") {
      const host = this.#started("host", pythonPeer("host"));
      return String((await host.next("ready")).address);
    }
    const host = this.#started("host", [...thisNode, troupeCommand(), "host", "--address", "127.0.0.1:0"]);
    return host.match(/127\.0\.0\.1:\d+/);
  }

  async #startWorker(role: "target" | "caller", address: string): Promise<void> {
    const command =
      this.#sides.workers === "python"
        ? pythonPeer(role, address)
        : [...thisNode, join(import.meta.dirname, `${role}${extname(import.meta.filename)}`), address];
    await this.#started(role, command).next("ready");
  }

  #started(role: string, [command = "", ...args]: readonly string[]): PeerProcess {
    const process = new PeerProcess(`${this.name}: ${role}`, command, args);
    this.#processes.push(process);
    return process;
  }
}

function pythonPeer(...args: readonly string[]): string[] {
  return [venvPython("gen3") ?? "python3", join(projectFolder, "bench", "rpc", "peer.py"), ...args];
}

/** What is compared; the last one is what the others are measured against. */
export function createContenders(): Contender<InFlight>[] {
  return [
    new CallContender("our workers, our host", { host: "ours", workers: "ours" }),
    new CallContender("Python's workers, our host", { host: "ours", workers: "python" }),
    new CallContender("Python's workers, Python's host", { host: "python", workers: "python" }),
  ];
}
