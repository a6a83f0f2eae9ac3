import type { AgentName, Epoch } from "../../core/internal.ts";
import type { StoreEntry } from "../coordination-store.ts";
import type { Life } from "../life.ts";
import { type ClaimRecord, encodeClaim, readClaim } from "../records/claim-record.ts";
import { claimKey } from "../records/store-keys.ts";

/** A claim that a host wants for a worker. */
export interface WantedClaim {
  readonly agent: AgentName;
  readonly workerId: string;
  readonly era: number;
}

/** A claim as this host has it. */
export interface KnownClaim {
  readonly epoch: Epoch;
  readonly revision: number;
  /** Its agent has ended. The worker takes no message under this epoch any more. */
  readonly isAsleep?: boolean;
}

/** A claim that was written. */
export interface WrittenClaim extends KnownClaim {
  /** When the write was sent. */
  readonly sentMs: number;
}

/** The outcome of a claim. `elsewhere`: a live worker has it. `unknown`: the store did not answer in time. `stopped`: it may not go on. */
export type WrittenOutcome =
  | ({ readonly at: "written" } & WrittenClaim)
  | { readonly at: "elsewhere"; readonly workerId: string; readonly epoch: Epoch }
  | { readonly at: "unknown" | "stopped" };

/** Times that a write begins again with what it has found. */
const mostTries = 4;

/**
 * Writes claims to the coordination store. It remembers nothing: each change begins with a write on what the caller knows. The next write is on
 * what that one has found. So a write whose outcome was unknown is settled by the next one (rule R3).
 */
export class ClaimWrites {
  readonly #life: Life;
  readonly #isGone: (workerId: string) => Promise<boolean | "unknown">;

  constructor(life: Life, isGone: (workerId: string) => Promise<boolean | "unknown">) {
    this.#life = life;
    this.#isGone = isGone;
  }

  /**
   * Claims an agent for a worker, or refreshes its claim. `known`: the claim as this host has it. `mayGo` is asked before each write
   * (rule R2).
   */
  async claim(wanted: WantedClaim, known: KnownClaim | undefined, mayGo: () => boolean): Promise<WrittenOutcome> {
    const { agent, workerId, era } = wanted;
    const key = claimKey(agent);
    let revision = known?.revision ?? 0;
    // Nothing is known: the first write says what is there.
    const ownEpoch = (epoch: Epoch) =>
      known?.isAsleep === true ? this.#newEpoch(epoch, era) : this.#renewedEpoch(epoch, era);
    let epoch: Partial<Epoch> & Omit<Epoch, "number"> =
      known === undefined ? { generation: this.#life.generation(), era } : ownEpoch(known.epoch);
    for (let tries = 0; tries < mostTries; tries += 1) {
      if (!mayGo()) return { at: "stopped" };
      const sentMs = this.#life.now();
      const outcome = await this.#life.store.write(key, encodeClaim(agent, workerId, epoch), revision);
      if (outcome.at === "unknown") return { at: "unknown" };
      if (outcome.at === "written") {
        return { at: "written", epoch: numbered(epoch, outcome.revision), revision: outcome.revision, sentMs };
      }
      const found = readOwn(outcome.found, agent);
      revision = outcome.found?.revision ?? 0;
      if (found === undefined) {
        epoch = { generation: this.#life.generation(), era };
      } else if (found.workerId === workerId) {
        epoch = ownEpoch(found.epoch);
      } else {
        this.#life.counters.claimConflicts += 1;
        const isGone = await this.#isGone(found.workerId);
        if (isGone === "unknown") return { at: "unknown" };
        if (!isGone) return { at: "elsewhere", workerId: found.workerId, epoch: found.epoch };
        epoch = this.#newEpoch(found.epoch, era);
      }
    }
    return { at: "unknown" };
  }

  /** The live worker that a claim names now. Undefined: none, or the store does not answer. It promises nothing. */
  async holderOf(agent: AgentName): Promise<string | undefined> {
    const entry = await this.#life.store.readFresh(claimKey(agent));
    const workerId = entry === "unknown" ? undefined : readOwn(entry, agent)?.workerId;
    return workerId === undefined || (await this.#isGone(workerId)) === true ? undefined : workerId;
  }

  /**
   * Gives a claim to another worker, after its worker has let the agent go. `lost`: the claim has changed since this host wrote it. After
   * `unknown` it may be given still, until a later write says how it is.
   */
  async give(wanted: WantedClaim, known: KnownClaim, to: string): Promise<"given" | "lost" | "unknown"> {
    const value = encodeClaim(wanted.agent, to, this.#newEpoch(known.epoch, wanted.era));
    const outcome = await this.#life.store.write(claimKey(wanted.agent), value, known.revision);
    if (outcome.at === "unknown") return "unknown";
    if (outcome.at === "written") return "given";
    // It may be this very write, whose answer was lost. One that names the worker itself may be of its next host, so that it stays.
    return readOwn(outcome.found, wanted.agent)?.workerId === to ? "given" : "lost";
  }

  /** Keeps the epoch of a worker's own claim, unless the store has forgotten writes since, or the type has changed its kind. */
  #renewedEpoch(epoch: Epoch, era: number): Partial<Epoch> & Omit<Epoch, "number"> {
    const isOld = epoch.generation < this.#life.generation() || epoch.era < era;
    return isOld ? this.#newEpoch(epoch, era) : epoch;
  }

  /** Of a later claim. What this host knows may be older than what the claim before was made under. */
  #newEpoch(before: Epoch, era: number): Omit<Epoch, "number"> {
    return { generation: Math.max(this.#life.generation(), before.generation), era: Math.max(era, before.era) };
  }
}

function numbered({ generation, era, number }: Partial<Epoch> & Omit<Epoch, "number">, revision: number): Epoch {
  return { generation, era, number: number ?? revision };
}

/** Reads what is there. A claim of another agent under the same key would be a collision of 128 bits. */
function readOwn(entry: StoreEntry | undefined, { type, key }: AgentName): ClaimRecord | undefined {
  const claim = entry && readClaim(entry);
  return claim?.agent.type === type && claim.agent.key === key ? claim : undefined;
}
