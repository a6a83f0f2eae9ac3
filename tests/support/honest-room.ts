import { Buffer } from "node:buffer";
import { compareEpochs, type Epoch, parseEpoch } from "../../src/core/internal.ts";
import type { ClaimedAgent, Frame } from "../../src/protocol/index.ts";
import { encodeFrame, peekFrame, recipientsIn, spliceRecipients } from "../../src/protocol/internal.ts";
import type { EventFrame, Request } from "./leaving-rooms.ts";
import type { RawWorker } from "./raw-worker.ts";

/** A message that was handled: its sender and its number, by its agent. */
export interface Handled {
  readonly key: string;
  readonly sender: string;
  readonly number: number;
  readonly workerId: string;
  readonly epoch: Epoch;
}

interface Work {
  readonly key: string;
  readonly epoch: Epoch;
  readonly message: Request | EventFrame;
}

/** A worker of `room` that keeps to docs/protocol.md §11.17: it handles one message after the other, and lets agents go. */
export class HonestRoom {
  readonly #worker: RawWorker;
  readonly #workerId: string;
  readonly #onHandled: (handled: Handled) => void;
  readonly #queue: Work[] = [];
  /** The agents that it holds, with their epochs. */
  readonly held = new Map<string, Epoch>();
  readonly #left = new Map<string, Epoch>();
  #isBusy = false;
  #isGone = false;
  /** Resolves when the host says that nothing more comes. */
  readonly handedOver: Promise<void>;
  #markHandedOver: () => void = () => undefined;

  constructor(worker: RawWorker, workerId: string, onHandled: (handled: Handled) => void) {
    this.#worker = worker;
    this.#workerId = workerId;
    this.#onHandled = onHandled;
    this.handedOver = new Promise((resolve) => {
      this.#markHandedOver = resolve;
    });
    void this.#read();
  }

  /** Asks the host to let agents go. */
  ask(keys: readonly string[], reason: "idle" | "asked"): void {
    const agents = keys.flatMap((key) => {
      const epoch = this.held.get(key);
      return epoch === undefined ? [] : { type: "room", key, epoch };
    });
    if (agents.length > 0) this.#worker.send({ kind: "ask-leave", agents, reason });
  }

  stop(): void {
    this.#worker.send({ kind: "leaving-worker", graceMs: 60_000 });
  }

  /** The connection breaks: what has not begun is lost. */
  die(): void {
    this.#isGone = true;
    this.#worker.stream.cancel();
  }

  async #read(): Promise<void> {
    while (!this.#isGone) this.#take(await this.#worker.next());
  }

  #take(frame: Frame): void {
    if (frame.kind === "request") {
      this.#arrived(frame.target?.key ?? "", parseEpoch(frame.metadata.agepoch ?? "0.0.0"), frame);
    } else if (frame.kind === "event") {
      const epoch = recipientsIn(frame.event.attributes).get("room");
      if (epoch !== undefined) this.#arrived(frame.event.topicSource, epoch, frame);
    } else if (frame.kind === "leave") {
      if (frame.agents.length === 0) this.#markHandedOver();
      for (const agent of frame.agents) this.#leave(agent, frame.reason);
    }
  }

  #arrived(key: string, epoch: Epoch, message: Request | EventFrame): void {
    const left = this.#left.get(key);
    if (left !== undefined && compareEpochs(epoch, left) <= 0) return this.#giveBack({ key, epoch, message });
    this.held.set(key, epoch);
    this.#queue.push({ key, epoch, message });
    this.#work();
  }

  #leave(agent: ClaimedAgent, reason: string): void {
    const { key, epoch } = agent;
    const waits = this.#queue.some((work) => work.key === key);
    if (waits && (reason === "idle" || reason === "capacity")) {
      this.#worker.send({ kind: "stay", agents: [agent] });
      return;
    }
    const back = this.#queue.filter((work) => work.key === key);
    for (const work of back) {
      this.#queue.splice(this.#queue.indexOf(work), 1);
      this.#giveBack(work);
    }
    this.held.delete(key);
    this.#left.set(key, epoch);
    this.#worker.send({ kind: "left", agents: [agent] });
  }

  #giveBack({ key, epoch, message }: Work): void {
    const agents = [{ type: "room", key, epoch }];
    this.#worker.send({ kind: "returned", agents, reason: "leaving", message: bytesOf(message) });
  }

  #work(): void {
    if (this.#isBusy) return;
    this.#isBusy = true;
    setImmediate(() => {
      this.#isBusy = false;
      const work = this.#queue.shift();
      if (work === undefined || this.#isGone) return;
      this.#handle(work);
      if (this.#queue.length > 0) this.#work();
    });
  }

  #handle({ key, epoch, message }: Work): void {
    const text = message.kind === "request" ? (message.metadata.n ?? "") : message.event.id;
    const [sender = "", number = ""] = text.split("#");
    this.#onHandled({ key, sender, number: Number(number), workerId: this.#workerId, epoch });
    if (message.kind === "request") this.#worker.respond(message.requestId, this.#workerId);
  }
}

/** The encoder writes no `agfor`, which only hosts write. */
function bytesOf(message: Request | EventFrame): Uint8Array {
  const bytes = encodeFrame(message);
  const { agfor = "" } = message.kind === "event" ? message.event.attributes : {};
  const peeked = peekFrame(bytes);
  if (agfor === "" || peeked.kind !== "event") return bytes;
  const { head, rest } = spliceRecipients(peeked, agfor);
  return Buffer.concat([head, rest]);
}
