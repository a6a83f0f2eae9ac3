import { nextTurn } from "../../core/internal.ts";
import { agentsOf, type EncodedWrite } from "./encode-writes.ts";

/** Writes and bytes of one statement. */
const mostWrites = 64;
const mostBytes = 4 * 1024 * 1024;
/** Statements under way. While one waits for the disk, the server works on the other. */
const mostGroups = 2;
/** Parts that are passed over in the search for one whose agents are free. */
const mostPassed = 1_000;

/** The writes of one call, or a part of them that fits into a statement. */
export interface QueuedWrites {
  readonly writes: readonly EncodedWrite[];
  readonly agents: readonly string[];
  readonly bytes: number;
  /** The part of the same call before this one, which goes first. */
  readonly previous: QueuedWrites | undefined;
  state: "waiting" | "done" | "failed";
  readonly resolve: (results: readonly unknown[]) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Gathers writes into groups. What waits goes as the next group, so that the time of one statement is the time in which the next
 * gathers. Two groups under way have no agent in common, and writes to one agent go in the order of their calls.
 */
export class GroupQueue {
  /** Writes a group, and ends each of its parts. Never rejects. */
  readonly #write: (group: readonly QueuedWrites[]) => Promise<void>;
  readonly #waiting: QueuedWrites[] = [];
  /** Place of the first that waits. */
  #head = 0;
  readonly #busyAgents = new Set<string>();
  #groups = 0;
  #isGathering = false;

  constructor(write: (group: readonly QueuedWrites[]) => Promise<void>) {
    this.#write = write;
  }

  /** Adds the writes of one call. Resolves to their results, in their order. */
  async add(writes: readonly EncodedWrite[]): Promise<readonly unknown[]> {
    const parts: Promise<readonly unknown[]>[] = [];
    let previous: QueuedWrites | undefined;
    for (const part of partsOf(writes)) {
      parts.push(
        new Promise((resolve, reject) => {
          const agents = agentsOf(part);
          const bytes = part.reduce((sum, one) => sum + one.bytes.length, 0);
          previous = { writes: part, agents, bytes, previous, state: "waiting", resolve, reject };
          this.#waiting.push(previous);
        }),
      );
    }
    this.#sendLater();
    const ended = await Promise.allSettled(parts);
    return ended.flatMap((one) => (one.status === "fulfilled" ? one.value : [{ error: one.reason }]));
  }

  /** Sends the writes of one turn of the event loop together. */
  #sendLater(): void {
    if (this.#isGathering) return;
    this.#isGathering = true;
    void nextTurn().then(() => {
      this.#isGathering = false;
      this.#send();
    });
  }

  #send(): void {
    while (this.#groups < mostGroups) {
      const group = this.#take();
      if (group.length === 0) return;
      void this.#run(group);
    }
  }

  async #run(group: readonly QueuedWrites[]): Promise<void> {
    const agents = group.flatMap((part) => part.agents);
    for (const agent of agents) this.#busyAgents.add(agent);
    this.#groups += 1;
    await this.#write(group);
    this.#groups -= 1;
    for (const agent of agents) this.#busyAgents.delete(agent);
    // Who waited for these may ask for more in this turn.
    this.#sendLater();
  }

  /** Takes the next group out of what waits. */
  #take(): readonly QueuedWrites[] {
    const group: QueuedWrites[] = [];
    const passed: QueuedWrites[] = [];
    const blocked = new Set(this.#busyAgents);
    let [writes, bytes] = [0, 0];
    let next = this.#head;
    for (; next < this.#waiting.length && passed.length < mostPassed; next += 1) {
      const part = this.#waiting[next];
      if (part === undefined) break;
      if (part.previous?.state === "failed") {
        part.state = "failed";
        part.reject(new PreviousFailed());
        continue;
      }
      const isBlocked = part.previous?.state === "waiting" || part.agents.some((agent) => blocked.has(agent));
      if (isBlocked) {
        for (const agent of part.agents) blocked.add(agent);
        passed.push(part);
        continue;
      }
      const isOver = writes + part.writes.length > mostWrites || bytes + part.bytes > mostBytes;
      if (isOver && group.length > 0) break;
      group.push(part);
      writes += part.writes.length;
      bytes += part.bytes;
    }
    // Those that were passed over keep their order, before the others.
    this.#head = next - passed.length;
    for (const [index, part] of passed.entries()) this.#waiting[this.#head + index] = part;
    if (this.#head > this.#waiting.length / 2) {
      this.#waiting.splice(0, this.#head);
      this.#head = 0;
    }
    return group;
  }
}

/** The part before this one has failed, so that this one was not tried. */
export class PreviousFailed extends Error {}

/** Divides the writes of a call so that each part fits into a statement. */
function partsOf(writes: readonly EncodedWrite[]): readonly (readonly EncodedWrite[])[] {
  const parts: EncodedWrite[][] = [];
  let bytes = 0;
  for (const write of writes) {
    const part = parts.at(-1);
    if (part === undefined || part.length >= mostWrites || bytes + write.bytes.length > mostBytes) {
      parts.push([write]);
      bytes = write.bytes.length;
    } else {
      part.push(write);
      bytes += write.bytes.length;
    }
  }
  return parts;
}
